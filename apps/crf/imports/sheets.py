"""A file as a table of cells, whatever program wrote it."""

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from django.utils.translation import gettext as _

from apps.core.errors import Refusal

STUDY_ID = "study_id"
# Either of these in the first row makes a table one to import; the second is of REDCap.
TABLE_MARKS = {STUDY_ID, "redcap_event_name"}
MOST_ROWS = 20_000
MOST_BYTES = 20 * 1024**2
_DELIMITERS = ",;\t"
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_ZIP, _OLD_EXCEL = b"PK\x03\x04", b"\xd0\xcf\x11\xe0"


@dataclass(frozen=True)
class Formula:
    """A cell that is computed, or that shows an error instead of a value."""

    text: str

    def __str__(self) -> str:
        return self.text


@dataclass
class Sheet:
    """The head and the rows below it, each with its number as a spreadsheet shows it."""

    head: list[str]
    rows: Iterable[tuple[int, list[object]]]
    # Of Excel: which sheet was taken.
    title: str = ""
    # (row, column, range) of merged cells.
    merged: list[tuple[int, int, str]] = field(default_factory=list)


class RowError(ValueError):
    """A row that can't be placed: what is wrong, and in which column."""

    def __init__(self, column: str, sentence: str) -> None:
        super().__init__(sentence)
        self.column, self.sentence = column, sentence


def refusal(code: str, sentence: str) -> Refusal:
    return Refusal(f"import_{code}", sentence)


def read_sheet(content: bytes, encoding: str) -> Sheet:
    """Return the table in a file; Refusal where there is none."""
    if content.startswith(_ZIP):
        from apps.crf.imports.workbook import read_workbook

        return read_workbook(content)
    if content.startswith(_OLD_EXCEL):
        raise refusal(
            "old_excel", _("This is a file of an old Excel, or one with a password. Save it as .xlsx or CSV.")
        )
    return _read_csv(_decode(content, encoding))


def _decode(content: bytes, encoding: str) -> str:
    known = "utf-16" if content.startswith(_UTF16) else "utf-8-sig" if encoding == "utf-8" else encoding
    try:
        return content.decode(known)
    except UnicodeDecodeError as error:
        raise refusal(
            "encoding",
            _(
                "The file is not UTF-8, or not in the encoding that was chosen. Save it as “CSV UTF-8”; if it comes "
                "from a Chinese Excel, choose GB18030."
            ),
        ) from error


def _read_csv(text: str) -> Sheet:
    if not text.strip():
        raise refusal("empty", _("The file is empty. Choose the file with the table."))
    for delimiter in _DELIMITERS:
        rows = _rows(text, delimiter)
        head = [str(cell).strip() for cell in next(rows, (0, []))[1]]
        if not TABLE_MARKS.isdisjoint(name.lower() for name in head):
            return Sheet(head, rows)
    raise refusal(
        "no_study_id",
        _(
            "The first row has no column “study_id”. Name the column of the study IDs so, and separate the columns by "
            "commas, semicolons or tabs."
        ),
    )


def _rows(text: str, delimiter: str) -> Iterator[tuple[int, list[object]]]:
    # A quotation mark in the wrong place shifts every cell after it: strict.
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    number = 0
    while True:
        try:
            # As long as the file may be: a cell that is too long is the cell's fault, not the file's.
            usual = csv.field_size_limit(MOST_BYTES)
            try:
                cells = next(reader, None)
            finally:
                csv.field_size_limit(usual)
        except csv.Error as error:
            raise refusal(
                "quotes",
                _("Row %(n)d is no proper CSV: a quotation mark is missing or stands in the wrong place. Correct it.")
                % {"n": number + 1},
            ) from error
        if cells is None:
            return
        number += 1
        yield number, list(cells)
