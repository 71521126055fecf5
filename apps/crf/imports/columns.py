"""The first row of a file: what each column holds, and whose file it is."""

import difflib
from collections.abc import Collection
from dataclasses import dataclass

from django.utils.translation import gettext as _

from apps.crf.dictionary import load_dictionary
from apps.crf.imports.reports import Report
from apps.crf.imports.sheets import STUDY_ID, refusal
from apps.crf.missing import REASONS_COLUMN
from apps.crf.redcap.data import EVENT, INSTANCE, REPEAT
from apps.crf.redcap.writing import form_names, record_name

FORM, VISIT, WHICH = "form", "visit", "instance"
KEYS = (STUDY_ID, FORM, VISIT, WHICH)
# Every table of an export has it, and no other file.
_OF_EXPORTS = "form_version"
_COMPUTED = {"center", "hematoma_volume_ml", "poor_outcome", "left_out", _OF_EXPORTS}


@dataclass(frozen=True)
class Head:
    """`names` are those of the columns, "" of one that is not read; `record` is what the file calls the study ID."""

    names: list[str]
    record: str
    is_redcap: bool
    # Its dates may be those that an export has moved: to be said by who sends it.
    has_doubtful_dates: bool

    @property
    def told(self) -> dict[str, str]:
        """Return what the file calls our own keys."""
        return {STUDY_ID: self.record, FORM: REPEAT, VISIT: EVENT, WHICH: INSTANCE} if self.is_redcap else {}


def read_head(head: list[str], report: Report) -> Head:
    """Return what the columns hold; a name that is none of theirs is in the report."""
    typed = [name.lower() for name in head]
    is_redcap, is_export = EVENT in typed, _OF_EXPORTS in typed
    record = _record(typed) if is_redcap else STUDY_ID
    keys = (record, EVENT, REPEAT, INSTANCE) if is_redcap else (*KEYS, REASONS_COLUMN)
    known = (*keys, *load_dictionary().all_variables)
    unread = _of_redcap() if is_redcap else _computed(typed) if is_export else set[str]()
    names = _names(head, known, unread - set(known), report)
    return Head([STUDY_ID if name == record else name for name in names], record, is_redcap, is_redcap or is_export)


def _record(typed: list[str]) -> str:
    for name in (record_name(load_dictionary()), STUDY_ID):
        if name in typed:
            return name
    raise refusal(
        "no_study_id", _("The file of REDCap has no column “record_id”, which holds the study IDs. Export it with it.")
    )


def _of_redcap() -> set[str]:
    """Return what REDCap writes of itself."""
    forms = set(form_names(load_dictionary()).values())
    return {"redcap_data_access_group", "redcap_survey_identifier"} | {f"{form}_complete" for form in forms}


def _computed(typed: list[str]) -> set[str]:
    return _COMPUTED | {name for name in typed if name.startswith("score_")}


def _names(head: list[str], known: tuple[str, ...], unread: Collection[str], report: Report) -> list[str]:
    names: list[str] = []
    for typed in head:
        name = typed.lower()
        if name and name not in known and name not in unread:
            report.fault(1, typed, typed, _unknown(name, known))
        elif name and name in names:
            report.fault(1, typed, typed, _("The column is there twice. Delete one of the two."))
        names.append(name if name in known and name not in names else "")
    return names


def _unknown(name: str, known: tuple[str, ...]) -> str:
    near = difflib.get_close_matches(name[:60], known, 1)
    if near:
        return _("No variable has this name; the nearest is “%(name)s”. Correct it, or delete the column.") % {
            "name": near[0]
        }
    return _("No variable has this name. Correct it, or delete the column.")
