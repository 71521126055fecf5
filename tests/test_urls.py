"""Who gets what answer at each address: one row for every route, nine roles, their own center and a foreign one.

The table is written by hand, not made from apps/accounts/policy.py, so that a slip in the matrix shows here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import get_resolver, reverse
from django.urls.resolvers import RoutePattern, URLPattern, URLResolver
from rest_framework.authtoken.models import Token
from rest_framework.test import APIClient

from apps.accounts.models import Center, User
from apps.accounts.policy import Role
from apps.cohorts.models import Snapshot
from apps.core.models import Job
from apps.crf.models import Query, SecondEntry
from apps.crf.places import MAIN_PLACE
from apps.crf.rows import get_row
from apps.experiments.models import Experiment
from apps.imaging import geometry
from apps.imaging.models import ImagingStudy, Series
from apps.patients.models import Patient
from apps.predictions.models import Prediction
from ml.volumes import Geometry
from tests.factories import PatientFactory, UserFactory, user_with

R = Role
EVERYBODY = frozenset(Role)
CLINICAL = EVERYBODY - {R.SCIENTIST, R.ADMINISTRATOR}  # may open a patient
READS_CRF = frozenset({R.COORDINATOR, R.ASSESSOR, R.DATA_MANAGER, R.PI, R.MONITOR})
CODEBOOK = READS_CRF | {R.SCIENTIST}
WRITES_CRF = frozenset({R.COORDINATOR, R.ASSESSOR, R.DATA_MANAGER})
SIGNERS = frozenset({R.PI})
ASSESSOR = frozenset({R.ASSESSOR})
LOCKERS = frozenset({R.DATA_MANAGER})
BLINDED = frozenset({R.ASSESSOR, R.ANNOTATOR, R.REVIEWER, R.MONITOR})
PROGNOSIS = CLINICAL - BLINDED
MASKS = frozenset({R.COORDINATOR, R.ANNOTATOR, R.REVIEWER})
MASK_WORK = MASKS | {R.DATA_MANAGER, R.PI, R.MONITOR}
ASSIGNERS = frozenset({R.REVIEWER, R.DATA_MANAGER})
MASK_AGREEMENT = ASSIGNERS | {R.PI, R.MONITOR}
COORDINATOR = frozenset({R.COORDINATOR})
AUDIT = frozenset({R.DATA_MANAGER, R.PI, R.MONITOR})
DASHBOARD = frozenset({R.DATA_MANAGER, R.PI, R.SCIENTIST})
SCIENTIST = frozenset({R.SCIENTIST})
EXPORTS = frozenset({R.COORDINATOR, R.DATA_MANAGER, R.PI, R.SCIENTIST})
IMPORTERS = frozenset({R.COORDINATOR, R.DATA_MANAGER})
PROMOTERS = frozenset({R.PI, R.SCIENTIST})
QUERIES = frozenset({R.COORDINATOR, R.ASSESSOR, R.DATA_MANAGER, R.PI, R.MONITOR})
ALL_QUERIES = QUERIES - {R.ASSESSOR}  # the query of this test is on the age, which the blinded don't see
ASKS = frozenset({R.DATA_MANAGER, R.PI, R.MONITOR})
DATA_MANAGER = frozenset({R.DATA_MANAGER})
RECONCILERS = frozenset({R.COORDINATOR, R.DATA_MANAGER, R.PI})
AGREEMENT = frozenset({R.DATA_MANAGER, R.PI, R.MONITOR})

DONE, FOUND, BAD, CONFLICT, REFUSED = 200, 302, 400, 409, 422
# What a role that may do it gets; every other role gets 404, as if the thing were not there.
HIDDEN = 404


@dataclass(frozen=True)
class Row:
    """One request: who may make it, and what he is answered."""

    name: str
    allowed: frozenset[Role]
    status: int = DONE
    method: str = "get"
    data: Mapping[str, Any] = field(default_factory=dict)
    # False where the address names no object of a center: there is nothing foreign to ask for.
    of_center: bool = True
    # True for what is made of all centers' data: a role given in one center does not see it.
    of_study: bool = False

    def __str__(self) -> str:
        return f"{self.method} {self.name}"


NOTHING: dict[str, Any] = {}
SIGNATURE = {"version": "0", "username": "nobody", "password": "nothing"}
FILE = {"file": ("mask.nii", b"no mask")}
FILES = {"files": ("slice.dcm", b"no slice")}

PAGES = [
    Row("home", EVERYBODY, FOUND, of_center=False),
    Row("set_language", EVERYBODY, FOUND, "post", {"language": "en"}, of_center=False),
    Row("accounts:list", frozenset({R.ADMINISTRATOR}), of_center=False),
    Row("audit:list", AUDIT, of_center=False),
    Row("audit:download", AUDIT, of_center=False),
    Row("patients:list", CLINICAL, of_center=False),
    Row("patients:enroll", COORDINATOR, of_center=False),
    Row("patients:enroll", COORDINATOR, DONE, "post", {"center": "nonsense"}, of_center=False),
    Row("patients:detail", CLINICAL),
    Row("crf:form", READS_CRF),
    Row("crf:form", WRITES_CRF, FOUND, "post", {"version": "0"}),
    Row("crf:history", READS_CRF),
    Row("crf:draft", WRITES_CRF, DONE, "post", {"version": "0"}),
    Row("crf:draft-discard", READS_CRF, FOUND, "post"),
    Row("crf:further-draft", frozenset({R.COORDINATOR, R.ASSESSOR}), DONE, "post", {"version": "0"}),
    Row("crf:further-draft-discard", READS_CRF, FOUND, "post"),
    Row("crf:further", READS_CRF),
    Row("crf:further", frozenset({R.COORDINATOR, R.ASSESSOR}), FOUND, "post", {"version": "0"}),  # an outcome
    Row("crf:further-history", READS_CRF, HIDDEN),  # the age is none of its questions
    Row("crf:queries", QUERIES),
    Row("crf:queries", ASKS, REFUSED, "post"),
    Row("crf:further-queries", QUERIES, HIDDEN),  # the age is none of its questions
    Row("crf:further-queries", ASKS, HIDDEN, "post"),
    Row("queries:list", QUERIES, of_center=False),
    Row("queries:open", ASKS, of_center=False),
    Row("queries:open", ASKS, DONE, "post", {"patients": "nonsense"}, of_center=False),
    Row("queries:bulk", DATA_MANAGER, FOUND, "post", of_center=False),
    Row("queries:run", DATA_MANAGER, FOUND, "post", of_center=False),
    # Each sees his own alone; tests/crf/queries/test_pages.py.
    Row("queries:run-status", DATA_MANAGER, HIDDEN, of_center=False),
    Row("queries:run-retry", DATA_MANAGER, HIDDEN, "post", of_center=False),
    Row("queries:thread", ALL_QUERIES),
    Row("queries:answer", COORDINATOR, REFUSED, "post"),
    Row("queries:close", DATA_MANAGER, FOUND, "post"),
    Row("queries:reopen", DATA_MANAGER, REFUSED, "post"),
    Row("queries:assign", DATA_MANAGER, FOUND, "post", {"to": ""}),
    Row("crf:sign", SIGNERS),
    Row("crf:sign", SIGNERS, REFUSED, "post", {**SIGNATURE, "meaning": "approved"}),  # nothing has been entered
    Row("crf:sign-outcome", ASSESSOR),
    Row("crf:sign-outcome", ASSESSOR, REFUSED, "post", {**SIGNATURE, "meaning": "assessed_blinded"}),
    # Each of these says on the form's page what it did, or why it did not.
    Row("crf:lock", LOCKERS, FOUND, "post"),
    Row("crf:unlock", LOCKERS, FOUND, "post", {"reason": "new source data"}),
    Row("crf:withdraw", READS_CRF, HIDDEN, "post", {"reason": "error"}),  # there is no signature
    Row("crf:further-sign", SIGNERS),
    Row("crf:further-lock", LOCKERS, FOUND, "post"),
    Row("crf:further-unlock", LOCKERS, FOUND, "post", {"reason": "new source data"}),
    Row("crf:further-withdraw", READS_CRF, HIDDEN, "post", {"reason": "error"}),
    Row("crf:second-entry", WRITES_CRF, FOUND, "post"),  # says on the form's page why not: nothing was entered once
    Row("crf:further-second-entry", frozenset({R.COORDINATOR, R.ASSESSOR}), FOUND, "post"),
    Row("double-entry:list", READS_CRF, of_center=False),
    Row("double-entry:to-reconcile", RECONCILERS, of_center=False),
    Row("double-entry:agreement", AGREEMENT, of_center=False),
    Row("double-entry:agreement-csv", AGREEMENT, of_center=False),
    # Each sees his own alone; tests/crf/double_entry/test_services.py.
    Row("double-entry:entry", READS_CRF, HIDDEN),
    Row("double-entry:entry", READS_CRF, HIDDEN, "post"),
    Row("double-entry:keep", READS_CRF, HIDDEN, "post"),
    Row("double-entry:submit", READS_CRF, HIDDEN, "post"),
    Row("double-entry:give-up", READS_CRF, HIDDEN, "post"),
    Row("double-entry:reconcile", RECONCILERS),
    Row("double-entry:reconcile", RECONCILERS, REFUSED, "post", {"version": "0"}),
    Row("codebook", CODEBOOK, of_center=False),
    Row("codebook-version", CODEBOOK, of_center=False),
    Row("versions:list", CODEBOOK, of_center=False),
    Row("versions:list", DATA_MANAGER, DONE, "post", of_center=False, of_study=True),  # no file was chosen
    Row("versions:yaml", CODEBOOK, of_center=False),
    # There is none yet; tests/crf/versions/test_pages.py.
    Row("versions:detail", CODEBOOK, HIDDEN, of_center=False),
    Row("versions:status", CODEBOOK, HIDDEN, of_center=False),
    Row("versions:rules", DATA_MANAGER, HIDDEN, "post", of_center=False),
    Row("versions:publish", DATA_MANAGER, HIDDEN, "post", of_center=False),
    Row("versions:discard", DATA_MANAGER, HIDDEN, "post", of_center=False),
    Row("imaging:upload", COORDINATOR, REFUSED, "post", FILES),
    Row("imaging:choose", COORDINATOR, REFUSED, "post", {"series": ""}),
    Row("imaging:held", COORDINATOR),
    Row("imaging:decide", COORDINATOR, HIDDEN, "post"),  # nothing is held
    Row("imaging:held-picture", COORDINATOR, HIDDEN),
    Row("imaging:archive", COORDINATOR),
    Row("imaging:archive", COORDINATOR, DONE, "post", {"modality": "CT"}),
    Row("imaging:fetch", COORDINATOR, HIDDEN, "post"),  # the center has no archive
    Row("imaging:send", COORDINATOR, HIDDEN, "post"),
    Row("imaging:transfer-status", COORDINATOR, HIDDEN),
    Row("imaging:transfer-retry", COORDINATOR, HIDDEN, "post"),
    Row("imaging:slice", CLINICAL, HIDDEN),  # the series of this test has no slices
    # Without a study there is nothing to view; which study who may view: tests/imaging/test_viewer.py.
    Row("viewer", CLINICAL, HIDDEN, of_center=False),
    Row("viewer-route", CLINICAL, HIDDEN, of_center=False),
    Row("imaging:status", CLINICAL),
    Row("imaging:retry", COORDINATOR, CONFLICT, "post"),
    Row("imaging:hu", CLINICAL, HIDDEN),  # the series of this test has no slices
    Row("annotation:upload", MASKS, REFUSED, "post", FILE),
    Row("masks:list", MASK_WORK, of_center=False),
    Row("masks:assign", ASSIGNERS, FOUND, "post", of_center=False),
    Row("masks:agreement", MASK_AGREEMENT, of_center=False),
    Row("masks:agreement-csv", MASK_AGREEMENT, of_center=False),
    Row("annotation:outline", MASKS),
    Row("annotation:outline-labels", MASKS),
    Row("annotation:outline-save", MASKS, CONFLICT, "post"),  # says of no revision what was drawn on
    Row("annotation:outline-suggestion", MASKS, 202, "post"),  # a worker is to make it
    Row("annotation:outline-submit", MASKS, REFUSED, "post"),  # nothing is drawn
    Row("annotation:outline-again", MASKS, FOUND, "post", {"version": ""}),
    # There is no version; who sees and reviews one: tests/annotation/test_review.py.
    Row("annotation:version", CLINICAL, HIDDEN),
    Row("annotation:against", CLINICAL, HIDDEN),
    Row("annotation:version-labels", CLINICAL, HIDDEN),
    Row("annotation:version-file", CLINICAL, HIDDEN),
    Row("annotation:approve", frozenset({R.REVIEWER}), HIDDEN, "post"),
    Row("annotation:return", frozenset({R.REVIEWER}), HIDDEN, "post", {"text": "Look again."}),
    Row("predictions:status", PROGNOSIS),
    Row("predictions:retry", PROGNOSIS, CONFLICT, "post"),
    Row("predictions:explanation", PROGNOSIS),
    Row("predictions:explanation", PROGNOSIS, CONFLICT, "post"),  # no model is in service
    # Nobody has asked for one; what is sent of one that is there: tests/predictions/test_explanation_page.py.
    Row("predictions:explanation-status", PROGNOSIS, HIDDEN),
    Row("predictions:explanation-slice", PROGNOSIS, HIDDEN),
    Row("predictions:explanation-map", PROGNOSIS, HIDDEN),
    Row("imports:list", IMPORTERS, of_center=False),
    Row("imports:list", IMPORTERS, DONE, "post", of_center=False),  # no file was chosen
    # Each sees his own alone; tests/crf/imports/test_importing.py.
    Row("imports:detail", IMPORTERS, HIDDEN, of_center=False),
    Row("imports:status", IMPORTERS, HIDDEN, of_center=False),
    Row("imports:retry", IMPORTERS, HIDDEN, "post", of_center=False),
    Row("imports:run", IMPORTERS, HIDDEN, "post", of_center=False),
    Row("imports:report", IMPORTERS, HIDDEN, of_center=False),
    Row("exports:list", EXPORTS, of_center=False),
    # Each sees his own alone; tests/cohorts/test_exports.py.
    Row("exports:status", EXPORTS, HIDDEN, of_center=False),
    Row("exports:retry", EXPORTS, HIDDEN, "post", of_center=False),
    Row("exports:download", EXPORTS, HIDDEN, of_center=False),
    Row("experiments:list", DASHBOARD, of_center=False),
    Row("experiments:create", SCIENTIST, of_center=False, of_study=True),
    Row("experiments:create", SCIENTIST, DONE, "post", {"preset": "nonsense"}, of_center=False, of_study=True),
    Row("experiments:detail", DASHBOARD, of_center=False, of_study=True),
    Row("experiments:status", DASHBOARD, of_center=False, of_study=True),
    Row("experiments:curves", DASHBOARD, of_center=False, of_study=True),
    Row("experiments:retry", SCIENTIST, CONFLICT, "post", of_center=False, of_study=True),
    Row("experiments:stop", SCIENTIST, CONFLICT, "post", of_center=False, of_study=True),
    Row("experiments:model-card", DASHBOARD, HIDDEN, of_center=False, of_study=True),  # the run has not finished
    Row("experiments:promote", PROMOTERS, CONFLICT, "post", of_center=False, of_study=True),
    Row("experiments:retire", PROMOTERS, BAD, "post", of_center=False, of_study=True),
    Row("experiments:roll-back", PROMOTERS, CONFLICT, "post", of_center=False, of_study=True),
    Row("analytics:dashboard", DASHBOARD, of_center=False),
    Row("analytics:table", DASHBOARD, HIDDEN, of_center=False),  # no experiment has finished
]
API = [
    Row("api-schema", EVERYBODY, of_center=False),
    Row("api-dictionary", EVERYBODY, of_center=False),
    Row("api-audit", AUDIT, of_center=False),
    Row("api-dictionary-redcap", CODEBOOK, of_center=False),
    Row("api-patient-list", CLINICAL, of_center=False),
    Row("api-patient-list", COORDINATOR, BAD, "post", {}, of_center=False),
    Row("api-patient", CLINICAL),
    Row("api-crf", READS_CRF),
    Row("api-crf", WRITES_CRF, DONE, "patch", {"version": 0, "values": {}}),
    Row("api-forms", READS_CRF),
    Row("api-further-form", READS_CRF),
    Row("api-further-form", frozenset({R.COORDINATOR, R.ASSESSOR}), DONE, "patch", {"version": 0, "values": {}}),
    Row("api-query-list", QUERIES, of_center=False),
    Row("api-query-list", ASKS, BAD, "post", {}, of_center=False),
    Row("api-query-bulk", DATA_MANAGER, BAD, "post", {}, of_center=False),
    Row("api-rule-run-list", DATA_MANAGER, 202, "post", of_center=False),
    Row("api-rule-run", DATA_MANAGER, HIDDEN, of_center=False),
    Row("api-query", ALL_QUERIES),
    Row("api-query-answer", COORDINATOR, REFUSED, "post", {}),
    Row("api-query-close", DATA_MANAGER, DONE, "post", {}),
    Row("api-query-reopen", DATA_MANAGER, REFUSED, "post", {}),
    Row("api-query-assign", DATA_MANAGER, DONE, "post", {"assigned_to": None}),
    Row("api-signatures", READS_CRF),
    Row("api-signatures", SIGNERS, REFUSED, "post", {**SIGNATURE, "part": "form", "meaning": "approved"}),
    Row("api-signatures", ASSESSOR, REFUSED, "post", {**SIGNATURE, "part": "outcome", "meaning": "assessed_blinded"}),
    Row("api-lock", LOCKERS, CONFLICT, "post"),
    Row("api-unlock", LOCKERS, CONFLICT, "post", {"reason": "new source data"}),
    Row("api-withdraw", READS_CRF, HIDDEN, "post", {"reason": "error"}),
    Row("api-further-signatures", READS_CRF),
    Row("api-further-lock", LOCKERS, CONFLICT, "post"),
    Row("api-further-unlock", LOCKERS, CONFLICT, "post", {"reason": "new source data"}),
    Row("api-further-withdraw", READS_CRF, HIDDEN, "post", {"reason": "error"}),
    Row("api-second-entry", WRITES_CRF, CONFLICT, "post"),  # nothing was entered once
    Row("api-further-second-entry", frozenset({R.COORDINATOR, R.ASSESSOR}), CONFLICT, "post"),
    Row("api-double-entry-list", READS_CRF, of_center=False),
    Row("api-to-reconcile", RECONCILERS, of_center=False),
    Row("api-agreement", AGREEMENT, of_center=False),
    Row("api-double-entry", READS_CRF, HIDDEN),
    Row("api-double-entry", READS_CRF, HIDDEN, "patch", {"version": 0}),
    Row("api-double-entry-submit", READS_CRF, HIDDEN, "post", {"version": 0}),
    Row("api-double-entry-give-up", READS_CRF, HIDDEN, "post"),
    Row("api-reconcile", RECONCILERS),
    Row("api-reconcile", RECONCILERS, BAD, "post", {}),
    Row("api-series-list", CLINICAL),
    Row("api-series-list", COORDINATOR, REFUSED, "post", FILES),
    Row("api-series", CLINICAL),
    Row("api-mask-list", CLINICAL),
    Row("api-mask-list", MASKS, REFUSED, "post", FILE),
    Row("api-scores", PROGNOSIS),
    Row("api-prediction", PROGNOSIS),
    Row("api-explanation", PROGNOSIS),
    Row("api-version-list", CODEBOOK, of_center=False),
    Row("api-version-list", DATA_MANAGER, BAD, "post", {}, of_center=False, of_study=True),
    Row("api-version", CODEBOOK, HIDDEN, of_center=False),
    Row("api-version", DATA_MANAGER, HIDDEN, "put", {}, of_center=False),
    Row("api-version", DATA_MANAGER, HIDDEN, "delete", of_center=False),
    Row("api-version-publish", DATA_MANAGER, HIDDEN, "post", {}, of_center=False),
    Row("api-import-list", IMPORTERS, of_center=False),
    Row("api-import-list", IMPORTERS, BAD, "post", {}, of_center=False),
    Row("api-import", IMPORTERS, HIDDEN, of_center=False),
    Row("api-import-run", IMPORTERS, HIDDEN, "post", {}, of_center=False),
    Row("api-import-report", IMPORTERS, HIDDEN, of_center=False),
    Row("api-export-list", EXPORTS, of_center=False),
    Row("api-export-list", EXPORTS, BAD, "post", {}, of_center=False),
    Row("api-export", EXPORTS, HIDDEN, of_center=False),
    Row("api-export-file", EXPORTS, HIDDEN, of_center=False),
    Row("api-experiment-list", DASHBOARD, of_center=False),
    Row("api-experiment-list", SCIENTIST, BAD, "post", {}, of_center=False, of_study=True),
    Row("api-experiment", DASHBOARD, of_center=False, of_study=True),
    Row("api-promote", PROMOTERS, CONFLICT, "post", {"reason": "better"}, of_center=False, of_study=True),
    Row("api-retire", PROMOTERS, CONFLICT, "post", {"reason": "worse"}, of_center=False, of_study=True),
    Row("api-roll-back", PROMOTERS, CONFLICT, "post", {"reason": "worse"}, of_center=False, of_study=True),
    Row("api-analysis", DASHBOARD, CONFLICT, of_center=False),  # no experiment has finished
]
# Pages of the sign-in library: what somebody who is not signed in gets.
SIGN_IN = {
    "account_login": 200,
    "account_logout": 302,
    "account_inactive": 200,
    "account_signup": 200,  # says that sign-up is closed; tests/accounts/test_sign_in.py
    "account_reset_password": 200,
    "account_reset_password_done": 200,
    "account_reset_password_from_key": 200,
    "account_reset_password_from_key_done": 200,
    "account_email_verification_sent": 200,
    "account_confirm_email": 200,
    "account_confirm_login_code": 302,
    "mfa_authenticate": 302,
}
# Pages of the sign-in library that are about one's own account.
OWN_ACCOUNT = {
    "account_email",
    "account_reauthenticate",
    "account_change_password",
    "account_set_password",
    "mfa_index",
    "mfa_reauthenticate",
    "mfa_activate_totp",
    "mfa_deactivate_totp",
    "mfa_view_recovery_codes",
    "mfa_generate_recovery_codes",
    "mfa_download_recovery_codes",
}
OPEN = {"healthz", "readyz"}
# Answers of its own to programs (401, not a page to sign in); every route in tests/imaging/dicomweb.
DICOMWEB = "dicomweb:"


def routes(patterns: list[Any] | None = None, namespace: str = "") -> Iterator[tuple[str, URLPattern]]:
    """Yield (name, pattern) of every route of the site."""
    for pattern in get_resolver().url_patterns if patterns is None else patterns:
        if isinstance(pattern, URLResolver):
            inside = f"{namespace}{pattern.namespace}:" if pattern.namespace else namespace
            yield from routes(pattern.url_patterns, inside)
        else:
            yield f"{namespace}{pattern.name or ''}", pattern


def test_every_route_has_a_row() -> None:
    known = {row.name for row in PAGES + API} | set(SIGN_IN) | OWN_ACCOUNT | OPEN
    assert {name for name, _ in routes() if not name.startswith(DICOMWEB)} == known
    assert all(isinstance(pattern.pattern, RoutePattern) for name, pattern in routes() if name not in SIGN_IN)


@dataclass(frozen=True)
class Place:
    """One patient of a center with one of everything, and the address parts that name them."""

    center: Center
    parts: dict[str, object]


TWO_SLICES = Geometry(
    positions=np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 5.0]]),
    row_direction=np.array([1.0, 0.0, 0.0]),
    column_direction=np.array([0.0, 1.0, 0.0]),
    pixel_spacing=(0.5, 0.5),
    sop_instance_uids=("2.25.1", "2.25.2"),
    series_instance_uid="2.25.3",
    study_instance_uid="2.25.4",
    matrix=(64, 64),
)


def ended_job() -> Job:
    return Job.objects.create(task="none", queue="imaging", state=Job.State.SUCCEEDED)


def furnish(center: Center, owner: User) -> Place:
    """Make a patient with a series, an experiment and a prediction; none of their jobs has failed."""
    patient: Patient = PatientFactory(center=center, study_id=f"{center.code}-0001", enrolled_by=owner)
    study = ImagingStudy.objects.create(patient=patient, study_instance_uid=f"2.25.{patient.pk}")
    series = Series.objects.create(
        study=study,
        patient=patient,
        series_instance_uid=f"2.25.1{patient.pk}",
        digest=f"{patient.pk:064d}",
        geometry=geometry.to_json(TWO_SLICES),
        uploaded_by=owner,
        job=ended_job(),
    )
    snapshot = Snapshot.objects.create(
        digest=f"{patient.pk:064d}",
        file="x",
        created_by=owner,
        dictionary_version="ich-1",
        patient_count=0,
        included_count=0,
    )
    experiment = Experiment.objects.create(name="run", snapshot=snapshot, config={}, created_by=owner, job=ended_job())
    prediction = Prediction.objects.create(
        patient=patient, experiment=experiment, series=series, form_version=1, job=ended_job()
    )
    form = get_row(patient, MAIN_PLACE)
    query = Query.objects.create(patient=patient, form=form, variable="age", about={"age": None}, opened_by=owner)
    entry = SecondEntry.objects.create(
        form=form, entered_by=owner, state=SecondEntry.State.SUBMITTED, variables=["age"], values={"age": 61}
    )
    parts = {
        "study_id": patient.study_id,
        "query_id": query.pk,
        "run_id": 1,
        "series_id": series.pk,
        "index": 0,
        "prediction_id": prediction.pk,
        "experiment_id": experiment.pk,
        "name": "flow",
        "held_id": 1,
        "transfer_id": 1,
        "route": "ichor",
        "export_id": 1,
        "import_id": 1,
        "version_id": 1,
        "version": 1,
        "other": 2,
        "suffix": "nii.gz",
        "dictionary_id": "ich-1",
        "variable": "age",
        "form": "follow_up",
        "visit": "month_3",
        "instance": 1,
        "signature_id": 1,
        "entry_id": entry.pk,
    }
    return Place(center, parts)


@pytest.fixture
def places(two_centers: tuple[Center, Center]) -> tuple[Place, Place]:
    owner = user_with(Role.COORDINATOR, two_centers[1])
    return furnish(two_centers[0], owner), furnish(two_centers[1], owner)


def address(name: str, parts: Mapping[str, object]) -> str:
    return reverse(name, kwargs={key: parts[key] for key in _converters(name)})


def _converters(name: str) -> set[str]:
    """Return the names of an address's variable parts."""
    found: set[str] = set()

    def walk(patterns: list[Any], above: set[str], namespace: str) -> None:
        for pattern in patterns:
            here = above | set(pattern.pattern.converters)
            if isinstance(pattern, URLResolver):
                walk(pattern.url_patterns, here, f"{namespace}{pattern.namespace}:" if pattern.namespace else namespace)
            elif f"{namespace}{pattern.name}" == name:
                found.update(here)

    walk(get_resolver().url_patterns, set(), "")
    return found


