"""What can be wrong with a CT series or with a mask for it."""

from ml.errors import MLError


class SeriesError(MLError):
    """A set of DICOM files that is no single, complete, axial CT series."""


class MaskError(MLError):
    """A mask that cannot be laid on the CT series it is meant for."""
