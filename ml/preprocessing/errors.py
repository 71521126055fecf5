"""The error of preprocessing."""

from ml.errors import MLError

NOT_A_HEAD = "No brain inside a skull was found in this series; choose the non-contrast CT of the head."


class PreprocessingError(MLError):
    """Codes: ``not_a_head``, ``too_little_brain``, ``not_axial``, ``small_matrix``; ``bad_shape`` from `resize`."""