def naming(*parts: str) -> list[Row]:
    """Return the rows whose address has one of the named parts."""
    return [row for row in PAGES + API if set(parts) & _converters(row.name)]


def ask(client: Client | APIClient, row: Row, parts: Mapping[str, object]) -> int:
    data: dict[str, Any] = {
        key: SimpleUploadedFile(*value) if isinstance(value, tuple) else value for key, value in row.data.items()
    }
    options: dict[str, Any] = {}
    if isinstance(client, APIClient) and row.method != "get":
        uploads = any(isinstance(value, tuple) for value in row.data.values())
        options["format"] = "multipart" if uploads else "json"
    send = getattr(client, row.method)
    return int(send(address(row.name, parts), data or None, **options).status_code)


def expected(row: Row, role: Role) -> int:
    return row.status if role in row.allowed else HIDDEN


@pytest.mark.parametrize("row", PAGES + API, ids=str)
def test_each_role_gets_its_answer(row: Row, places: tuple[Place, Place], client_as: Any, api_as: Any) -> None:
    """Every role is held in the first center alone, so the second is foreign to all of them."""
    own, foreign = places
    sign_in = api_as if row in API else client_as
    answers, wanted = {}, {}
    for role in Role:
        client = sign_in(user_with(role, own.center, everywhere=row.of_study and role is not Role.COORDINATOR))
        answers[role, "own"] = ask(client, row, own.parts)
        wanted[role, "own"] = expected(row, role)
        if row.of_center:
            answers[role, "foreign"] = ask(client, row, foreign.parts)
            wanted[role, "foreign"] = HIDDEN
    assert answers == wanted


