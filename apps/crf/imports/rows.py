"""The rows of a file as forms: which patient, which place, and which values; what can't be one is in the report."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from django.http import Http404
from django.utils.translation import gettext as _

from apps.accounts.models import User
from apps.accounts.policy import Permission
from apps.crf.conditions import Value
from apps.crf.dictionary import VariableType, load_dictionary
from apps.crf.imports.cells import is_blank, plain_text, read_cell
from apps.crf.imports.columns import FORM, KEYS, VISIT, WHICH, Head
from apps.crf.imports.models import Dates
from apps.crf.imports.reasons import read_reasons
from apps.crf.imports.redcap import split_row
from apps.crf.imports.reports import Report
from apps.crf.imports.sheets import MOST_ROWS, STUDY_ID, Formula, RowError, Sheet, refusal
from apps.crf.missing import REASONS_COLUMN, Absent, Answer, answers_of
from apps.crf.places import MAIN, MAIN_PLACE, MOST_REPEATS, Place
from apps.crf.selectors import questions_of
from apps.crf.values import RefusedValueError
from apps.patients.models import Patient
from apps.patients.selectors import patients_visible_to

_SAID = (Dates.TRUE, Dates.MOVED)


@dataclass(frozen=True)
class Wanted:
    """What one row says of one form."""

    row: int
    study_id: str
    place: Place
    values: Mapping[str, Value]
    # As typed, for the report.
    raw: Mapping[str, object]
    # Why other values are missing, by variable.
    missing: Mapping[str, str] = field(default_factory=dict)

    @property
    def answers(self) -> dict[str, Answer]:
        return answers_of(self.values, self.missing)

    def cell(self, name: str) -> tuple[str, object]:
        """Return (column, what was typed) where the row says something of this variable."""
        if name in self.missing and is_blank(self.raw.get(name)):
            return REASONS_COLUMN, f"{name}={self.missing[name]}"
        return name, self.raw.get(name, "")


def read_rows(sheet: Sheet, head: Head, dates: str, report: Report) -> list[Wanted]:
    """Return the rows without a fault of their own; Refusal for a file that is too long."""
    for row, column, area in sheet.merged:
        name = sheet.head[column - 1] if column <= len(sheet.head) else ""
        report.fault(row, name, area, _("Cells are merged, so that it is not clear whose value this is. Split them."))
    found, seen = [], dict[tuple[str, Place], int]()
    for number, cells in _filled(sheet):
        report.rows += 1
        if report.rows > MOST_ROWS:
            raise refusal("too_many_rows", _("The file has more than %(n)d rows. Split it.") % {"n": MOST_ROWS})
        found += [each for each in _row(number, head, cells, dates, report) if _is_first(each, seen, report)]
    if not report.rows:
        raise refusal("empty", _("The table has no row below its head. Choose the file with the values."))
    return found


def _filled(sheet: Sheet) -> Iterator[tuple[int, list[object]]]:
    return ((number, cells) for number, cells in sheet.rows if not all(is_blank(cell) for cell in cells))


def _row(number: int, head: Head, cells: list[object], dates: str, report: Report) -> list[Wanted]:
    """Return the forms of a row; none where anything in it is at fault."""
    before, names = report.refused, head.names
    for extra, cell in enumerate(cells):
        if not is_blank(cell) and (extra >= len(names) or not names[extra]):
            _stray(number, extra, names, cell, report)
    found = {name: cell for name, cell in zip(names, cells, strict=False) if name}
    if head.has_doubtful_dates and dates not in _SAID:
        _refuse_dates(found)
    try:
        parts = list(split_row(found)) if head.is_redcap else [found]
        wanted = [_form(number, part, dates, report) for part in parts]
    except RowError as fault:
        report.fault(number, fault.column, found.get(fault.column, ""), fault.sentence)
    return wanted if report.refused == before else []


def _refuse_dates(found: Mapping[str, object]) -> None:
    variables = load_dictionary().all_variables
    dates = (raw for name, raw in found.items() if name in variables and variables[name].type is VariableType.DATE)
    if not all(is_blank(raw) for raw in dates):
        raise refusal(
            "dates",
            _(
                "The dates of such a file may be true, or moved by an export. Choose which under “Dates in the file”, "
                "and send it again."
            ),
        )


def _form(number: int, found: Mapping[str, object], dates: str, report: Report) -> Wanted:
    place = _place(found)
    missing = read_reasons(number, questions_of(place), found, report)
    values = _values(number, place, found, dates, report)
    report.blank -= sum(name in found and is_blank(found[name]) for name in missing)
    return Wanted(number, plain_text(found.get(STUDY_ID)), place, values, found, missing)


def _stray(number: int, column: int, names: list[str], cell: object, report: Report) -> None:
    """A value under no name; one under a name that is unknown or there twice has been told in the head."""
    if column >= len(names):
        report.fault(number, "", cell, _("The cell stands under no column. Check for a delimiter too many in the row."))


def _values(number: int, place: Place, found: Mapping[str, object], dates: str, report: Report) -> dict[str, Value]:
    variables, values = questions_of(place).variables, {}
    for name, raw in found.items():
        if name in KEYS or name == REASONS_COLUMN or isinstance(raw, Absent):
            continue
        if is_blank(raw):
            report.blank += name in variables
        elif name not in variables:
            report.fault(
                number, name, raw, _("The form of this row does not ask this. Clear the cell, or correct “form”.")
            )
        else:
            try:
                values[name] = read_cell(load_dictionary().all_variables[name], raw, dates)
            except RefusedValueError as refused:
                report.fault(number, name, raw, str(refused))
    return values


def _place(found: Mapping[str, object]) -> Place:
    for key in KEYS:
        if isinstance(found.get(key), Formula) or plain_text(found.get(key)).startswith(("=", "+", "@")):
            raise RowError(key, _("The cell holds a formula. Write the value itself."))
    if is_blank(found.get(STUDY_ID)):
        raise RowError(STUDY_ID, _("The study ID is missing. Write it, or delete the row."))
    name = plain_text(found.get(FORM)) or MAIN
    forms = load_dictionary().further
    if name == MAIN:
        visits: tuple[str, ...] = (MAIN_PLACE.visit,)
    elif name in forms:
        visits = forms[name].visits
    else:
        raise RowError(
            FORM, _("There is no such form. Write one of: %(names)s.") % {"names": ", ".join((MAIN, *forms))}
        )
    visit = plain_text(found.get(VISIT)) or (visits[0] if len(visits) == 1 else "")
    if visit not in visits:
        raise RowError(VISIT, _("Say the visit of this form: %(names)s.") % {"names": ", ".join(visits)})
    return _existing(Place(name, visit, _instance(plain_text(found.get(WHICH)))))


def _instance(text: str) -> int:
    if not text:
        return 1
    return int(text) if text.isascii() and text.isdigit() and len(text) < 5 else 0


def _existing(place: Place) -> Place:
    try:
        questions_of(place)
    except Http404:
        sentence = _("Of a form that repeats, write which one it is, from 1 to %(n)d; of another leave it blank.")
        raise RowError(WHICH, sentence % {"n": MOST_REPEATS}) from None
    return place


def _is_first(wanted: Wanted, seen: dict[tuple[str, Place], int], report: Report) -> bool:
    earlier = seen.setdefault((wanted.study_id, wanted.place), wanted.row)
    if earlier != wanted.row:
        sentence = _("Row %(n)d is of the same patient and form. Keep one of the two.") % {"n": earlier}
        report.fault(wanted.row, STUDY_ID, wanted.study_id, sentence)
    return earlier == wanted.row


def find_patients(actor: User, wanted: list[Wanted], report: Report) -> dict[str, Patient]:
    """Return the patients by study ID; who is not there and who is another center's get the same sentence."""
    ids = sorted({each.study_id for each in wanted})
    visible = patients_visible_to(actor, Permission.IMPORT_CRF)
    found: dict[str, Patient] = {}
    for start in range(0, len(ids), 500):
        # No study ID is longer; and PostgreSQL takes no NUL, not even to look for it.
        asked = [each for each in ids[start : start + 500] if len(each) <= 20 and "\x00" not in each]
        found |= {patient.study_id: patient for patient in visible.filter(study_id__in=asked)}
    for each in wanted:
        if each.study_id not in found:
            sentence = _("None of your patients has this study ID. Correct it, or enroll the patient first.")
            report.fault(each.row, STUDY_ID, each.study_id, sentence)
    report.patients = len(found)
    return found
