"""A version is published: what is stored moves by rule, all of it or nothing, and nothing ever entered is lost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from django.http import Http404

from apps.accounts.models import User
from apps.accounts.policy import Role
from apps.audit.models import AuditEvent
from apps.audit.verification import Verification
from apps.core.errors import Conflict, Refusal
from apps.core.models import Job
from apps.crf.dictionary import load_dictionary
from apps.crf.missing import Absent, Missing
from apps.crf.models import CrfForm, CrfValue, DictionaryVersion, Part, Query, SecondEntry, Signature
from apps.crf.places import Place
from apps.crf.queries.services import open_query
from apps.crf.selectors import form_of, history_of, values_at
from apps.crf.services import save_form
from apps.crf.signatures.selectors import signatures_of
from apps.crf.signatures.services import sign_form
from apps.crf.trail import describe_migrated, describe_values
from apps.crf.versions.current import DictionaryChanged, ask_by, current_dictionary, look_again
from apps.crf.versions.models import DictionaryVersion as Version
from apps.crf.versions.services import discard_draft_version, draft_version, publish_version, set_moves
from apps.patients.models import Patient
from tests.crf.versions.conftest import Publish, shipped, text, variable, without, work
from tests.factories import PASSWORD, PatientFactory

pytestmark = pytest.mark.django_db
Users = dict[Role, User]
FURTHER = Place("laboratory", "stay", 1)


def with_letters(data: dict[str, Any]) -> dict[str, Any]:
    """Code the sex by letters, which the comparison with the CT does not know."""
    for choice in variable(data, "sex")["choices"]:
        choice["value"] = choice["value"][0]
    return data


def save(
    actor: User, patient: Patient, values: Mapping[str, object], place: Place | None = None, **more: Any
) -> CrfForm:
    patient = Patient.objects.get(pk=patient.pk)
    options: dict[str, Any] = {"place": place} if place else {}
    read = form_of(patient, **options).version
    return save_form(
        actor=actor, patient=patient, read_version=read, values=values, reason="source", **options, **more
    ).form  # fmt: skip


def stored(patient: Patient) -> CrfForm:
    return CrfForm.objects.get(main_of=patient)


def test_a_version_that_only_adds_moves_nothing(users: Users, patient: Patient, publish: Publish) -> None:
    save(users[Role.COORDINATOR], patient, {"age": "67", "smoking": "true"})
    data = shipped()
    label = {"en": "Hematocrit", "zh-Hans": "红细胞压积"}
    data["sections"][0]["variables"].append({"name": "hematocrit", "label": label, "type": "integer", "range": [1, 90]})
    version = publish(data)
    assert (version.state, version.number, load_dictionary().id) == (Version.State.PUBLISHED, 2, "ich-2")
    form = stored(patient)
    assert (form.version, form.dictionary_version, form.values) == (1, "ich-1", {"age": 67, "smoking": True})
    assert version.impact["touched"] == 0
    form = save(users[Role.COORDINATOR], patient, {"hematocrit": "41"})
    assert (form.dictionary_version, form.values["hematocrit"]) == ("ich-2", 41)


def test_a_renamed_variable_keeps_its_values_and_its_history(users: Users, patient: Patient, publish: Publish) -> None:
    save(users[Role.COORDINATOR], patient, {"alcohol": "true"})
    save(users[Role.COORDINATOR], patient, {"alcohol": "false"})
    other = PatientFactory(center=patient.center, enrolled_by=users[Role.COORDINATOR])
    save(users[Role.COORDINATOR], other, {}, missing={"alcohol": "unknown"})
    data = shipped()
    variable(data, "alcohol")["name"] = "alcohol_use"
    version = publish(data, {"alcohol_use": {"source": "alcohol"}})
    form = stored(patient)
    assert (form.values, form.version, form.dictionary_version) == ({"alcohol_use": False}, 3, "ich-2")
    assert stored(other).answers == {"alcohol_use": Absent(Missing.UNKNOWN)}
    assert values_at(form, 2) == {"alcohol": False}
    past = history_of(form, load_dictionary().variables["alcohol_use"])
    assert [(each.text, each.reason) for each in past] == [("No", "amendment 1"), ("No", "source"), ("Yes", "source")]
    assert version.impact["variables"]["alcohol"] == dict(stored=2, converted=2, aside=0, hidden=0, unfit=0)
    event = AuditEvent.objects.filter(action="migrate_form", object_id=str(form.pk)).get()
    assert event.changes == {"alcohol": [False, None], "alcohol_use": [None, False]}
    told = {(each.label, each.old, each.new) for each in describe_migrated(event.changes, event.at)}
    assert told == {("Alcohol intake", "No", ""), ("Alcohol intake", "", "No")}


def test_choices_are_recoded_and_each_value_is_read_by_its_own_time(
    users: Users, patient: Patient, publish: Publish
) -> None:
    """The codes are turned round: what was 1 is 2 now. A label by today's dictionary would turn the past round."""
    save(users[Role.COORDINATOR], patient, {"gcs_eye": "1"})
    data = shipped()
    for choice in variable(data, "gcs_eye")["choices"]:
        choice["value"] = 5 - choice["value"]
    publish(data, {"gcs_eye": {"recode": {"1": 4, "2": 3, "3": 2, "4": 1}}})
    form = stored(patient)
    assert form.values["gcs_eye"] == 4
    past = history_of(form, load_dictionary().variables["gcs_eye"])
    assert [each.text for each in past] == ["4 – None", "1 – None"]
    entered, moved = AuditEvent.objects.filter(object_type="crf.crfform").order_by("pk")
    assert [each.new for each in describe_values({"gcs_eye": entered.changes["gcs_eye"]}, entered.at)] == ["1 – None"]
    (told,) = describe_migrated({"gcs_eye": moved.changes["gcs_eye"]}, moved.at)
    assert (told.old, told.new) == ("1 – None", "4 – None")