@pytest.mark.parametrize("row", [row for row in PAGES + API if row.of_study], ids=str)
def test_what_is_made_of_all_centers_is_hidden_from_roles_of_one(
    row: Row, places: tuple[Place, Place], client_as: Any, api_as: Any
) -> None:
    sign_in = api_as if row in API else client_as
    for role in row.allowed:
        assert ask(sign_in(user_with(role, places[0].center, everywhere=False)), row, places[0].parts) == HIDDEN, role


@pytest.mark.parametrize("row", naming("series_id", "prediction_id"), ids=str)
def test_a_foreign_series_under_an_own_patient_is_not_found(
    row: Row, places: tuple[Place, Place], client_as: Any, api_as: Any
) -> None:
    """The number of somebody else's series or prediction in the address of one's own patient opens nothing."""
    mixed = {**places[1].parts, "study_id": places[0].parts["study_id"]}
    client = (api_as if row in API else client_as)(user_with(R.COORDINATOR, places[0].center))
    assert ask(client, row, mixed) == HIDDEN


@pytest.mark.parametrize(
    "row", naming("study_id", "series_id", "prediction_id", "experiment_id", "name", "query_id", "entry_id"), ids=str
)
def test_an_absent_object_is_answered_as_a_foreign_one(row: Row, places: Any, client_as: Any, api_as: Any) -> None:
    absent = {"study_id": "C1-9999", "series_id": 10**30, "index": 10**30, "prediction_id": 10**30,
              "experiment_id": 10**30, "name": "none", "held_id": 10**30, "transfer_id": 10**30,
              "variable": "none", "form": "none", "visit": "none", "instance": 10**30, "query_id": 10**30,
              "run_id": 10**30, "import_id": 10**30, "signature_id": 10**30, "entry_id": 10**30,
              "version": 10**30, "other": 10**30, "suffix": "none"}  # fmt: skip
    sign_in = api_as if row in API else client_as
    for role in Role:
        assert ask(sign_in(user_with(role, places[0].center)), row, absent) == HIDDEN, role


