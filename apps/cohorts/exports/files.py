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
import xlsxwriter
from django.utils.translation import gettext as _
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

from apps.cohorts.exports.columns import Column, Kind, coded, yes_no
from apps.cohorts.table import Row
from apps.core.spreadsheet import safe_cell

Columns = Sequence[Column]
Rows = Sequence[Row]

_NUMERIC = {Kind.WHOLE, Kind.DECIMAL, Kind.YES_NO}
# Of a column in Excel, in characters; its own default hides the end of many names.
_WIDTH = 14
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
    buffer = BytesIO()
    with xlsxwriter.Workbook(buffer, {"constant_memory": True}) as book:
        bold, day = book.add_format({"bold": True}), book.add_format({"num_format": "yyyy-mm-dd"})
        data = book.add_worksheet("data")
        data.freeze_panes(1, 2)
        data.set_column(0, len(columns) - 1, _WIDTH)
        _write_texts(data, 0, [column.name for column in columns], bold)
        for number, row in enumerate(rows, start=1):
            for place, column in enumerate(columns):
                _write(data, number, place, column, row[column.key], day)
        legend = book.add_worksheet("codebook")
        _write_texts(legend, 0, ["variable", "label", "unit", "type", "codes"], bold)
        for number, column in enumerate(columns, start=1):
            texts = [column.name, column.label, column.unit, column.kind.value, _codes(column)]
            _write_texts(legend, number, texts)
    return buffer.getvalue()


def _write(sheet: Worksheet, row: int, place: int, column: Column, value: Any, day: Format) -> None:
    if value is None or value == "":
        return
    if column.kind is Kind.DATE:
        sheet.write_datetime(row, place, date.fromisoformat(value), day)
    elif isinstance(value, str):
        _write_text(sheet, row, place, value)
    else:
        sheet.write_number(row, place, coded(value))


def _write_texts(sheet: Worksheet, row: int, texts: Sequence[str], style: Format | None = None) -> None:
    for place, text in enumerate(texts):
        _write_text(sheet, row, place, text, style)


def _write_text(sheet: Worksheet, row: int, place: int, text: str, style: Format | None = None) -> None:
    # `write` would take what begins with = for a formula.
    if sheet.write_string(row, place, text, style):
        raise ValueError("A text is longer than a cell of a workbook can hold.")


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
