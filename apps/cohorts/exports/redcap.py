"""A REDCap data import file that fits the data dictionary of apps.crf.redcap: a row a record, event and repeat."""

import csv
from collections.abc import Iterator
from io import StringIO

from apps.cohorts.exports.columns import coded
from apps.cohorts.exports.entries import Entry, Subject
from apps.core.spreadsheet import safe_cell
from apps.crf.conditions import Value
from apps.crf.dictionary import Variable, VariableType, load_dictionary
from apps.crf.places import MAIN_PLACE, Place
from apps.crf.redcap.data import EVENT, INSTANCE, MISSING, REPEAT, event_of, instrument_of
from apps.crf.redcap.writing import record_name


def redcap_head() -> str:
    """Return the first line; no byte order mark, which would become a part of the record's field."""
    return _lines([[record_name(load_dictionary()), EVENT, REPEAT, INSTANCE, *load_dictionary().all_variables]])


def redcap_rows(subject: Subject) -> str:
    """Return the lines of one record; a patient of whom nothing was entered is a record all the same."""
    rows: dict[tuple[str, str, int | str], dict[str, str]] = {_key(MAIN_PLACE): {}}
    for entry in subject.entries:
        rows.setdefault(_key(entry.place), {}).update(_cells(entry))
    names = load_dictionary().all_variables
    return _lines([[subject.study_id, *key, *(cells.get(name, "") for name in names)] for key, cells in rows.items()])


def _key(place: Place) -> tuple[str, str, int | str]:
    """Forms that do not repeat share the row of their event; each of one that repeats has its own."""
    event = event_of(place.visit)
    form = load_dictionary().further.get(place.form)
    if form is None or not form.repeats:
        return event, "", ""
    return event, instrument_of(form.name), place.instance


def _cells(entry: Entry) -> dict[str, str]:
    variables = load_dictionary().questions(entry.place.form).variables
    cells = {name: _cell(variables[name], value) for name, value in entry.values.items()}
    return cells | {name: MISSING[code] for name, code in entry.missing.items()}


def _cell(variable: Variable, value: Value) -> str:
    text = str(coded(value))
    return safe_cell(text) if variable.type is VariableType.TEXT else text


def _lines(rows: list[list[str | int]]) -> str:
    text = StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue()


def redcap_csv(found: Iterator[Subject]) -> Iterator[bytes]:
    """Yield the file piece by piece."""
    yield redcap_head().encode()
    for subject in found:
        yield redcap_rows(subject).encode()
