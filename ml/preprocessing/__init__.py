"""From a head CT to the network's input: foramen magnum, skull strip, window, resampling."""

from typing import TYPE_CHECKING

from ml.lazy import lazy
from ml.preprocessing.box import lateral_middle_mm
from ml.preprocessing.errors import PreprocessingError
from ml.preprocessing.report import Finding, PreprocessingReport
from ml.preprocessing.version import PREPROCESSING_VERSION

if TYPE_CHECKING:
    from ml.preprocessing.pipeline import Preprocessed, preprocess
    from ml.preprocessing.resizing import resize

__all__ = [
    "PREPROCESSING_VERSION",
    "Finding",
    "Preprocessed",
    "PreprocessingError",
    "PreprocessingReport",
    "lateral_middle_mm",
    "preprocess",
    "resize",
]

__getattr__ = lazy(__name__, {"Preprocessed": "pipeline", "preprocess": "pipeline", "resize": "resizing"})
