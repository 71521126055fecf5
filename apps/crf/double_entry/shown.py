"""Both entries of a form as the page of the reconciliation shows them."""

from collections.abc import Mapping

from apps.crf.double_entry.comparing import compare, differing, same
from apps.crf.double_entry.forms import Row
from apps.crf.double_entry.models import SecondEntry
from apps.crf.double_entry.reconciling import Choice
from apps.crf.missing import from_data
from apps.crf.selectors import last_changes


def rows_of(
    entry: SecondEntry, choices: Mapping[str, Choice] | None = None, errors: Mapping[str, str] | None = None
) -> list[Row]:
    """Return what differs, and what agrees without being written the same way."""
    changes = last_changes(entry.form)
    rows = []
    for compared in compare(entry, entry.form):
        name = compared.variable.name
        if same(compared.first, compared.second) and compared.first == compared.second:
            continue
        at, by = changes.get(name, (None, ""))
        choice = (choices or {}).get(name, Choice(""))
        before = from_data(entry.first[name][0]) if name in entry.first else None
        rows.append(
            Row(
                compared, by, at, choice.kept, choice.raw, (errors or {}).get(name, ""),
                not same(before, compared.first),
            )
        )  # fmt: skip
    return rows


def agreeing(entry: SecondEntry) -> int:
    """Return in how many variables both agree."""
    rows = compare(entry, entry.form)
    return len(rows) - len(differing(rows))
