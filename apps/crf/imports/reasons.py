"""The cell of a row that says why values are missing, in the form that exports write it."""

import difflib
from collections.abc import Mapping

from django.utils.translation import gettext as _

from apps.crf.dictionary import Questions, load_dictionary
from apps.crf.imports.cells import is_blank, plain_text
from apps.crf.imports.reports import Report
from apps.crf.imports.sheets import Formula
from apps.crf.missing import REASONS_COLUMN, Absent, Missing, text_as_reasons


def read_reasons(number: int, questions: Questions, found: Mapping[str, object], report: Report) -> dict[str, str]:
    """Return {variable: code}; what can't be one is in the report, part by part."""
    raw = found.get(REASONS_COLUMN)
    if isinstance(raw, Formula):
        report.fault(number, REASONS_COLUMN, raw, _("The cell holds a formula. Write the value itself."))
        return {}
    # Of REDCap they stand in the cells of the values.
    reasons = {name: cell.reason.value for name, cell in found.items() if isinstance(cell, Absent)}
    for part, name, code in text_as_reasons(plain_text(raw)):
        problem = _problem(name, code, questions, found)
        if name in reasons:
            problem = problem or _("The variable is named twice in this cell. Keep one of the two.")
        if problem:
            report.fault(number, REASONS_COLUMN, part, problem)
        else:
            reasons[name] = code
    return reasons


def _problem(name: str, code: str, questions: Questions, found: Mapping[str, object]) -> str:
    codes = ", ".join(Missing.values)
    if not name or not code:
        return _(
            "Write variable=code, and a semicolon before the next: nihss=not_done; smoking=unknown. "
            "The codes: %(codes)s."
        ) % {"codes": codes}
    if name not in questions.variables:
        return _unknown(name)
    if code not in Missing.values:
        return _("Why a value is missing is one of these codes: %(codes)s. Use one of them.") % {"codes": codes}
    if not is_blank(found.get(name)):
        return _("There is a value, and a reason why it is missing. Take one of the two away.")
    return ""


def _unknown(name: str) -> str:
    known = load_dictionary().all_variables
    if name in known:
        return _("The form of this row does not ask this variable. Take it out of the cell, or correct “form”.")
    near = difflib.get_close_matches(name[:60], known, 1)
    if near:
        return _("No variable has this name; the nearest is “%(name)s”. Correct it, or take it out of the cell.") % {
            "name": near[0]
        }
    return _("No variable has this name. Correct it, or take it out of the cell.")
