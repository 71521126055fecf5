"""Whoever tries the demonstration finds second entries to reconcile, and queries to answer."""

from __future__ import annotations

import pytest

from apps.accounts.models import Center, User
from apps.crf.double_entry.models import SecondEntry
from apps.crf.double_entry.selectors import to_reconcile
from apps.crf.models import CrfForm, Query
from apps.crf.services import save_form
from apps.demonstration.cohort import form_values, simulated_rows
from apps.demonstration.people import create_people
from apps.demonstration.worklists import ENTERED_TWICE, SLIPS, fill_worklists
from tests.audit.trails import faults
from tests.factories import PatientFactory

pytestmark = [pytest.mark.slow, pytest.mark.django_db]


def test_worklists_are_filled_once() -> None:
    create_people()
    first = User.objects.get(username="coordinator")
    rows = [row for row in simulated_rows(60) if row["center"] == "C1"][: ENTERED_TWICE + 1]
    for number, row in enumerate(rows):
        patient = PatientFactory(center=Center.objects.get(code="C1"))
        values = form_values(row, number, discharged=number < ENTERED_TWICE)
        save_form(actor=first, patient=patient, read_version=0, values=values)
    kept = list(CrfForm.objects.order_by("pk").values())
    fill_worklists()
    entries = list(SecondEntry.objects.order_by("form"))
    assert [entry.differences for entry in entries] == [len(SLIPS.get(n % 4, {})) for n in range(ENTERED_TWICE)]
    waiting = to_reconcile(User.objects.get(username="data_manager"))
    assert set(waiting) == {entry for entry in entries if entry.differences}
    assert Query.objects.filter(rule="blank", form=kept[-1]["id"]).exists(), "one is still in hospital"
    assert list(CrfForm.objects.order_by("pk").values()) == kept, "the first entry is as it was"
    assert faults() == []

    count = Query.objects.count()
    fill_worklists()
    assert (SecondEntry.objects.count(), Query.objects.count()) == (ENTERED_TWICE, count)
