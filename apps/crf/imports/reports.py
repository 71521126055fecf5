"""What a check of a file found, as it is kept, shown and downloaded."""

import csv
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from io import StringIO
from typing import Any

from django.utils.translation import gettext as _

from apps.core.spreadsheet import safe_cell

LONGEST_SHOWN = 40
# A report of more helps nobody; how many there are in all is counted.
MOST_KEPT = 5000


@dataclass(frozen=True)
class Finding:
    """One cell and what is wrong with it; row 0 is the file as a whole."""

    row: int
    column: str
    value: str
    sentence: str


@dataclass
class Report:
    rows: int = 0
    patients: int = 0
    new: int = 0
    changed: int = 0
    unchanged: int = 0
    # Cleared because they no longer apply with what the file says.
    cleared: int = 0
    blank: int = 0
    refused: int = 0
    to_check: int = 0
    needs_reason: bool = False
    # Of every value that would be written: whether a later check means the same.
    digest: str = ""
    # An import found the forms no longer as the check had seen them, and wrote nothing.
    moved: bool = False
    sheet: str = ""
    faults: list[Finding] = field(default_factory=list)
    warnings: list[Finding] = field(default_factory=list)

    def fault(self, row: int, column: str, value: object, sentence: str) -> None:
        self.refused += 1
        self._keep(self.faults, Finding(row, shown(column), shown(value), sentence))

    def warn(self, row: int, column: str, value: object, sentence: str) -> None:
        self.to_check += 1
        self._keep(self.warnings, Finding(row, shown(column), shown(value), sentence))

    def _keep(self, among: list[Finding], finding: Finding) -> None:
        if len(among) < MOST_KEPT:
            among.append(finding)

    def rename(self, columns: Mapping[str, str]) -> None:
        """Call columns what the file calls them."""
        for found in (self.faults, self.warnings):
            found[:] = [replace(each, column=columns.get(each.column, each.column)) for each in found]

    @property
    def writes(self) -> int:
        return self.new + self.changed + self.cleared

    def as_data(self) -> dict[str, Any]:
        self.faults.sort(key=lambda finding: finding.row)
        self.warnings.sort(key=lambda finding: finding.row)
        return asdict(self)


def shown(value: object) -> str:
    """Return what was typed, short and without what can't be seen or turns a line around."""
    text = str(value)
    short = text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}…"
    return "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in short)


def report_csv(data: Mapping[str, Any]) -> bytes:
    """Return the report as a table; a spreadsheet computes nothing of it."""
    text = StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow([_("Row"), _("Column"), _("Value"), _("Refused or to check"), _("What is wrong, and what to do")])
    for kind, findings in ((_("refused"), data.get("faults", [])), (_("to check"), data.get("warnings", []))):
        for found in findings:
            cells = [found["column"], found["value"], kind, found["sentence"]]
            writer.writerow([found["row"] or "", *map(safe_cell, cells)])
    return text.getvalue().encode("utf-8-sig")
