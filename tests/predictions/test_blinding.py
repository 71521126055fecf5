"""A crawler signed in as outcome assessor finds no score or prediction before he has signed, and one patient's then.

What the same crawler finds as principal investigator shows that it would find them.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urldefrag, urljoin

import pytest
from django.test import Client

from apps.accounts.access import centers_with, has_permission, has_permission_everywhere
from apps.accounts.models import Center, Membership, User
from apps.accounts.policy import BLINDED, PROGNOSIS, Permission, Role
from apps.cohorts.services import freeze_snapshot
from apps.crf.models import Meaning, Part
from apps.crf.selectors import form_of
from apps.crf.signatures import services
from apps.experiments.models import Experiment, PatientResult, ServingTerm
from apps.patients.blinding import may
from apps.patients.models import Patient
from tests.cohorts import factory
from tests.factories import PASSWORD, UserFactory

pytestmark = pytest.mark.django_db
Crawled = dict[str, str]
# What no page or answer has by chance.
PROBABILITIES = [0.8731946, 0.6128357]
LINK = re.compile(r'(?:href|action|hx-get|src)="(/[^"]*|\?[^"]*)"')
SKIPPED = ("/account/", "/static/", "/language/", "/codebook/", "/viewer/", "/api/v1/schema")


@pytest.fixture
def cohort(two_centers: tuple[Center, Center], users: dict[Role, User]) -> list[Patient]:
    """Two patients with everything, whom the serving model has given unmistakable probabilities."""
    owner = users[Role.SCIENTIST]
    patients = [factory.ready_patient(two_centers[0], row, n) for n, row in enumerate(factory.simulated_rows(1, 1))]
    snapshot = freeze_snapshot(actor=owner)
    run = Experiment.objects.create(name="run", snapshot=snapshot, config={}, created_by=owner)
    ServingTerm.objects.create(experiment=run, began_by=owner, reason="test")
    for patient, probability in zip(patients, PROBABILITIES, strict=True):
        PatientResult.objects.create(
            experiment=run, patient=patient, arm="fusion", split="cv", fold=1, probability=probability
        )
    return patients


def crawl(client: Client, patients: list[Patient]) -> Crawled:
    """Follow every link from the start, and ask every address of the API that names a patient or nothing."""
    waiting = ["/", "/patients/", "/exports/", "/audit/", *api_addresses(client, patients)]
    found: Crawled = {}
    while waiting:
        address = waiting.pop()
        if address in found or address.startswith(SKIPPED):
            continue
        assert len(found) < 600, "The crawl has no end."
        answer = client.get(address)
        content = answer.getvalue() if answer.status_code < 400 else b""
        found[address] = content.decode(errors="replace")
        links = [answer["Location"]] if answer.status_code in (301, 302) else LINK.findall(found[address])
        waiting += [urldefrag(urljoin(address, link.replace("&amp;", "&")))[0] for link in links]
    return found


def api_addresses(client: Client, patients: list[Patient]) -> list[str]:
    paths = client.get("/api/v1/schema/?format=json").json()["paths"]
    addresses = []
    for path, operations in paths.items():
        if "get" in operations:
            addresses += [re.sub(r"{\w+}", "1", path.replace("{study_id}", patient.study_id)) for patient in patients]
    assert len(addresses) > 20
    return addresses


def findings(crawled: Crawled, patient: Patient, probability: float) -> list[str]:
    """Return the addresses that show a score or a prediction of a patient."""
    exact, shown = str(probability), f"{100 * probability:.0f}\N{NARROW NO-BREAK SPACE}%"
    own = [address for address in crawled if f"/{patient.study_id}/" in address]
    marks = ('id="scores"', 'id="prediction"', '"ich_gs"', "ICH-GS")
    return [address for address, text in crawled.items() if exact in text or shown in text] + [
        address for address in own if any(mark in crawled[address] for mark in marks)
    ]


def sign(assessor: User, patient: Patient) -> None:
    form = form_of(Patient.objects.get(pk=patient.pk))
    services.sign_form(
        actor=assessor, form=form, part=Part.OUTCOME, meaning=Meaning.ASSESSED_BLINDED, read_version=form.version,
        username=assessor.username, password=PASSWORD,
    )  # fmt: skip


def test_a_crawler_finds_nothing_before_the_outcome_is_signed(
    cohort: list[Patient], users: dict[Role, User], client_as: Callable[[User], Client]
) -> None:
    open_eyes = crawl(client_as(users[Role.PI]), cohort)
    assessor = users[Role.ASSESSOR]
    before = crawl(client_as(assessor), cohort)
    assert len(before) > 30
    for patient, probability in zip(cohort, PROBABILITIES, strict=True):
        seen = findings(open_eyes, patient, probability)
        assert "/patients/" in seen and f"/api/v1/patients/{patient}/prediction/" in seen
        assert f"/api/v1/patients/{patient}/scores/" in seen
        assert findings(before, patient, probability) == []
    assert "ICH-GS" not in before["/patients/"]
    sign(assessor, cohort[0])
    after = crawl(client_as(assessor), cohort)
    seen = findings(after, cohort[0], PROBABILITIES[0])
    assert "/patients/" in seen and f"/api/v1/patients/{cohort[0]}/scores/" in seen
    assert findings(after, cohort[1], PROBABILITIES[1]) == []


def test_whatever_else_an_assessor_is_he_is_blinded_in_his_center(
    cohort: list[Patient], two_centers: tuple[Center, Center], client_as: Callable[[User], Client]
) -> None:
    own, other = two_centers
    person = UserFactory()
    Membership.objects.create(user=person, role=Role.ASSESSOR, center=own)
    Membership.objects.create(user=person, role=Role.COORDINATOR, center=own)
    Membership.objects.create(user=person, role=Role.PI, center=None)
    for permission in BLINDED - {Permission.RUN_EXPERIMENTS}:
        assert not has_permission(person, permission, own) and has_permission(person, permission, other)
        assert not has_permission_everywhere(person, permission)
        assert list(centers_with(person, permission)) == [other]
    crawled = crawl(client_as(person), cohort)
    for patient, probability in zip(cohort, PROBABILITIES, strict=True):
        assert findings(crawled, patient, probability) == []


def test_only_the_own_signature_unblinds_and_its_withdrawal_blinds_nobody_again(
    cohort: list[Patient], users: dict[Role, User]
) -> None:
    assessor, colleague = users[Role.ASSESSOR], UserFactory()
    Membership.objects.create(user=colleague, role=Role.ASSESSOR)
    sign(assessor, cohort[0])

    def sees(person: User) -> set[Any]:
        return {may(person, permission, patient) for permission in PROGNOSIS for patient in cohort[:1]}

    assert sees(assessor) == {True} and sees(colleague) == {False}
    assert not may(assessor, Permission.VIEW_SCORES, cohort[1])
    signature = assessor.signatures.get()
    services.withdraw_signature(actor=assessor, signature=signature, reason="wrong patient")
    assert sees(assessor) == {True} and sees(colleague) == {False}