@pytest.mark.parametrize("study_id", ["\x00", "C1-0001\x00", "x" * 5000, "%", "'", "C1-0001 ", "c1-0001", "患者"])
def test_a_strange_study_id_is_not_found(study_id: str, places: Any, client_as: Any, api_as: Any) -> None:
    user = user_with(R.COORDINATOR, places[0].center)
    for row in naming("study_id"):
        client = (api_as if row in API else client_as)(user)
        assert ask(client, row, {**places[0].parts, "study_id": study_id}) == HIDDEN, row


@pytest.mark.parametrize("row", PAGES, ids=str)
def test_pages_ask_strangers_to_sign_in(row: Row, places: tuple[Place, Place]) -> None:
    url = address(row.name, places[0].parts)
    answer = getattr(Client(), row.method)(url)
    if row.name == "set_language":  # so that the sign-in page can be read in either language
        assert (answer.status_code, answer["Location"]) == (302, "/")
        return
    assert answer.status_code == 302
    assert answer["Location"].startswith("/account/login/?next=")


@pytest.mark.parametrize("row", API, ids=str)
def test_the_api_refuses_strangers(row: Row, places: tuple[Place, Place]) -> None:
    answer = getattr(APIClient(), row.method)(address(row.name, places[0].parts))
    assert answer.status_code == 401
    assert answer["WWW-Authenticate"] == "Token"


