"""Prediction for one patient by the models of a finished run."""

from typing import TYPE_CHECKING

from ml.lazy import lazy

if TYPE_CHECKING:
    from ml.inference.model import Model, Prediction, load_model

__all__ = ["Model", "Prediction", "load_model"]

__getattr__ = lazy(__name__, dict.fromkeys(__all__, "model"))
