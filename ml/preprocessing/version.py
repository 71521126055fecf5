"""The version of preprocessing. It changes whenever the same CT would give another image or report."""

PREPROCESSING_VERSION = "3"
