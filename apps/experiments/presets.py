"""The training configurations that the page offers."""

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from apps.core.errors import Refusal
from ml.training import TrainingConfig

CHOICES = [
    ("study", _("As in the published study: 80 × 192 × 192 voxels (needs a GPU)")),
    ("small", _("Small images: minutes on two processor cores, for trying things out")),
]


def config_of(preset: str) -> TrainingConfig:
    """Return the configuration of a preset."""
    if preset == "study":
        return TrainingConfig()
    if preset == "small":
        return TrainingConfig.small()
    raise Refusal("unknown_preset", gettext("There is no such configuration. Choose study or small."))
