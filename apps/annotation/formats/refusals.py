"""What can be wrong with the file of a mask, in one sentence each."""

from django.utils.translation import gettext as _

from apps.core.errors import Refusal
from ml.volumes import MaskError


def not_a_mask() -> MaskError:
    """Return the error for a file in another format."""
    return MaskError(
        "not_a_mask",
        _(
            "The mask cannot be read as NIfTI, NRRD or MetaImage: save the segmentation as .nii.gz, .nrrd or .mha, "
            "as ITK-SNAP and 3D Slicer do."
        ),
    )


def incomplete() -> MaskError:
    """Return the error for a file that was cut short or damaged on its way."""
    return MaskError("mask_incomplete", _("The mask file is damaged or cut short: save or send it again."))


def detached() -> MaskError:
    """Return the error for a header that names another file, which is not opened."""
    return MaskError(
        "mask_detached",
        _(
            "The file is a header alone, its voxels lie in another file: save the segmentation as one file, "
            ".nrrd or .mha."
        ),
    )


def other_encoding() -> MaskError:
    """Return the error for voxels as text and for rare compressions."""
    return MaskError(
        "mask_encoding",
        _("Voxels written as text, in hex digits or with bzip2 are not read: save the mask raw or packed by gzip."),
    )


def unplaced() -> MaskError:
    """Return the error for a NRRD that names no directions of the patient."""
    return MaskError(
        "mask_other_grid",
        _(
            "The file does not say how its axes lie in the patient: save the segmentation in the space "
            "left-posterior-superior, as 3D Slicer does."
        ),
    )


def layered() -> MaskError:
    """Return the error for segments that overlap: a voxel has one label here."""
    return MaskError(
        "mask_layers",
        _(
            "The file holds several layers, as 3D Slicer writes segments that overlap: export the segmentation as a "
            "labelmap and send that."
        ),
    )


def not_labels() -> MaskError:
    """Return the error for several numbers a voxel."""
    return MaskError(
        "mask_not_labels",
        _("The file is a color or vector image, not a mask: save the segmentation alone."),
    )


def too_large() -> Refusal:
    """Return the refusal of more voxels than the CT can have."""
    return Refusal(
        "mask_too_large",
        _("The file is larger than any mask of this CT can be. Draw it on this CT series and save the mask alone."),
    )
