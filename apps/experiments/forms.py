"""The form that starts a run."""

from django import forms
from django.utils.translation import gettext_lazy as _

from apps.experiments.presets import CHOICES, DESIGNS
from apps.experiments.registry import MIN_REASON


class ExperimentForm(forms.Form):
    name = forms.CharField(label=_("Name"), max_length=120, help_text=_("What this run is to show."))
    preset = forms.ChoiceField(label=_("Configuration"), choices=CHOICES, widget=forms.RadioSelect, initial="study")
    design = forms.ChoiceField(label=_("Validation"), choices=DESIGNS, widget=forms.RadioSelect, initial="folds")
    at_door = forms.BooleanField(
        label=_("A prognosis at the door"),
        required=False,
        help_text=_("Leaves out what is decided after admission: the treatment."),
    )


class ReasonForm(forms.Form):
    """The reason for a change of the model in service, as the page asks for it; the registry checks it."""

    reason = forms.CharField(
        label=_("Reason"),
        min_length=MIN_REASON,
        max_length=300,
        help_text=_("Stands in the registry and in the audit trail."),
    )
