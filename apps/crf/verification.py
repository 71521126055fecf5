"""What `manage.py verify_audit` asks of the forms: that their current values are what the history gives."""

from collections.abc import Iterator
from itertools import groupby

from apps.audit.verification import Fault, checks, vouched_models
from apps.crf.conditions import Value
from apps.crf.missing import Answer, answer_of
from apps.crf.models import CrfForm, CrfValue, QueryMessage
from apps.crf.rules import replay


def register_verification() -> None:
    """Let no value that was ever entered, no step of a query and no form, differ from the trail unseen."""
    vouched_models.extend([CrfValue._meta.label_lower, QueryMessage._meta.label_lower])
    checks.append(forms_differing_from_history)


def forms_differing_from_history() -> Iterator[Fault]:
    """Yield the forms whose current values or version are not those that their events leave."""
    events = CrfValue.objects.order_by("form_id", "form_version", "pk")
    rows = events.values_list("form_id", "variable", "value", "missing", "form_version").iterator()
    histories = ((form_id, list(group)) for form_id, group in groupby(rows, key=lambda row: row[0]))
    current = next(histories, None)
    for form in CrfForm.objects.order_by("pk").iterator():
        history = []
        if current is not None and current[0] == form.pk:
            history, current = current[1], next(histories, None)
        version = history[-1][4] if history else 0
        if _replayed(history) != form.answers or version != form.version:
            yield Fault(f"row {form.pk} of {form._meta.db_table}", "its values are not those that its history gives.")


def _replayed(history: list[tuple[int, str, Value, str, int]]) -> dict[str, Answer]:
    return replay((variable, answer_of(value, reason)) for _, variable, value, reason, _ in history)
