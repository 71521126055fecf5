"""Dates that an export has moved: moved back where the person says so, and refused where they would go in as true."""

from dataclasses import replace
from datetime import date

from apps.crf.conditions import Value
from apps.crf.dictionary import VariableType, load_dictionary
from apps.crf.imports.rows import Wanted
from apps.crf.missing import Answers
from apps.patients.dates import move_back, move_date


def with_true_dates(wanted: Wanted) -> Wanted:
    """Return what the row says with its dates moved back: of a patient whom the actor may see alone."""
    return replace(wanted, values={name: _back(name, value, wanted.study_id) for name, value in wanted.values.items()})


def _back(name: str, value: Value, study_id: str) -> Value:
    if not _is_date(name) or not isinstance(value, str):
        return value
    try:
        return move_back(date.fromisoformat(value), study_id).isoformat()
    except OverflowError:  # a day of the year 9999, which is out of every range as it is
        return value


def moved_again(wanted: Wanted, before: Answers) -> list[str]:
    """Return the variables whose saved date stands in the file as exports move it."""
    return [name for name, value in wanted.values.items() if value == _moved(name, before, wanted.study_id)]


def _moved(name: str, before: Answers, study_id: str) -> str | None:
    saved = before.get(name)
    if not _is_date(name) or not isinstance(saved, str):
        return None
    return move_date(date.fromisoformat(saved), study_id).isoformat()


def _is_date(name: str) -> bool:
    return load_dictionary().all_variables[name].type is VariableType.DATE