def test_numbers_are_converted_to_another_unit(users: Users, patient: Patient, publish: Publish) -> None:
    """1 kPa is 7.50062 mmHg (NIST SP 811): 150 mmHg are 19.9983 kPa."""
    save(users[Role.COORDINATOR], patient, {"systolic_bp": "150", "diastolic_bp": "90"})
    data = shipped()
    changed = without(data, "mean_arterial_pressure")
    for name in ("systolic_bp", "diastolic_bp"):
        variable(changed, name).update(
            type="decimal", unit={"en": "kPa", "zh-Hans": "kPa"}, range=[5, 47], usual=[10, 35], decimals=1
        )
        del variable(changed, name)["other_units"]
    rule = {"factor": 0.133322}
    aside = {"mean_arterial_pressure": {"set_aside": True}}
    publish(changed, {"systolic_bp": rule, "diastolic_bp": rule, **aside})
    assert stored(patient).values == {"systolic_bp": 20.0, "diastolic_bp": 12.0}


def test_a_number_in_another_unit_needs_a_factor(users: Users, patient: Patient, publish: Publish) -> None:
    save(users[Role.COORDINATOR], patient, {"onset_to_ct_hours": "2.5"})
    data = shipped()
    changed = variable(data, "onset_to_ct_hours")
    changed.update(unit={"en": "minutes", "zh-Hans": "分钟"}, range=[0, 43200], usual=[10, 4320])
    del changed["other_units"]
    with pytest.raises(Refusal, match="onset_to_ct_hours has another unit"):
        publish(data)
    publish(data, {"onset_to_ct_hours": {"factor": 60}})
    assert stored(patient).values == {"onset_to_ct_hours": 150.0}


def test_a_renamed_number_in_another_unit_needs_a_factor_too(users: Users, patient: Patient, publish: Publish) -> None:
    """Neither the new name nor what is said of values without a place lets hours pass for minutes."""
    save(users[Role.COORDINATOR], patient, {"onset_to_ct_hours": "2.5"})
    data = shipped()
    changed = variable(data, "onset_to_ct_hours")
    changed.update(name="onset_to_ct", unit={"en": "minutes", "zh-Hans": "分钟"}, range=[0, 43200], usual=[10, 4320])
    del changed["other_units"]
    for rule in ({}, {"set_aside": True}):
        with pytest.raises(Refusal, match="onset_to_ct has another unit"):
            publish(data, {"onset_to_ct": {"source": "onset_to_ct_hours", **rule}})
    publish(data, {"onset_to_ct": {"source": "onset_to_ct_hours", "factor": 60}})
    assert stored(patient).values == {"onset_to_ct": 150.0}


def test_what_has_no_place_is_refused_until_it_is_set_aside(users: Users, patient: Patient, publish: Publish) -> None:
    save(users[Role.COORDINATOR], patient, {"smoking": "true", "subdural": "true", "age": "67"})
    data = without(shipped(), "subdural")
    with pytest.raises(Refusal, match="subdural is gone, but 1 value is stored"):
        publish(data)
    assert (load_dictionary().id, stored(patient).version) == ("ich-1", 1)
    version = publish(data, {"subdural": {"set_aside": True}})
    form = stored(patient)
    assert form.values == {"smoking": True, "age": 67}
    last = CrfValue.objects.get(form=form, form_version=2)
    assert (last.variable, last.value, last.reason, last.dictionary_version) == (
        "subdural", None, "amendment 1", "ich-2",
    )  # fmt: skip
    assert values_at(form, 1)["subdural"] is True, "the history keeps it"
    assert version.impact["variables"]["subdural"]["aside"] == 1