def test_the_api_takes_a_token(places: tuple[Place, Place]) -> None:
    token = Token.objects.create(user=user_with(R.PI, places[0].center, everywhere=False))
    client = APIClient(HTTP_AUTHORIZATION=f"Token {token.key}")
    assert [each["study_id"] for each in client.get("/api/v1/patients/").json()["results"]] == ["C1-0001"]
    assert APIClient(HTTP_AUTHORIZATION="Token nonsense").get("/api/v1/patients/").status_code == 401


@pytest.mark.parametrize("row", [row for row in PAGES if row.method != "get"], ids=str)
def test_pages_that_change_something_need_the_csrf_token(row: Row, places: tuple[Place, Place]) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(
        user_with(R.COORDINATOR, places[0].center), backend="allauth.account.auth_backends.AuthenticationBackend"
    )
    assert client.post(address(row.name, places[0].parts)).status_code == 403


@pytest.mark.django_db
@pytest.mark.parametrize("name", sorted(SIGN_IN))
def test_sign_in_pages_for_strangers(name: str) -> None:
    kwargs = {
        "account_reset_password_from_key": {"uidb36": "1", "key": "x-y"},
        "account_confirm_email": {"key": "nonsense"},
    }.get(name)
    assert Client().get(reverse(name, kwargs=kwargs)).status_code == SIGN_IN[name]


