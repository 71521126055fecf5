"""The training configurations that the page offers."""

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from apps.core.errors import Refusal
from apps.crf.dictionary import load_dictionary
from ml.training import TrainingConfig

CHOICES = [
    ("study", _("As in the published study: 80 × 192 × 192 voxels (needs a GPU)")),
    ("small", _("Small images: 1 to 2 minutes a network on two processor cores, for trying things out")),
]

DESIGNS = [
    ("folds", _("5-fold cross-validation: 5 networks for each model")),
    ("nested", _("Nested 5 × 5 cross-validation: each fold is predicted by 5 networks, 25 for each model")),
    ("center", _("Leave one center out: each center is predicted by networks that have seen none of its patients")),
]
_DESIGNS: dict[str, dict[str, object]] = {"folds": {}, "nested": {"inner_folds": 5}, "center": {"scheme": "center"}}

# The image alone, the form alone, and both joined.
ARMS = ("imaging", "fusion", "clinical")


def config_of(preset: str, *, design: str = "folds", at_door: bool = False) -> TrainingConfig:
    """Return the configuration of a preset; at the door, what is decided after admission is left out."""
    settings: dict[str, object] = {"arms": ARMS, "without": later_features() if at_door else (), **_DESIGNS[design]}
    if preset == "study":
        return TrainingConfig.model_validate(settings)
    if preset == "small":
        return TrainingConfig.small(**settings)
    raise Refusal("unknown_preset", gettext("There is no such configuration. Choose study or small."))


def later_features() -> tuple[str, ...]:
    """Name the model's features that are known only after admission."""
    return tuple(variable.name for variable in load_dictionary().features if variable.decided_later)
