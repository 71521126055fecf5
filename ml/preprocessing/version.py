"""The version of preprocessing. It changes whenever the same CT would give another image."""

PREPROCESSING_VERSION = "2"