@pytest.mark.django_db
@pytest.mark.parametrize("name", sorted(OWN_ACCOUNT))
def test_own_account_pages_ask_strangers_to_sign_in(name: str) -> None:
    answer = Client().get(reverse(name))
    assert answer.status_code == 302
    assert answer["Location"].startswith("/account/login/")


@pytest.mark.django_db
@pytest.mark.parametrize("name", sorted(OPEN))
def test_load_balancers_need_no_sign_in(name: str) -> None:
    answer = Client().get(reverse(name))
    assert answer.status_code == 200
    assert answer.json() == {"status": "ok"}


def test_somebody_without_a_role_sees_nothing(places: tuple[Place, Place], client_as: Any, api_as: Any) -> None:
    user = UserFactory()
    assert b"no role" in client_as(user).get("/").content
    for row in PAGES + API:
        if row.allowed != EVERYBODY:
            client = (api_as if row in API else client_as)(user)
            assert ask(client, row, places[0].parts) == HIDDEN, row


def test_a_closed_account_is_out_at_once(places: tuple[Place, Place], client_as: Any) -> None:
    user = user_with(R.COORDINATOR, places[0].center)
    client = client_as(user)
    assert client.get("/patients/").status_code == 200
    User.objects.filter(pk=user.pk).update(is_active=False)
    assert client.get("/patients/").status_code == 302
