"""De-identification: DICOM PS3.15 Annex E, Basic Profile with three options (docs/reference/deidentification.md)."""

from apps.imaging.deidentification.clean import Clean, clean_ct, clean_picture
from apps.imaging.deidentification.frames import split_frames
from apps.imaging.deidentification.uids import replace_uid
from apps.imaging.deidentification.writing import header_json, to_bytes

__all__ = ["Clean", "clean_ct", "clean_picture", "header_json", "replace_uid", "split_frames", "to_bytes"]
