"""What a study is searched by in a center's archive."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from apps.imaging.exchange.client import date_range
from apps.imaging.models import Archive


class SearchForm(forms.Form):
    archive = forms.ModelChoiceField(Archive.objects.none(), label=_("Archive"), empty_label=None)
    hospital_id = forms.CharField(
        label=_("Patient ID in the hospital"),
        required=False,
        max_length=64,
        help_text=_("Used for this search alone; it is not stored."),
    )
    first = forms.DateField(label=_("From day"), required=False, widget=forms.DateInput(attrs={"type": "date"}))
    last = forms.DateField(label=_("To day"), required=False, widget=forms.DateInput(attrs={"type": "date"}))
    modality = forms.CharField(label=_("Modality"), required=False, max_length=16, initial="CT")
    description = forms.CharField(label=_("Words of the description"), required=False, max_length=64)

    def __init__(self, *args: Any, archives: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["archive"].queryset = archives  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or {}
        if not any(values.get(name) for name in ("hospital_id", "first", "last", "description")):
            raise ValidationError(_("Say a patient ID, a day or a word of the description: the archive is large."))
        if values.get("first") and values.get("last") and values["first"] > values["last"]:
            raise ValidationError(_("The first day is after the last one."))
        return values

    def filters(self) -> dict[str, str]:
        """Return the search as QIDO-RS takes it."""
        values = self.cleaned_data
        description = values["description"].strip("* ")
        found = {
            "PatientID": values["hospital_id"].strip(),
            "StudyDate": date_range(values["first"], values["last"]),
            "ModalitiesInStudy": values["modality"].strip().upper(),
            "StudyDescription": f"*{description}*" if description else "",
        }
        return {name: value for name, value in found.items() if value}