def test_an_answer_that_is_gone_is_recoded_or_set_aside(users: Users, patient: Patient, publish: Publish) -> None:
    save(users[Role.COORDINATOR], patient, {"treatment": "mia", "operation_date": "2024-03-01"})
    data = shipped()
    treatment = variable(data, "treatment")
    treatment["choices"] = [
        *treatment["choices"][:2],
        {"value": "surgery", "label": {"en": "Other", "zh-Hans": "其他"}},
    ]
    variable(data, "operation_date")["show_if"] = {"variable": "treatment", "one_of": ["cc", "surgery"]}
    data["rules"] = [rule for rule in data["rules"] if "treatment" not in str(rule["forbid"])]
    with pytest.raises(Refusal, match="treatment: 1 stored value does not fit any more"):
        publish(data)
    with pytest.raises(Refusal, match="no answer mia"):
        publish(data, {"treatment": {"recode": {"mia": "mia"}}})
    publish(data, {"treatment": {"recode": {"mia": "surgery"}}})
    assert stored(patient).values == {"treatment": "surgery", "operation_date": "2024-03-01"}


def test_what_is_no_longer_asked_goes_to_the_history(users: Users, patient: Patient, publish: Publish) -> None:
    save(users[Role.COORDINATOR], patient, {"treatment": "mia", "operation_date": "2024-03-01"})
    data = shipped()
    variable(data, "operation_date")["show_if"] = {"variable": "treatment", "one_of": ["cc"]}
    version = publish(data)
    assert stored(patient).values == {"treatment": "mia"}
    assert version.impact["variables"]["operation_date"]["hidden"] == 1


def test_a_new_formula_is_computed_and_completeness_counted_anew(
    users: Users, patient: Patient, publish: Publish
) -> None:
    save(users[Role.COORDINATOR], patient, {"systolic_bp": "150", "diastolic_bp": "90"})
    assert stored(patient).values["mean_arterial_pressure"] == 110
    data = shipped()
    variable(data, "mean_arterial_pressure")["computed"] = {"mean": {"systolic_bp": 1, "diastolic_bp": 1}}
    publish(data)
    assert stored(patient).values["mean_arterial_pressure"] == 120

    CrfForm.objects.filter(main_of=patient).update(is_complete=True)
    other = shipped()
    variable(other, "mean_arterial_pressure")["computed"] = {"mean": {"systolic_bp": 1, "diastolic_bp": 1}}
    variable(other, "age")["help"] = {"en": "In years.", "zh-Hans": "岁。"}
    publish(other)
    assert not stored(patient).is_complete, "what is kept beside the values is computed by the new version"


def test_a_value_outside_a_narrower_range_stays(users: Users, patient: Patient, publish: Publish) -> None:
    save(users[Role.COORDINATOR], patient, {"age": "17"})
    data = shipped()
    variable(data, "age")["range"] = [18, 120]
    publish(data)
    assert stored(patient).values == {"age": 17}


def test_further_forms_move_too(users: Users, patient: Patient, publish: Publish) -> None:
    save(users[Role.COORDINATOR], patient, {"lab_date": "2024-03-01", "lab_sodium": "140"}, FURTHER)
    data = shipped()
    variable(data, "lab_sodium")["name"] = "lab_na"
    publish(data, {"lab_na": {"source": "lab_sodium"}})
    form = CrfForm.objects.get(name="laboratory")
    assert form.values == {"lab_date": "2024-03-01", "lab_na": 140}


def test_a_form_with_entries_cannot_be_taken_out(users: Users, patient: Patient, publish: Publish) -> None:
    save(users[Role.COORDINATOR], patient, {"lab_date": "2024-03-01"}, FURTHER)
    data = shipped()
    data["forms"] = [form for form in data["forms"] if form["name"] != "laboratory"]
    aside = {name: {"set_aside": True} for name in load_dictionary().further["laboratory"].variables}
    with pytest.raises(Refusal, match="The form laboratory, stay is gone, but has been entered 1 time"):
        publish(data, aside)


