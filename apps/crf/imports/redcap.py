"""A data file of REDCap as rows of our own: each of its rows may hold several forms of one event."""

from collections.abc import Iterator, Mapping

from django.utils.translation import gettext as _

from apps.crf.dictionary import Variable, load_dictionary
from apps.crf.imports.cells import is_blank, plain_text
from apps.crf.imports.columns import FORM, VISIT, WHICH
from apps.crf.imports.sheets import STUDY_ID, RowError
from apps.crf.missing import Absent, Missing
from apps.crf.places import MAIN, MAIN_PLACE
from apps.crf.redcap.data import EVENT, INSTANCE, MISSING, REPEAT, event_of, instrument_of

_REASONS = {code: Missing(reason) for reason, code in MISSING.items()}


def split_row(found: Mapping[str, object]) -> Iterator[dict[str, object]]:
    """Yield a row of our own for each form of which the row says something."""
    variables = load_dictionary().all_variables
    visit = _visit(plain_text(found.get(EVENT)))
    filled = {name for name, raw in found.items() if name in variables and not is_blank(raw)}
    for form in _forms(visit, plain_text(found.get(REPEAT))):
        asked = load_dictionary().questions(form).variables
        mine = {name: found[name] for name in asked if name in found}
        if not filled.isdisjoint(mine):
            filled -= set(mine)
            cells = {name: _cell(asked[name], raw) for name, raw in mine.items()}
            keys = {STUDY_ID: found.get(STUDY_ID), FORM: form, VISIT: visit, WHICH: found.get(INSTANCE)}
            yield {**keys, **cells}
    if filled:
        sentence = _(
            "The event or repeating instrument of this row does not ask this. Clear the cell, or correct those."
        )
        raise RowError(min(filled), sentence)


def _visit(event: str) -> str:
    visits = {event_of(name): name for name in (*(visit.name for visit in load_dictionary().visits), MAIN_PLACE.visit)}
    if event not in visits:
        raise RowError(EVENT, _("There is no such event. Write one of: %(names)s.") % {"names": ", ".join(visits)})
    return visits[event]


def _forms(visit: str, repeated: str) -> list[str]:
    here = [form for form in load_dictionary().forms if visit in form.visits]
    if not repeated:
        main = [MAIN] if visit == MAIN_PLACE.visit else []
        return main + [form.name for form in here if not form.repeats]
    repeating = {instrument_of(form.name): form.name for form in here if form.repeats}
    if repeated not in repeating:
        names = ", ".join(repeating) or "-"
        sentence = _("No instrument of this name repeats at this event. Write one of: %(names)s.") % {"names": names}
        raise RowError(REPEAT, sentence)
    return [repeating[repeated]]


def _cell(variable: Variable, raw: object) -> object:
    """Return a missing data code as the reason that it is; a choice may have the same code."""
    reason = _REASONS.get(plain_text(raw))
    if reason is None or any(str(choice.value) == plain_text(raw) for choice in variable.choices):
        return raw
    return Absent(reason)
