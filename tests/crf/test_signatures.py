"""Locks and signatures: what is refused, what voids, and that no row of them can be altered unseen."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection, transaction
from django.http import Http404
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.accounts.models import User
from apps.accounts.policy import Role
from apps.audit.models import AuditEvent
from apps.core.errors import Conflict, Refusal
from apps.crf.models import CrfForm, CrfValue, FormAct, Part, Signature
from apps.crf.places import Place
from apps.crf.selectors import form_of
from apps.crf.services import save_form
from apps.crf.signatures import services
from apps.crf.signatures.content import digest_of_values, events_of
from apps.crf.signatures.locks import FormLocked
from apps.crf.signatures.selectors import signatures_of, state_of
from apps.patients.models import Patient
from tests.audit.trails import faults, overwrite
from tests.factories import PASSWORD
from tests.protection import unprotected

pytestmark = pytest.mark.django_db
Users = dict[Role, User]


def save(users: Users, patient: Patient, role: Role = Role.DATA_MANAGER, **values: Any) -> CrfForm:
    fresh = Patient.objects.get(pk=patient.pk)
    version = form_of(fresh).version
    return save_form(actor=users[role], patient=fresh, read_version=version, values=values, reason="typing error").form


def sign(users: Users, form: CrfForm, part: Part = Part.FORM, password: str = PASSWORD, **other: Any) -> Signature:
    form = CrfForm.objects.get(pk=form.pk)
    actor = users[Role.PI if part == Part.FORM else Role.ASSESSOR]
    given: dict[str, Any] = {"meaning": services.meanings_for(actor, form, part)[-1], "read_version": form.version,
                             "username": actor.username} | other  # fmt: skip
    return services.sign_form(actor=actor, form=form, part=part, password=password, **given)


def voids(form: CrfForm) -> list[str]:
    return [shown.void for shown in signatures_of(CrfForm.objects.get(pk=form.pk))]


@pytest.fixture
def form(users: Users, patient: Patient) -> CrfForm:
    return save(users, patient, Role.COORDINATOR, age=60, gos_discharge=4)


def test_a_change_voids_the_form_and_says_which_value_by_whom(users: Users, patient: Patient, form: CrfForm) -> None:
    sign(users, form)
    sign(users, form, Part.OUTCOME)
    assert voids(form) == ["", ""]
    save(users, patient, age=61)
    whole, outcome = voids(form)
    assert "Age changed by " + users[Role.DATA_MANAGER].full_name in whole and outcome == ""
    save(users, patient, age=60)
    assert voids(form)[0] == whole, "a value that is changed back was changed"


def test_a_change_of_the_outcome_voids_it_and_tells_who_was_unblinded(
    users: Users, patient: Patient, form: CrfForm
) -> None:
    sign(users, form, Part.OUTCOME)
    save(users, patient, Role.ASSESSOR, gos_discharge=5)
    (shown,) = signatures_of(CrfForm.objects.get(pk=form.pk))
    assert shown.void.startswith("Void: ")
    assert any("when no longer blinded" in note for note in shown.notes)
    assert sign(users, form, Part.OUTCOME).meaning == "assessed_unblinded"


def test_signing_asks_for_name_and_password_and_counts_failures(users: Users, form: CrfForm) -> None:
    for wrong in [{"password": "wrong"}, {"username": "somebody"}] + [{"password": "wrong"}] * 3:
        with pytest.raises(Refusal, match="Enter both again") as refused:
            sign(users, form, **wrong)
        assert refused.value.status == 422
    with pytest.raises(Refusal, match="Wait 15 minutes") as stopped:
        sign(users, form)
    assert stopped.value.status == 429
    assert AuditEvent.objects.filter(action="fail_signing", actor=users[Role.PI]).count() == 5
    assert not Signature.objects.exists()
    assert "wrong" not in str(list(AuditEvent.objects.values()))


def test_an_account_without_password_is_told_so(users: Users, form: CrfForm) -> None:
    users[Role.PI].set_unusable_password()
    users[Role.PI].save()
    with pytest.raises(Refusal, match="no password"):
        sign(users, form)


def test_what_was_not_read_is_not_signed(users: Users, patient: Patient, form: CrfForm) -> None:
    save(users, patient, age=61)
    with pytest.raises(Conflict, match="changed since"):
        sign(users, form, read_version=1)
    sign(users, form, Part.OUTCOME, read_version=1)
    sign(users, form, Part.OUTCOME)  # the second is no longer a blinded one
    with pytest.raises(Conflict, match="already"):
        sign(users, form, Part.OUTCOME)


@pytest.mark.parametrize("role", sorted(set(Role) - {Role.PI}))
def test_only_the_investigator_signs_the_form(users: Users, form: CrfForm, role: Role) -> None:
    with pytest.raises(Http404):
        services.sign_form(
            actor=users[role], form=form, part=Part.FORM, meaning="approved", read_version=1,
            username=users[role].username, password=PASSWORD,
        )  # fmt: skip


def test_a_locked_form_refuses_each_save_and_unlocking_voids(
    users: Users, patient: Patient, form: CrfForm, client_as: Any, api_as: Any
) -> None:
    manager = users[Role.DATA_MANAGER]
    sign(users, form)
    sign(users, form, Part.OUTCOME)
    services.lock_form(actor=manager, form=form)
    with pytest.raises(FormLocked) as refused:
        save(users, patient, age=77)
    assert refused.value.errors == {"age": "Not saved: 77 years"}
    body = {"version": 1, "values": {"age": 77}}
    answer = api_as(manager).patch(f"/api/v1/patients/{patient}/crf/", body, format="json")
    assert (answer.status_code, answer.json()["code"]) == (409, "form_locked")
    page = client_as(manager).post(f"/patients/{patient}/crf/", {"version": "1", "age": "77"})
    assert page.status_code == 409
    assert b"The form is locked" in page.content and b'name="age"' not in page.content
    with pytest.raises(Refusal, match="Say why"):
        services.unlock_form(actor=manager, form=form, reason=" ")
    services.unlock_form(actor=manager, form=form, reason="new source data")
    whole, outcome = voids(form)
    assert "unlocked by" in whole and outcome == ""
    assert save(users, patient, age=77).values["age"] == 77


def test_api_signs_and_shows(users: Users, patient: Patient, form: CrfForm, api_as: Any) -> None:
    client, address = api_as(users[Role.PI]), f"/api/v1/patients/{patient}/crf/signatures/"
    body = {"part": "form", "meaning": "approved", "version": 1, "username": users[Role.PI].email, "password": PASSWORD}
    assert client.post(address, body, format="json").status_code == 201
    (signed,) = client.get(address).json()["signatures"]
    assert (signed["printed_name"], signed["meaning"], signed["valid"]) == (users[Role.PI].full_name, "approved", True)
    answer = client.post(f"{address}{signed['id']}/withdraw/", {"reason": "signed too early"}, format="json")
    assert "signed too early" in answer.json()["signatures"][0]["void"]


STEPS = st.lists(
    st.sampled_from(["age", "gos_discharge", "sex", "lock", "unlock", "sign", "sign_outcome", "withdraw"]), max_size=12
)


@given(steps=STEPS, data=st.data())
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_valid_means_that_the_digest_is_that_of_the_present_values(
    users: Users, patient: Patient, steps: list[str], data: st.DataObject
) -> None:
    with transaction.atomic():
        form = save(users, patient, Role.COORDINATOR, age=60, gos_discharge=4)
        voided: set[int] = set()
        for number, step in enumerate(["sign", *steps]):
            try:
                voided |= _take(users, patient, form, step, number)
            except Refusal:
                continue
        present = CrfForm.objects.get(pk=form.pk)
        events = events_of(present)
        for shown in state_of(present).signatures:
            digest = digest_of_values(present, events, shown.signature.variables, present.answers)
            same = digest == shown.signature.digest and shown.signature.pk not in voided
            assert shown.is_valid == same
        assert CrfValue.objects.filter(form=form).count() == len(events)
        assert faults() == []
        _alter(data)
        assert faults() != []
        transaction.set_rollback(True)


def _take(users: Users, patient: Patient, form: CrfForm, step: str, number: int) -> set[int]:
    values = {"age": 60 + number % 3, "gos_discharge": 4 + number % 2, "sex": ("male", "female")[number % 2]}
    manager, fresh = users[Role.DATA_MANAGER], CrfForm.objects.get(pk=form.pk)
    valid = [shown.signature for shown in signatures_of(fresh) if shown.is_valid]
    if step in values:
        role = Role.COORDINATOR if step == "gos_discharge" else Role.DATA_MANAGER
        save(users, patient, role, **{step: values[step]})
    elif step == "lock":
        services.lock_form(actor=manager, form=fresh)
    elif step == "unlock":
        services.unlock_form(actor=manager, form=fresh, reason="new source data")
        return {each.pk for each in valid if each.part == Part.FORM}
    elif step == "withdraw" and valid:
        services.withdraw_signature(actor=valid[-1].signer, signature=valid[-1], reason="too early")
        return {valid[-1].pk}
    elif step.startswith("sign"):
        sign(users, fresh, Part.OUTCOME if step == "sign_outcome" else Part.FORM)
    return set()


def _alter(data: st.DataObject) -> None:
    """Alter or delete one signature, lock or withdrawal by SQL."""
    rows = [*Signature.objects.all(), *FormAct.objects.all()]
    row = data.draw(st.sampled_from(rows))
    with unprotected():
        if data.draw(st.booleans()):
            overwrite(row, _text(row), "altered")
        else:
            with connection.cursor() as cursor:
                cursor.execute(f"DELETE FROM {row._meta.db_table} WHERE id = %s", [row.pk])


def _text(row: Signature | FormAct) -> str:
    return "printed_name" if isinstance(row, Signature) else "reason"


def test_each_form_is_locked_and_signed_by_itself(
    users: Users, patient: Patient, form: CrfForm, client_as: Any
) -> None:
    place = Place("follow_up", "month_3")
    late = save_form(
        actor=users[Role.COORDINATOR], patient=patient, read_version=0, values={"fu_status": "lost"}, place=place
    ).form
    base = f"/patients/{patient.study_id}/crf/follow_up/month_3/1/"
    client = client_as(users[Role.PI])
    assert f'href="{base}sign/"' in client.get(base).content.decode()
    assert f'href="{base}sign-outcome/"' not in client_as(users[Role.ASSESSOR]).get(base).content.decode()
    answer = client.post(
        f"{base}sign/",
        {"version": "1", "meaning": "approved", "username": users[Role.PI].username, "password": PASSWORD},
    )
    assert (answer.status_code, answer["Location"]) == (302, base)
    assert voids(late) == [""] and voids(form) == []
    services.lock_form(actor=users[Role.DATA_MANAGER], form=late)
    with pytest.raises(FormLocked):
        save_form(
            actor=users[Role.COORDINATOR], patient=patient, read_version=1, values={"fu_status": "alive"},
            reason="typing error", place=place,
        )  # fmt: skip
    save(users, patient, age=70)
    assert voids(late) == [""]
    with pytest.raises(Refusal):
        sign(users, late, Part.OUTCOME, meaning="assessed_blinded")
