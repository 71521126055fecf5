"""The first sheet of an Excel file that has a column study_id."""

import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import Any

from django.utils.translation import gettext as _
from openpyxl import load_workbook
from openpyxl.utils.cell import range_boundaries

from apps.core.errors import Refusal
from apps.crf.imports.sheets import TABLE_MARKS, Formula, Sheet, refusal

# Unpacked. 20,000 rows of all variables take half of it.
_MOST_UNPACKED = 100 * 1024**2
_MOST_PARTS = 1000
_MOST_COLUMNS = 1000
_MERGED = re.compile(rb'<(?:\w+:)?mergeCell [^>]*?ref="([A-Z0-9:]{2,20})"')


@contextmanager
def _readable() -> Iterator[None]:
    """Refuse what the reader can't read: a file that was made to can fail anywhere in it."""
    try:
        yield
    except Refusal:
        raise
    except Exception as error:
        raise refusal("damaged", _("The Excel file can't be read. Open it in Excel and save it anew.")) from error


def read_workbook(content: bytes) -> Sheet:
    """Return the sheet; Refusal for a file that is none of Excel's, or unpacks to too much."""
    with _readable():
        _refuse_bomb(content)
        book = load_workbook(BytesIO(content), read_only=True, data_only=False)
        for sheet in book.worksheets:
            rows = _rows(sheet)
            head = [str("" if cell is None else cell).strip() for cell in next(rows, (0, []))[1]]
            if not TABLE_MARKS.isdisjoint(name.lower() for name in head):
                return Sheet(head, rows, sheet.title, _merged(content, sheet))
    raise refusal("no_study_id", _("No sheet has a column “study_id” in its first row. Name the column so."))


def _refuse_bomb(content: bytes) -> None:
    # What a part unpacks to is never more than is declared here: zipfile stops reading there.
    with zipfile.ZipFile(BytesIO(content)) as archive:
        parts = archive.infolist()
    if len(parts) > _MOST_PARTS or sum(part.file_size for part in parts) > _MOST_UNPACKED:
        raise refusal("too_large", _("The Excel file unpacks to more than is allowed. Save only the table, as CSV."))


def _rows(sheet: Any) -> Iterator[tuple[int, list[object]]]:
    # Read as they are asked for, so that a fault shows here too.
    with _readable():
        for number, cells in enumerate(sheet.iter_rows(max_col=_MOST_COLUMNS), start=1):
            yield number, [_value(cell) for cell in cells]


def _value(cell: Any) -> object:
    if cell.data_type in ("f", "e"):
        return Formula(str(cell.value))
    return cell.value


def _merged(content: bytes, sheet: Any) -> list[tuple[int, int, str]]:
    """Return (row, column, range) of merged cells, which the reader of single rows does not tell."""
    with zipfile.ZipFile(BytesIO(content)) as archive:
        found = _MERGED.findall(archive.read(sheet._worksheet_path))
    ranges = [each.decode() for each in found]
    corners = [range_boundaries(each) for each in ranges]
    return [(corner[1] or 1, corner[0] or 1, each) for corner, each in zip(corners, ranges, strict=True)]
