"""Which series stands for the initial CT: the proposal with its reasons, and a person's word against it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from itertools import count
from typing import Any

import pytest
from django.http import Http404

from apps.accounts.models import User
from apps.accounts.policy import Role
from apps.audit.models import AuditEvent
from apps.core.errors import Refusal
from apps.crf.services import save_form
from apps.imaging.choice import apply_choice, judge, on_change, override, propose
from apps.imaging.models import ImagingStudy, Series, SeriesChoice
from apps.patients import changes
from apps.patients.dates import move_date
from apps.patients.models import Patient

pytestmark = pytest.mark.django_db

ADMITTED = date(2024, 3, 31)
WHY = "The first one is blurred."
_uids = count(1)


@pytest.fixture
def make(patient: Patient, coordinator: User) -> Callable[..., Series]:
    """Store a good initial CT of the patient, but for what a test asks for."""

    def make(*, study: ImagingStudy | None = None, days: int = 0, time: str = "101500", **fields: Any) -> Series:
        day = move_date(ADMITTED + timedelta(days=days), patient.study_id)
        said = fields.pop("study_description", "Head CT")
        study = study or ImagingStudy.objects.create(
            patient=patient, study_instance_uid=f"2.25.{next(_uids)}", study_date=day, study_time=time, description=said
        )
        acquisition = {
            "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"],
            "ConvolutionKernel": "H31s",
            "BodyPartExamined": "HEAD",
            "SliceThickness": "5",
            **fields.pop("acquisition", {}),
        }
        values = {
            "description": "Head 5.0",
            "series_date": day,
            "series_time": time,
            "geometry": {"slices": 28},
            "geometry_report": {"level": "pass", "findings": []},
            **fields,
        }
        return Series.objects.create(
            study=study,
            patient=patient,
            series_instance_uid=f"2.25.{next(_uids)}",
            uploaded_by=coordinator,
            acquisition=acquisition,
            **values,
        )

    return make


def moved(patient: Patient) -> date:
    return move_date(ADMITTED, patient.study_id)


def admit(patient: Patient, actor: User, day: date = ADMITTED, version: int = 0) -> None:
    values = {"admission_date": day.isoformat()}
    save_form(actor=actor, patient=patient, read_version=version, values=values, reason="typing error")


def chosen(patient: Patient) -> list[Series]:
    return list(Series.objects.filter(patient=patient, is_chosen=True))


def test_the_initial_head_ct_is_proposed_with_its_reasons(make: Callable[..., Series], patient: Patient) -> None:
    verdict = judge(make(), moved(patient))
    assert verdict.eligible
    assert {reason.good for reason in verdict.reasons} == {True}
    told = " ".join(reason.sentence for reason in verdict.reasons)
    for words in ("28 slices", "No contrast agent", "soft tissue", "day of admission", "original"):
        assert words in told


# What one series differs in -> the words of the one reason that then speaks against it.
AGAINST: dict[str, tuple[dict[str, Any], str]] = {
    "geometry": ({"geometry_report": {"level": "fail"}}, "no usable volume"),
    "no slices": ({"geometry": {}}, "no usable volume"),
    "preprocessing": ({"state": Series.State.FAILED}, "No brain"),
    "other modality": ({"modality": "MR"}, "no CT"),
    "agent": ({"acquisition": {"ContrastBolusAgent": "OMNIPAQUE 350"}}, "contrast agent"),
    "angiography": ({"description": "CTA_Head 0.75"}, "angiography"),
    "perfusion": ({"description": "Perfusion 4D"}, "perfusion"),
    "enhanced": ({"description": "头颅增强"}, "contrast"),
    "projection": ({"description": "MIP axial"}, "projection"),
    "bone kernel": ({"acquisition": {"ConvolutionKernel": ["Hr64", "3"]}}, "bone"),
    "bone name": ({"description": "HEAD BONE"}, "bone"),
    "body part": ({"acquisition": {"BodyPartExamined": "CHEST"}}, "body part"),
    "two days before": ({"days": -2}, "2 days before"),
    "two days after": ({"days": 2}, "2 days after"),
}


@pytest.mark.parametrize("name", AGAINST)
def test_what_is_no_initial_ct_is_not_proposed_and_says_why(
    name: str, make: Callable[..., Series], patient: Patient
) -> None:
    fields, words = AGAINST[name]
    verdict = judge(make(**fields), moved(patient))
    assert not verdict.eligible
    (against,) = (reason.sentence for reason in verdict.reasons if not reason.good)
    assert words in against


@pytest.mark.parametrize(
    "description",
    [
        "CT HEAD WITHOUT CONTRAST",
        "HEAD W/O CON",
        "Non-contrast 5mm",
        "NCCT",
        "unenhanced head",
        "头颅平扫",
        "HEAD C-",
        "",
    ],
)
def test_descriptions_without_contrast(description: str, make: Callable[..., Series], patient: Patient) -> None:
    assert judge(make(description=description), moved(patient)).eligible


@pytest.mark.parametrize("description", ["HEAD W CONTRAST", "HEAD C+", "Brain post contrast", "CTV", "脑血管造影"])
def test_descriptions_with_contrast(description: str, make: Callable[..., Series], patient: Patient) -> None:
    assert not judge(make(description=description), moved(patient)).eligible


@pytest.mark.parametrize("description", ["CT HEAD W/WO CONTRAST", "头颅平扫+增强", "Head with and without contrast"])
def test_a_study_of_both_says_nothing_of_its_series(
    description: str, make: Callable[..., Series], patient: Patient
) -> None:
    verdict = judge(make(study_description=description), moved(patient))
    assert {reason.good for reason in verdict.reasons} == {True}


@pytest.mark.parametrize(("days", "words"), [(-1, "day before"), (0, "on the day"), (1, "day after")])
def test_a_day_off_counts_as_within_24_hours(
    days: int, words: str, make: Callable[..., Series], patient: Patient
) -> None:
    verdict = judge(make(days=days), moved(patient))
    assert verdict.eligible
    assert any(words in reason.sentence for reason in verdict.reasons)


def test_without_a_day_of_admission_the_time_is_said_to_be_unchecked(make: Callable[..., Series]) -> None:
    verdict = judge(make(days=900), None)
    assert verdict.eligible
    assert any("not entered yet" in reason.sentence for reason in verdict.reasons)


def test_the_best_comes_first(make: Callable[..., Series], patient: Patient, coordinator: User) -> None:
    admit(patient, coordinator)
    wanted = make()
    in_order = [
        wanted,
        make(study=wanted.study, acquisition={"SliceThickness": "0.75"}, geometry={"slices": 220}),
        make(study=wanted.study, geometry_report={"level": "warn"}),
        make(study=wanted.study, acquisition={"ImageType": ["DERIVED", "PRIMARY", "AXIAL"]}),
        make(time="210000"),
        make(days=1),
        make(study_description="CTA head and neck"),
        make(study=wanted.study, acquisition={"ConvolutionKernel": "H60s"}),
        make(days=7),
        make(study=wanted.study, geometry_report={"level": "fail"}),
    ]
    make(modality="SEG")
    assert [series for series, _ in propose(patient)] == in_order


def test_proposing_takes_two_queries(
    make: Callable[..., Series], patient: Patient, coordinator: User, django_assert_num_queries: Any
) -> None:
    admit(patient, coordinator)
    for _ in range(3):
        make()
    with django_assert_num_queries(2):
        propose(patient)


def test_exactly_one_usable_series_is_marked(make: Callable[..., Series], patient: Patient) -> None:
    assert not apply_choice(patient)
    make(geometry_report={"level": "fail"})
    assert not apply_choice(patient)
    assert chosen(patient) == []
    later = make(time="120000")
    assert apply_choice(patient)
    assert chosen(patient) == [later]
    first = make(time="090000")
    assert apply_choice(patient)
    assert chosen(patient) == [first]
    assert not apply_choice(patient)
    Series.objects.filter(pk=first.pk).update(state=Series.State.FAILED)
    assert apply_choice(patient)
    assert chosen(patient) == [later]
    Series.objects.filter(pk=later.pk).update(state=Series.State.FAILED)
    assert apply_choice(patient)
    assert chosen(patient) == []


def test_a_person_overrides_with_a_reason_and_goes_back(
    make: Callable[..., Series], patient: Patient, coordinator: User
) -> None:
    proposed, other = make(), make(acquisition={"ConvolutionKernel": "H60s"})
    apply_choice(patient)
    override(coordinator, patient, other, f"  {WHY} ")
    assert chosen(patient) == [other]
    event = AuditEvent.objects.get()
    assert (event.actor, event.action, event.center, event.reason) == (
        coordinator,
        "choose_series",
        patient.center,
        WHY,
    )
    assert event.changes == {"series": [proposed.pk, other.pk]}
    assert SeriesChoice.objects.get().chosen_by == coordinator
    make(time="000100")
    assert not apply_choice(patient)  # a better proposal does not undo a person's word
    override(coordinator, patient, None, "The proposal was right.")
    assert chosen(patient) != [other]
    assert SeriesChoice.objects.count() == AuditEvent.objects.count() == 2


def test_a_chosen_series_that_fails_gives_way(make: Callable[..., Series], patient: Patient, coordinator: User) -> None:
    proposed, other = make(), make(time="200000")
    override(coordinator, patient, other, WHY)
    assert chosen(patient) == [other]
    Series.objects.filter(pk=other.pk).update(state=Series.State.FAILED)
    apply_choice(patient)
    assert chosen(patient) == [proposed]


def test_the_same_word_again_changes_nothing(make: Callable[..., Series], patient: Patient, coordinator: User) -> None:
    series = make()
    override(coordinator, patient, None, WHY)
    assert not SeriesChoice.objects.exists()
    for _ in range(2):
        override(coordinator, patient, series, WHY)
    assert SeriesChoice.objects.count() == AuditEvent.objects.count() == 1


@pytest.mark.parametrize("reason", ["", "    ", "ok  .", "why\x00not", "x" * 501])
def test_an_override_needs_a_reason(
    reason: str, make: Callable[..., Series], patient: Patient, coordinator: User
) -> None:
    with pytest.raises(Refusal) as caught:
        override(coordinator, patient, make(), reason)
    assert caught.value.code == "reason_needed"
    assert not SeriesChoice.objects.exists()


def test_a_series_without_a_volume_cannot_be_chosen(
    make: Callable[..., Series], patient: Patient, coordinator: User
) -> None:
    with pytest.raises(Refusal) as caught:
        override(coordinator, patient, make(geometry_report={"level": "fail"}), WHY)
    assert caught.value.code == "series_not_usable"


def test_only_the_own_center_chooses_and_only_the_patients_series(
    make: Callable[..., Series],
    patient: Patient,
    foreign_patient: Patient,
    users: dict[Role, User],
    foreign_coordinator: User,
) -> None:
    series = make()
    for actor in (foreign_coordinator, users[Role.ANNOTATOR], users[Role.PI]):
        with pytest.raises(Http404):
            override(actor, patient, series, WHY)
    with pytest.raises(Http404):
        override(foreign_coordinator, foreign_patient, series, WHY)
    assert not SeriesChoice.objects.exists()


def test_the_day_of_admission_decides_anew(make: Callable[..., Series], patient: Patient, coordinator: User) -> None:
    early, late = make(days=-30), make()
    on_change(patient)
    assert chosen(patient) == [early]
    admit(patient, coordinator)
    on_change(patient)
    assert chosen(patient) == [late]
    admit(patient, coordinator, ADMITTED - timedelta(days=30), version=1)
    on_change(patient)
    assert chosen(patient) == [early]


def test_listeners_hear_of_another_choice_once(
    make: Callable[..., Series],
    patient: Patient,
    monkeypatch: pytest.MonkeyPatch,
    django_capture_on_commit_callbacks: Any,
) -> None:
    told: list[Patient] = []
    monkeypatch.setattr(changes, "_listeners", [told.append, on_change])
    make()
    with django_capture_on_commit_callbacks(execute=True):
        on_change(patient)
    assert told == [patient]
