"""The form that asks for a file, which the page and the API read alike."""

from typing import Any, cast

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import User
from apps.crf.imports.models import Dates, Encoding, Import
from apps.crf.imports.services import start_import


class ImportForm(forms.Form):
    file = forms.FileField(
        label=_("File"),
        help_text=_(
            "CSV or Excel (.xlsx). The first row names the columns: study_id, variables of the codebook, and "
            "missing_reasons. Files of an export, and CSV data of REDCap, are read too."
        ),
        widget=forms.ClearableFileInput(attrs={"accept": ".csv,.txt,.tsv,.xlsx"}),
        allow_empty_file=True,
    )
    dates = forms.ChoiceField(
        label=_("Dates in the file"), choices=Dates.choices, initial=Dates.ISO, required=False,
        help_text=_(
            "Year first is always understood; the order of day and month is never guessed. Exports move all dates: of "
            "such a file, or one of REDCap, say here whether its dates are true."
        ),
    )  # fmt: skip
    encoding = forms.ChoiceField(
        label=_("Characters of a CSV file"), choices=Encoding.choices, initial=Encoding.UTF8, required=False
    )

    def start(self, actor: User, **options: Any) -> Import:
        """Start the import of the file; its name is not kept."""
        file = cast("UploadedFile[bytes]", self.cleaned_data["file"])
        return start_import(
            actor=actor, content=file.read(), dates=self.cleaned_data["dates"] or Dates.ISO,
            encoding=self.cleaned_data["encoding"] or Encoding.UTF8, **options,
        )  # fmt: skip
