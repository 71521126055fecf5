"""DICOM Segmentations that other programs send (OHIF, 3D Slicer, highdicom): their voxels become a version of a mask.

The file is not kept: it may name who drew it, and what leaves is the platform's own (`apps.annotation.segmentation`).
"""
