"""The CSV file itself: its 18 columns, its encoding, and its rows."""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from django.utils.translation import gettext as _

from apps.core.errors import Refusal
from apps.crf.redcap.findings import RedcapRefusal, Report


class Column(StrEnum):
    """The heads of a REDCap data dictionary, in their order."""

    NAME = "Variable / Field Name"
    FORM = "Form Name"
    HEADER = "Section Header"
    TYPE = "Field Type"
    LABEL = "Field Label"
    CHOICES = "Choices, Calculations, OR Slider Labels"
    NOTE = "Field Note"
    VALIDATION = "Text Validation Type OR Show Slider Number"
    MIN = "Text Validation Min"
    MAX = "Text Validation Max"
    IDENTIFIER = "Identifier?"
    LOGIC = "Branching Logic (Show field only if...)"
    REQUIRED = "Required Field?"
    ALIGNMENT = "Custom Alignment"
    NUMBER = "Question Number (surveys only)"
    MATRIX = "Matrix Group Name"
    RANKING = "Matrix Ranking?"
    ANNOTATION = "Field Annotation"


# The same columns as REDCap's API (and with it PyCap and REDCapR) heads them.
_API_HEADS = (
    "field_name", "form_name", "section_header", "field_type", "field_label", "select_choices_or_calculations",
    "field_note", "text_validation_type_or_show_slider_number", "text_validation_min", "text_validation_max",
    "identifier", "branching_logic", "required_field", "custom_alignment", "question_number", "matrix_group_name",
    "matrix_ranking", "field_annotation",
)  # fmt: skip
_HEADS = {column.value: column for column in Column} | dict(zip(_API_HEADS, Column, strict=True))
_NEEDED = (Column.NAME, Column.FORM, Column.TYPE, Column.LABEL)
# As a spreadsheet of a country with a decimal comma saves it.
_SEMICOLONS = re.compile(r"\"?(?:Variable / Field Name|field_name)\"?[ \t]*;")
_LONGEST_CELL = csv.field_size_limit()
# Of a file that is no data dictionary at all, the first faults say enough.
_MOST_ROWS = 20_000
_BREAKS = frozenset("\t\n\r")
SPACE = " \t\r\n"


@dataclass(frozen=True)
class Row:
    """One row; `number` counts as a spreadsheet does, the header being row 1."""

    number: int
    cells: Mapping[Column, str]

    @property
    def name(self) -> str:
        return self[Column.NAME]

    def __getitem__(self, column: Column) -> str:
        """Return what the cell holds, without white space around it."""
        return self.cells.get(column, "").strip(SPACE)


def decode(data: bytes) -> str:
    """Return a file's text; Refusal unless it is UTF-8, with a byte order mark or without."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Refusal(
            "redcap_encoding",
            _("The file is not UTF-8. Save it as “CSV UTF-8”, or download it from REDCap anew."),
        ) from error


def read_rows(text: str, report: Report) -> list[Row]:
    """Return the rows of the file; RedcapRefusal where they can't be told apart."""
    text = text.removeprefix("\ufeff")
    if _SEMICOLONS.match(text):
        report.fault(_("The cells are separated by semicolons. Save the file as CSV with commas."), 1)
        raise RedcapRefusal(report.faults)
    # Not strict about line ends, strict about quotes: a quote in the wrong place shifts every cell after it.
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows: list[Row] = []
    number = 0
    try:
        columns = _columns(next(reader, []), report)
        for number, cells in enumerate(reader, start=2):
            if number > _MOST_ROWS:
                report.fault(_("The file has more than %(n)d rows. Split it.") % {"n": _MOST_ROWS})
                break
            if any(cell.strip(SPACE) for cell in cells):
                rows.append(_row(number, cells, columns, report))
    except csv.Error as error:
        report.fault(_csv_fault(error), number + 1)
        raise RedcapRefusal(report.faults) from error
    return rows


def _columns(heads: list[str], report: Report) -> list[Column]:
    names = [" ".join(head.split()) for head in heads]
    for name in names:
        if name not in _HEADS:
            report.fault(_("No column of a REDCap data dictionary is called “%(name)s”.") % {"name": name[:80]}, 1)
    columns = [_HEADS[name] for name in names if name in _HEADS]
    for column in Column:
        if columns.count(column) > 1:
            report.fault(_("The column “%(name)s” is there twice.") % {"name": column}, 1)
        elif column in _NEEDED and column not in columns:
            report.fault(_("The column “%(name)s” is missing.") % {"name": column}, 1)
    if report.faults:
        raise RedcapRefusal(report.faults)
    return columns


def _row(number: int, cells: list[str], columns: list[Column], report: Report) -> Row:
    row = Row(number, dict(zip(columns, cells, strict=False)))
    if len(cells) != len(columns):
        report.fault(
            _("The row has %(n)d cells instead of %(m)d. A comma or a quotation mark may be missing.")
            % {"n": len(cells), "m": len(columns)},
            number,
            row.name[:80],
        )
    for column, cell in row.cells.items():
        if any(unicodedata.category(sign) in {"Cc", "Cs"} and sign not in _BREAKS for sign in cell):
            report.fault(
                _("The cell “%(name)s” holds a character that can't be seen. Delete it and type it again.")
                % {"name": column},
                number,
                row.name[:80],
            )
    return row


def _csv_fault(error: csv.Error) -> str:
    if "field larger" in str(error):
        return _("A cell has more than %(n)d characters. Shorten it.") % {"n": _LONGEST_CELL}
    return _("The row is no proper CSV: a quotation mark is missing or stands in the wrong place.")


def write_rows(rows: Iterable[Mapping[Column, str]]) -> str:
    """Return the file's text."""
    file = io.StringIO(newline="")
    # Cells with an inner line break are quoted, so both kinds of line end are safe; REDCap itself writes this one.
    writer = csv.DictWriter(file, [column.value for column in Column], restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows({column.value: cell for column, cell in row.items()} for row in rows)
    return file.getvalue()
