"""From a head CT to the network's input: foramen magnum, skull strip, window, resampling."""

from ml.preprocessing.errors import PreprocessingError
from ml.preprocessing.pipeline import PREPROCESSING_VERSION, Preprocessed, preprocess
from ml.preprocessing.report import Finding, PreprocessingReport
from ml.preprocessing.resizing import resize

__all__ = [
    "PREPROCESSING_VERSION",
    "Finding",
    "Preprocessed",
    "PreprocessingError",
    "PreprocessingReport",
    "preprocess",
    "resize",
]
