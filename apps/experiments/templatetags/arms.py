"""The names of the arms of a run, as pages write them."""

from django import template
from django.utils.translation import gettext_lazy as _

from ml.scores import SCORES

register = template.Library()
NAMES = {
    "imaging": _("imaging"),
    "fusion": _("fusion"),
    "clinical": _("clinical"),
    "logistic_regression": _("logistic regression"),
    "random_forest": _("random forest"),
    "perceptron": _("multilayer perceptron"),
    "hematoma_forest": _("random forest of the hematoma's shape and density"),
    **{key: score.name for key, score in SCORES.items()},
}


@register.simple_tag
def arm_name(arm: str) -> str:
    """Return what an arm or comparator is called; an unknown one is called by its key."""
    return str(NAMES.get(arm, arm))
