"""Prediction for one patient by the models of a finished run."""

from ml.inference.model import Model, Prediction, load_model

__all__ = ["Model", "Prediction", "load_model"]
