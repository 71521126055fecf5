"""The form that starts a run."""

from django import forms
from django.utils.translation import gettext_lazy as _

from apps.experiments.presets import CHOICES


class ExperimentForm(forms.Form):
    name = forms.CharField(label=_("Name"), max_length=120, help_text=_("What this run is to show."))
    preset = forms.ChoiceField(label=_("Configuration"), choices=CHOICES, widget=forms.RadioSelect, initial="study")
