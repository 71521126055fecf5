"""The form that asks for an export."""

from typing import Any, cast

from django import forms
from django.utils.translation import gettext_lazy as _

from apps.accounts.access import Actor, centers_with
from apps.accounts.policy import Permission
from apps.cohorts.exports.services import MIN_PURPOSE


class ExportForm(forms.Form):
    centers = forms.MultipleChoiceField(label=_("Centers"), widget=forms.CheckboxSelectMultiple)
    purpose = forms.CharField(
        label=_("Purpose"),
        min_length=MIN_PURPOSE,
        max_length=300,
        help_text=_("What the data are for. Stands in the audit trail and in the export."),
    )

    def __init__(self, *arguments: Any, actor: Actor, **options: Any) -> None:
        super().__init__(*arguments, **options)
        centers = centers_with(actor, Permission.EXPORT_DATA).order_by("code")
        field = cast(forms.MultipleChoiceField, self.fields["centers"])
        field.choices = [(center.code, f"{center.code} · {center.name}") for center in centers]
        field.initial = [center.code for center in centers]
