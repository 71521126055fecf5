"""Comparing a second entry with its form as it is now."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from django.utils import timezone

from apps.accounts.models import User
from apps.audit.services import record
from apps.crf.dictionary import Variable
from apps.crf.double_entry.asked import compared_variables
from apps.crf.double_entry.models import SecondEntry
from apps.crf.missing import Answer
from apps.crf.models import CrfForm
from apps.crf.selectors import questions_of


class Verdict(StrEnum):
    EQUAL = "equal"
    DIFFERENT = "different"
    # One of the two left it blank.
    ONE = "only_one"


@dataclass(frozen=True)
class Compared:
    """One variable with both answers."""

    variable: Variable
    first: Answer
    second: Answer

    @property
    def verdict(self) -> Verdict:
        if same(self.first, self.second):
            return Verdict.EQUAL
        return Verdict.ONE if self.first is None or self.second is None else Verdict.DIFFERENT


def same(first: Answer, second: Answer) -> bool:
    """Say whether two answers mean the same: numbers as numbers, texts without regard to case and white space."""
    if isinstance(first, str) and isinstance(second, str):
        return _plain(first) == _plain(second)
    # True equals 1 in Python, and a yes is no number.
    return isinstance(first, bool) == isinstance(second, bool) and first == second


def _plain(text: str) -> str:
    return " ".join(text.split()).casefold()


def compare(entry: SecondEntry, form: CrfForm) -> list[Compared]:
    """Return every variable that at least one of the two has answered, in the order of the form."""
    questions = questions_of(form.place)
    first, second = form.answers, entry.answers
    return [
        Compared(questions.variables[name], first.get(name), second.get(name))
        for name in compared_variables(questions, entry.variables)
        if first.get(name) is not None or second.get(name) is not None
    ]


def differing(rows: Iterable[Compared]) -> list[Compared]:
    return [row for row in rows if row.verdict is not Verdict.EQUAL]


def compare_again(*, actor: User, form: CrfForm) -> None:
    """Count the differences anew after a save of the form, whose row the caller has locked."""
    entry = SecondEntry.objects.filter(form=form, state=SecondEntry.State.SUBMITTED).first()
    if entry is None:
        return
    before, entry.differences = entry.differences, len(differing(compare(entry, form)))
    if entry.differences == before:
        return
    if entry.differences == 0:
        entry.state, entry.reconciled_at = SecondEntry.State.RECONCILED, timezone.now()
    entry.save(update_fields=["differences", "state", "reconciled_at"])
    record(
        actor=actor, action="compare_again", target=entry, center=form.patient.center,
        changes={"differences": [before, entry.differences]},
    )  # fmt: skip
