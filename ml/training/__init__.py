"""Training and nested cross-validation: a manifest of cases goes in, a run folder with models and figures comes out."""

from ml.training.config import AugmentationConfig, BackboneConfig, TrainingConfig, read_config
from ml.training.cross_validation import run_cross_validation
from ml.training.encoder import ClinicalEncoder
from ml.training.evaluation import evaluate_run
from ml.training.events import Event, RunStoppedError
from ml.training.manifest import Case, Feature, Manifest, read_manifest, write_manifest
from ml.training.model_card import ModelCard
from ml.training.splits import Fold, Splits, make_splits

__all__ = [
    "AugmentationConfig",
    "BackboneConfig",
    "Case",
    "ClinicalEncoder",
    "Event",
    "Feature",
    "Fold",
    "Manifest",
    "ModelCard",
    "RunStoppedError",
    "Splits",
    "TrainingConfig",
    "evaluate_run",
    "make_splits",
    "read_config",
    "read_manifest",
    "run_cross_validation",
    "write_manifest",
]
