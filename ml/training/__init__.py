"""Training and nested cross-validation: a manifest of cases goes in, a run folder with models and figures comes out.

Configuration and manifest are plain data; what needs torch is imported when it is first used.
"""

from typing import TYPE_CHECKING

from ml.lazy import lazy
from ml.training.config import Arm, AugmentationConfig, BackboneConfig, TrainingConfig, read_config
from ml.training.events import Event, RunStoppedError
from ml.training.manifest import Case, Feature, Manifest, read_manifest, write_manifest

if TYPE_CHECKING:
    from ml.training.cross_validation import finish_run, prepare_run, run_cross_validation, train_cell, unfinished_cells
    from ml.training.encoder import ClinicalEncoder
    from ml.training.evaluation import evaluate_run
    from ml.training.model_card import ModelCard
    from ml.training.recalibration import Recalibration
    from ml.training.splits import CellKey, Fold, Splits, make_splits

__all__ = [
    "Arm",
    "AugmentationConfig",
    "BackboneConfig",
    "Case",
    "CellKey",
    "ClinicalEncoder",
    "Event",
    "Feature",
    "Fold",
    "Manifest",
    "ModelCard",
    "Recalibration",
    "RunStoppedError",
    "Splits",
    "TrainingConfig",
    "evaluate_run",
    "finish_run",
    "make_splits",
    "prepare_run",
    "read_config",
    "read_manifest",
    "run_cross_validation",
    "train_cell",
    "unfinished_cells",
    "write_manifest",
]

__getattr__ = lazy(
    __name__,
    {
        "CellKey": "splits",
        "ClinicalEncoder": "encoder",
        "Fold": "splits",
        "ModelCard": "model_card",
        "Recalibration": "recalibration",
        "Splits": "splits",
        "evaluate_run": "evaluation",
        "finish_run": "cross_validation",
        "make_splits": "splits",
        "prepare_run": "cross_validation",
        "run_cross_validation": "cross_validation",
        "train_cell": "cross_validation",
        "unfinished_cells": "cross_validation",
    },
)
