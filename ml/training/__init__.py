"""Training and nested cross-validation: a manifest of cases goes in, a run folder with models and figures comes out.

Configuration and manifest are plain data; what needs torch is imported when it is first used.
"""

from typing import TYPE_CHECKING

from ml.lazy import lazy
from ml.training.config import AugmentationConfig, BackboneConfig, TrainingConfig, read_config
from ml.training.events import Event, RunStoppedError
from ml.training.manifest import Case, Feature, Manifest, read_manifest, write_manifest

if TYPE_CHECKING:
    from ml.training.cross_validation import run_cross_validation
    from ml.training.encoder import ClinicalEncoder
    from ml.training.evaluation import evaluate_run
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

__getattr__ = lazy(
    __name__,
    {
        "ClinicalEncoder": "encoder",
        "Fold": "splits",
        "ModelCard": "model_card",
        "Splits": "splits",
        "evaluate_run": "evaluation",
        "make_splits": "splits",
        "run_cross_validation": "cross_validation",
    },
)
