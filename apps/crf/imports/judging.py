"""Saving what a file says, form by form, by the one way that values are saved; a check takes each save back."""

import hashlib
import json
from collections.abc import Callable

from django.db import transaction
from django.http import Http404
from django.utils.translation import gettext as _

from apps.accounts.models import User
from apps.core.errors import Refusal
from apps.crf.double_entry.blinding import BlindedError, hidden_forms
from apps.crf.imports.columns import read_head
from apps.crf.imports.models import Dates, Import
from apps.crf.imports.moved import moved_again, with_true_dates
from apps.crf.imports.reports import Report
from apps.crf.imports.rows import Wanted, find_patients, read_rows
from apps.crf.imports.sheets import read_sheet
from apps.crf.missing import Answers, as_data
from apps.crf.models import CrfForm
from apps.crf.services import FormConflict, FormErrors, ReasonRefused, SaveResult, save_form
from apps.crf.signatures.locks import FormLocked
from apps.patients.models import Patient

_AT_ONCE = 200
# Stands for the person's own reason while a check finds out whether one is needed.
_ANY_REASON = "import"
Progress = Callable[[int, int], None]


def judge(found: Import, *, keep: bool, progress: Progress = lambda done, total: None) -> Report:
    """Save all that the file says and return the report. Unless `keep`, each save is taken back at once, so that
    nobody waits for a lock while a long file is checked; with it, the caller's transaction decides.
    """
    report = Report()
    try:
        sheet = read_sheet(bytes(found.content), found.encoding)
        report.sheet = sheet.title
        head = read_head(sheet.head, report)
        wanted = read_rows(sheet, head, found.dates, report)
    except Refusal as refusal:
        whole = Report(sheet=report.sheet)
        whole.fault(0, "", "", refusal.sentence)
        return whole
    patients = find_patients(found.requested_by, wanted, report)
    # In one order for everybody: two imports then never wait for each other.
    mine = sorted(
        (each for each in wanted if each.study_id in patients),
        key=lambda each: (patients[each.study_id].pk, each.place.form, each.place.visit, each.place.instance),
    )
    if found.dates == Dates.MOVED:
        mine = [with_true_dates(each) for each in mine]
    _Judge(found.requested_by, found.reason, keep, report).take(mine, patients, progress)
    report.rename(head.told)
    return report


class _Judge:
    def __init__(self, actor: User, reason: str, keep: bool, report: Report) -> None:
        self.actor, self.reason, self.keep, self.report = actor, reason, keep, report
        self.digest = hashlib.sha256()
        self.hidden = hidden_forms(actor)

    def take(self, wanted: list[Wanted], patients: dict[str, Patient], progress: Progress) -> None:
        for start in range(0, len(wanted), _AT_ONCE):
            progress(start, len(wanted))
            part = wanted[start : start + _AT_ONCE]
            people = {patients[each.study_id].pk for each in part}
            stored = {(form.patient_id, form.place): form for form in CrfForm.objects.filter(patient__in=people)}
            for each in part:
                patient = patients[each.study_id]
                self._one(each, patient, stored.get((patient.pk, each.place)))
        self.report.digest = self.digest.hexdigest()

    def _one(self, wanted: Wanted, patient: Patient, form: CrfForm | None) -> None:
        if form is not None and form.pk in self.hidden:  # what is unchanged would tell what is stored
            self._refuse(wanted, dict.fromkeys(wanted.answers, BlindedError().sentence))
            return
        before = form.answers if form is not None else {}
        if all(before.get(name) == answer for name, answer in wanted.answers.items()):
            self.report.unchanged += len(wanted.answers)
            return
        moved = moved_again(wanted, before)
        if moved:
            self._refuse(wanted, dict.fromkeys(moved, _moved()))
            return
        try:
            result = self._save(wanted, patient, form.version if form is not None else 0)
        except Http404:
            self._refuse(wanted, dict.fromkeys(wanted.answers, _("Your role does not allow you to enter this value.")))
        except FormLocked as error:
            self._refuse(wanted, dict.fromkeys(error.errors, error.sentence))
        except (FormErrors, FormConflict) as error:
            self._refuse(wanted, error.errors)
        else:
            if result is not None:
                self._count(wanted, before, result)

    def _save(self, wanted: Wanted, patient: Patient, version: int) -> SaveResult | None:
        try:
            return self._try(wanted, patient, version, self.reason)
        except ReasonRefused:
            self.report.needs_reason = True
            return None if self.keep else self._try(wanted, patient, version, _ANY_REASON)

    def _try(self, wanted: Wanted, patient: Patient, version: int, reason: str) -> SaveResult:
        with transaction.atomic():
            result = save_form(
                actor=self.actor, patient=patient, read_version=version, values=wanted.values, reason=reason,
                place=wanted.place, missing=wanted.missing,
            )  # fmt: skip
            if not self.keep:
                transaction.set_rollback(True)
        return result

    def _refuse(self, wanted: Wanted, errors: dict[str, str]) -> None:
        for name, sentence in errors.items():
            self.report.fault(wanted.row, *wanted.cell(name), sentence)

    def _count(self, wanted: Wanted, before: Answers, result: SaveResult) -> None:
        report = self.report
        for name in result.changed:
            old, now = before.get(name), result.form.answers.get(name)
            report.cleared += now is None
            report.new += now is not None and old is None
            report.changed += now is not None and old is not None
            told = [wanted.row, name, as_data(old), as_data(now)]
            self.digest.update(json.dumps(told, ensure_ascii=True).encode())
        report.unchanged += sum(name not in result.changed for name in wanted.answers)
        for finding in result.warnings:
            changed = [name for name in finding.variables if name in result.changed]
            if changed:
                report.warn(wanted.row, *wanted.cell(changed[0]), finding.sentence)


def _moved() -> str:
    return _(
        "This is the saved date as exports move it. Say so under “Dates in the file” and send the file again; if it is "
        "true, enter it on the form’s page."
    )
