"""What the platform itself reads of the forms by name; a version without it would silently switch that off."""

from collections.abc import Iterator

from django.utils.translation import gettext as _

from apps.crf.dictionary import Dictionary, VariableType

_NUMBERS = (VariableType.INTEGER, VariableType.DECIMAL)


def lacking(dictionary: Dictionary) -> Iterator[str]:
    """Yield a sentence for each thing that is missing."""
    known = dictionary.variables
    age, sex, admission = known.get("age"), known.get("sex"), known.get("admission_date")
    if age is None or age.type not in _NUMBERS:
        yield _("The platform compares “age” with the CT: keep it as a number on the main form.")
    if sex is None or not {"male", "female"} <= {choice.value for choice in sex.choices}:
        yield _("The platform compares “sex” with the CT: keep it with the answers male and female.")
    if admission is None or admission.type is not VariableType.DATE:
        yield _("Visits are counted from “admission_date”: keep it as a date on the main form.")
