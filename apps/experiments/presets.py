"""The training configurations that the page offers."""

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from apps.core.errors import Refusal
from apps.crf.dictionary import load_dictionary
from ml.training import TrainingConfig

CHOICES = [
    ("study", _("As in the published study: 80 × 192 × 192 voxels (needs a GPU)")),
    ("small", _("Small images: minutes on two processor cores, for trying things out")),
]


# The image alone, the form alone, and both joined.
ARMS = ("imaging", "fusion", "clinical")


def config_of(preset: str, *, at_door: bool = False) -> TrainingConfig:
    """Return the configuration of a preset; at the door, what is decided after admission is left out."""
    settings: dict[str, object] = {"arms": ARMS, "without": later_features() if at_door else ()}
    if preset == "study":
        return TrainingConfig.model_validate(settings)
    if preset == "small":
        return TrainingConfig.small(**settings)
    raise Refusal("unknown_preset", gettext("There is no such configuration. Choose study or small."))


def later_features() -> tuple[str, ...]:
    """Name the model's features that are known only after admission."""
    return tuple(variable.name for variable in load_dictionary().features if variable.decided_later)