def test_a_signature_of_what_moves_is_void_and_others_stay(users: Users, patient: Patient, publish: Publish) -> None:
    signer = users[Role.PI]
    other = PatientFactory(center=patient.center, enrolled_by=users[Role.COORDINATOR])
    for each, values in ((patient, {"alcohol": "true"}), (other, {"smoking": "true"})):
        form = save(users[Role.COORDINATOR], each, values)
        sign_form(
            actor=signer, form=form, part=Part.FORM, meaning="reviewed", read_version=1,
            username=signer.username, password=PASSWORD,
        )  # fmt: skip
    data = shipped()
    variable(data, "alcohol")["name"] = "alcohol_use"
    version = publish(data, {"alcohol_use": {"source": "alcohol"}})
    assert version.impact["signatures"] == 1
    assert [signatures_of(stored(each))[0].is_valid for each in (patient, other)] == [False, True]
    assert Signature.objects.count() == 2


def test_a_second_entry_under_way_is_ended_first(users: Users, patient: Patient, publish: Publish) -> None:
    form = save(users[Role.COORDINATOR], patient, {"alcohol": "true"})
    SecondEntry.objects.create(form=form, entered_by=users[Role.DATA_MANAGER], variables=["alcohol"])
    data = shipped()
    variable(data, "alcohol")["name"] = "alcohol_use"
    with pytest.raises(Refusal, match="1 second entry asks what changes"):
        publish(data, {"alcohol_use": {"source": "alcohol"}})


def test_a_query_stays_with_its_variable_and_is_answered_by_nobody(
    users: Users, patient: Patient, publish: Publish
) -> None:
    save(users[Role.COORDINATOR], patient, {"alcohol": "true", "subdural": "true"})
    for name in ("alcohol", "subdural"):
        open_query(actor=users[Role.MONITOR], patient=patient, variable=name, text="Sure?")
    data = without(shipped(), "subdural")
    variable(data, "alcohol")["name"] = "alcohol_use"
    version = publish(data, {"alcohol_use": {"source": "alcohol"}, "subdural": {"set_aside": True}})
    assert version.impact["queries"] == 1
    assert set(Query.objects.values_list("variable", "state")) == {("alcohol_use", "open"), ("subdural", "open")}
    save(users[Role.COORDINATOR], patient, {"alcohol_use": "false"})
    assert Query.objects.get(variable="alcohol_use").state == "answered"


@pytest.mark.django_db(transaction=True)
def test_the_chain_verifies_and_an_altered_version_is_found(users: Users, patient: Patient, publish: Publish) -> None:
    save(users[Role.COORDINATOR], patient, {"alcohol": "true"})
    data = shipped()
    variable(data, "alcohol")["name"] = "alcohol_use"
    version = publish(data, {"alcohol_use": {"source": "alcohol"}})
    assert list(Verification().faults()) == []
    version.content["title"]["en"] = "Another"
    version.save()
    assert ["not the dictionary that was published" in fault.sentence for fault in Verification().faults()] == [True]


def test_a_save_that_began_before_the_publication_is_refused(users: Users, patient: Patient, publish: Publish) -> None:
    before = current_dictionary()
    data = shipped()
    variable(data, "smoking")["required"] = False
    publish(data)
    ask_by(before)
    with pytest.raises(DictionaryChanged):
        save(users[Role.COORDINATOR], patient, {"age": "67"})
    assert not CrfForm.objects.exists()
    save(users[Role.COORDINATOR], patient, {"age": "67"})


