"""What is found while a REDCap file is read: faults, which refuse it, and notes on what comes over otherwise or not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from apps.core.errors import Refusal


@dataclass(frozen=True)
class Finding:
    """One sentence about a row (the header is row 1) or, without a row, about the whole file."""

    sentence: str
    row: int | None = None
    field: str = ""

    def __str__(self) -> str:
        if self.row is None:
            return self.sentence
        if not self.field:
            return _("Row %(row)d: %(sentence)s") % {"row": self.row, "sentence": self.sentence}
        return _("Row %(row)d, %(field)s: %(sentence)s") % {
            "row": self.row, "field": self.field, "sentence": self.sentence,
        }  # fmt: skip


class RedcapRefusal(Refusal):
    """The file can't become a dictionary; `faults` are all that were found, in the order of its rows."""

    def __init__(self, faults: Sequence[Finding]) -> None:
        self.faults = tuple(faults)
        sentence = str(self.faults[0])
        if len(self.faults) > 1:
            more = ngettext("%(n)d further fault.", "%(n)d further faults.", len(self.faults) - 1)
            sentence = f"{sentence} {more % {'n': len(self.faults) - 1}}"
        super().__init__("redcap_dictionary", sentence)


@dataclass
class Report:
    """Collects what is found."""

    faults: list[Finding] = field(default_factory=list)
    notes: list[Finding] = field(default_factory=list)

    def fault(self, sentence: str, row: int | None = None, field: str = "") -> None:
        self.faults.append(Finding(sentence, row, field))

    def note(self, sentence: str, row: int | None = None, field: str = "") -> None:
        self.notes.append(Finding(sentence, row, field))
