"""The files of an export. Each holds all patients and all columns, in the form that its program reads best.

Nothing is a formula: a spreadsheet takes what begins with one of a few signs for one, and runs it.
"""

import csv
import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any

import pandas as pd
import pyreadstat
from django.utils.translation import gettext as _
from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.styles import Font
from openpyxl.worksheet._write_only import WriteOnlyWorksheet

from apps.cohorts.exports.columns import Column, Kind, coded, yes_no
from apps.cohorts.table import Row
from apps.core.spreadsheet import safe_cell

Columns = Sequence[Column]
Rows = Sequence[Row]

_NUMERIC = {Kind.WHOLE, Kind.DECIMAL, Kind.YES_NO}
_MEASURES = {Kind.WHOLE: "scale", Kind.DECIMAL: "scale", Kind.DATE: "scale"}


def as_csv(columns: Columns, rows: Rows) -> bytes:
    """Return codes with a head of variable names; UTF-8 with a byte order mark, without which Excel breaks Chinese."""
    return _csv([column.name for column in columns], ([_cell(row[column.key]) for column in columns] for row in rows))


def codebook_csv(tables: Mapping[str, Columns]) -> bytes:
    """Return what each column of each file means."""
    head = ["file", "variable", "label", "unit", "type", "codes"]
    lines = (
        [name, column.name, column.label, column.unit, column.kind, _codes(column)]
        for name, columns in tables.items()
        for column in columns
    )
    return _csv(head, lines)


def _csv(head: list[str], lines: Any) -> bytes:
    text = StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(head)
    writer.writerows([safe_cell(cell) if isinstance(cell, str) else cell for cell in line] for line in lines)
    return text.getvalue().encode("utf-8-sig")


def _cell(value: Any) -> Any:
    value = coded(value)
    return "" if value is None else value


def _codes(column: Column) -> str:
    pairs = yes_no() if column.kind is Kind.YES_NO else column.codes
    return " | ".join(f"{code}, {label}" for code, label in pairs)


def as_xlsx(columns: Columns, rows: Rows) -> bytes:
    """Return a workbook with the data (dates are dates) and the codebook."""
    book = Workbook(write_only=True)
    data, legend = book.create_sheet("data"), book.create_sheet("codebook")
    data.freeze_panes = "C2"
    data.append([_bold(data, column.name) for column in columns])
    for row in rows:
        data.append([_typed(data, column, row[column.key]) for column in columns])
    legend.append([_bold(legend, name) for name in ("variable", "label", "unit", "type", "codes")])
    for column in columns:
        texts = (column.name, column.label, column.unit, column.kind.value, _codes(column))
        legend.append([_text(legend, text) for text in texts])
    buffer = BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def _typed(sheet: WriteOnlyWorksheet, column: Column, value: Any) -> Any:
    if value is None or value == "":
        return None
    if column.kind is Kind.DATE:
        return date.fromisoformat(value)
    return _text(sheet, value) if isinstance(value, str) else coded(value)


def _text(sheet: WriteOnlyWorksheet, text: str) -> WriteOnlyCell:
    cell = WriteOnlyCell(sheet, text)
    cell.data_type = "s"  # else what begins with = is written as a formula
    return cell


def _bold(sheet: WriteOnlyWorksheet, text: str) -> WriteOnlyCell:
    cell = _text(sheet, text)
    cell.font = Font(bold=True)
    return cell


def as_sav(columns: Columns, rows: Rows) -> bytes:
    """Return an SPSS file with labels of variables and values, in UTF-8."""
    frame = pd.DataFrame({column.name: _series(column, [row[column.key] for row in rows]) for column in columns})
    labels: dict[str, dict[Any, str]] = {
        column.name: dict(yes_no() if column.kind is Kind.YES_NO else column.codes)
        for column in columns
        if _is_labelled(column)
    }
    with tempfile.TemporaryDirectory(prefix="ichor-export-") as folder:
        path = Path(folder) / "data.sav"
        pyreadstat.write_sav(
            frame, path, file_label=_("Case report form")[:60],
            column_labels={column.name: column.title for column in columns},
            variable_value_labels=labels,
            variable_measure={column.name: _MEASURES.get(column.kind, "nominal") for column in columns},
            variable_format={column.name: f"F8.{column.decimals}" for column in columns if _is_number(column)},
        )  # fmt: skip
        return path.read_bytes()


def _is_labelled(column: Column) -> bool:
    """Say whether a whole value has a label; a text may name codes without being one."""
    return column.kind is Kind.YES_NO or (column.kind is Kind.CODE and bool(column.codes))


def _is_number(column: Column) -> bool:
    return column.kind in _NUMERIC or (
        _is_labelled(column) and all(isinstance(code, int) for code, _label in column.codes)
    )


def _series(column: Column, values: list[Any]) -> "pd.Series[Any]":
    if _is_number(column):
        return pd.Series([None if value is None else float(value) for value in values], dtype="float64")
    if column.kind is Kind.DATE:
        return pd.Series([None if value is None else date.fromisoformat(value) for value in values], dtype="object")
    return pd.Series(["" if value is None else str(value) for value in values], dtype="object")


def as_json(columns: Columns, rows: Rows) -> bytes:
    """Return a list of patients with typed values; a blank is null."""
    found = [{column.name: row[column.key] for column in columns} for row in rows]
    return json.dumps(found, ensure_ascii=False, indent=1, allow_nan=False).encode()


# By the ending of the file's name.
FILES: dict[str, Callable[[Columns, Rows], bytes]] = {
    ".csv": as_csv,
    ".xlsx": as_xlsx,
    ".sav": as_sav,
    ".json": as_json,
}