def test_a_publication_that_fails_changes_nothing_and_can_be_tried_again(
    users: Users, patient: Patient, django_capture_on_commit_callbacks: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    actor = users[Role.DATA_MANAGER]
    save(users[Role.COORDINATOR], patient, {"alcohol": "true"})
    data = shipped()
    variable(data, "alcohol")["name"] = "alcohol_use"
    draft = draft_version(actor=actor, content=text(data))
    set_moves(actor=actor, version=draft, moves={"alcohol_use": {"source": "alcohol"}})
    publish_version(actor=actor, version=draft, reason="amendment")

    def fails(**_kwargs: Any) -> None:
        raise RuntimeError("power cut")

    monkeypatch.setattr("apps.crf.versions.services.store", fails)
    work(django_capture_on_commit_callbacks)
    found = DictionaryVersion.objects.get(pk=draft.pk)
    assert (found.state, found.job.state) == (Version.State.PUBLISHING, Job.State.FAILED)  # type: ignore[union-attr]
    look_again()
    assert (load_dictionary().id, stored(patient).values) == ("ich-1", {"alcohol": True})
    monkeypatch.undo()
    publish_version(actor=actor, version=found, reason="amendment")
    work(django_capture_on_commit_callbacks)
    assert stored(patient).values == {"alcohol_use": True}
    assert AuditEvent.objects.filter(action="publish_dictionary").count() == 1


def test_data_that_came_after_the_draft_are_counted_anew(
    users: Users, patient: Patient, django_capture_on_commit_callbacks: Any
) -> None:
    """Nothing was stored when the person pressed the button; somebody saved before the worker came."""
    actor = users[Role.DATA_MANAGER]
    draft = draft_version(actor=actor, content=text(without(shipped(), "subdural")))
    publish_version(actor=actor, version=draft, reason="amendment")
    save(users[Role.COORDINATOR], patient, {"subdural": "true"})
    work(django_capture_on_commit_callbacks)
    draft.refresh_from_db()
    assert (draft.state, draft.job.state) == (Version.State.DRAFT, Job.State.FAILED)  # type: ignore[union-attr]
    assert "subdural is gone" in draft.job.failure  # type: ignore[union-attr]
    assert stored(patient).values == {"subdural": True}


def test_one_draft_at_a_time_and_only_drafts_change(users: Users, patient: Patient, publish: Publish) -> None:
    actor = users[Role.DATA_MANAGER]
    first = draft_version(actor=actor, content=text(shipped()))
    second = draft_version(actor=actor, content=text(shipped()))
    first.refresh_from_db()
    assert (first.state, second.state, second.number) == (Version.State.DISCARDED, Version.State.DRAFT, 2)
    with pytest.raises(Conflict):
        publish_version(actor=actor, version=first, reason="x")
    discard_draft_version(actor=actor, version=second)
    published = publish(shipped())
    with pytest.raises(Conflict):
        discard_draft_version(actor=actor, version=published)
    assert draft_version(actor=actor, content=text(shipped())).number == 3


@pytest.mark.parametrize("role", [role for role in Role if role != Role.DATA_MANAGER])
def test_only_a_data_manager_of_all_centers_changes_the_dictionary(users: Users, role: Role) -> None:
    with pytest.raises(Http404):
        draft_version(actor=users[role], content=text(shipped()))


def test_a_reason_is_needed(users: Users) -> None:
    actor = users[Role.DATA_MANAGER]
    draft = draft_version(actor=actor, content=text(shipped()))
    with pytest.raises(Refusal, match="Say why"):
        publish_version(actor=actor, version=draft, reason=" ")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "empty"),
        (b"x" * (3 * 1024**2), "larger than 2 MB"),
        (b"\xff\xfe\x00", "UTF-8"),
        (b"name: [", "valid YAML"),
        (b"a: &a [1]\nb: *a", "alias"),
        (text({**shipped(), "name": "other"}), "of the dictionary “other”"),
        (text({**shipped(), "sections": []}), "wrong at sections"),
        (text(with_letters(shipped())), "with the answers male and female"),
    ],
)
def test_a_file_that_is_no_dictionary_gets_a_sentence(users: Users, content: bytes, sentence: str) -> None:
    with pytest.raises(Refusal, match=sentence):
        draft_version(actor=users[Role.DATA_MANAGER], content=content)
    assert not DictionaryVersion.objects.exists()


@pytest.mark.parametrize(
    ("moves", "sentence"),
    [
        ("x", "can't be read"),
        ({"age": {"power": 2}}, "can't be read"),
        ({"nothing": {"set_aside": True}}, "Neither version"),
        ({"alcohol_use": {}}, "is new"),
        ({"alcohol_use": {"source": "smoking"}}, "variable that is gone"),
        ({"smoking": {"source": "alcohol"}}, "values of its own"),
        ({"lab_note": {"source": "alcohol"}}, "different forms"),
        ({"smoking": {"factor": 2}}, "only a number"),
        ({"smoking": {"recode": {"true": "often"}}}, "no answer often"),
    ],
)
def test_a_rule_that_means_nothing_gets_a_sentence(users: Users, moves: Any, sentence: str) -> None:
    data = shipped()
    variable(data, "alcohol")["name"] = "alcohol_use"
    note = {"name": "lab_note", "label": {"en": "Note", "zh-Hans": "备注"}, "type": "yesno"}
    next(form for form in data["forms"] if form["name"] == "laboratory")["sections"][0]["variables"].append(note)
    actor = users[Role.DATA_MANAGER]
    draft = draft_version(actor=actor, content=text(data))
    with pytest.raises(Refusal, match=sentence):
        set_moves(actor=actor, version=draft, moves=moves)
