"""The form held against the CT: age and sex of its header, volume and side of the mask."""

from __future__ import annotations

import dataclasses
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.accounts.models import User
from apps.accounts.policy import Role
from apps.annotation.models import Mask
from apps.annotation.query_rules import age_and_sex, locations, sides, volumes
from apps.crf import selectors
from apps.crf.dictionary import Dictionary, Range, Section, Variable, VariableType, load_dictionary
from apps.crf.queries.models import Query
from apps.crf.queries.rules import Subject, base, rules
from apps.crf.queries.running import run_rules
from apps.crf.selectors import form_of
from apps.crf.services import save_form
from apps.crf.texts import Text
from apps.imaging.models import ImagingStudy, Series
from apps.patients.models import Patient
from ml.hematoma import CENTER
from tests.factories import PatientFactory

pytestmark = pytest.mark.django_db
Users = dict[Role, User]


def give_ct(patient: Patient, actor: User, volume: str = "20.00", **header: str) -> Series:
    """Give a patient a CT that counts, with this header, and a mask."""
    study = ImagingStudy.objects.create(patient=patient, study_instance_uid=f"2.25.{patient.pk}")
    series = Series.objects.create(
        study=study, patient=patient, series_instance_uid=f"2.25.{patient.pk}.1", is_chosen=True, uploaded_by=actor,
        acquisition=header,
    )  # fmt: skip
    Mask.objects.create(
        series=series, patient=patient, version=1, file="none", sha256="0", volume_ml=Decimal(volume),
        abc2_ml=Decimal(volume), uploaded_by=actor, state=Mask.State.APPROVED,
    )  # fmt: skip
    return series


def enter(patient: Patient, actor: User, **values: Any) -> None:
    patient = Patient.objects.get(pk=patient.pk)
    version = form_of(patient).version
    save_form(actor=actor, patient=patient, read_version=version, values=values, reason="typing error")


def asked() -> dict[str, str]:
    """Return the open queries against the CT, and what each says."""
    found = Query.objects.filter(rule__startswith="image_").exclude(state="closed")
    told = {}
    for query in found:
        told[query.rule] = rules[query.rule].say(base.Finding(query.rule, query.variable, query.about, query.facts))
    return told


def test_age_and_sex_of_the_header(users: Users, patient: Patient) -> None:
    actor = users[Role.COORDINATOR]
    give_ct(patient, actor, PatientAge="064Y", PatientSex="F")
    enter(patient, actor, age=71, sex="male")
    run_rules()
    assert asked() == {
        "image_age": "Age is 71 years on the form and 64 years in the header of the CT. Check both.",
        "image_sex": "Sex is Male on the form and another in the header of the CT. Check both.",
    }
    # A save judges again without a look at the image.
    enter(patient, actor, sex="female")
    assert list(asked()) == ["image_age"]
    enter(patient, actor, age=66)
    assert asked() == {}


@pytest.mark.parametrize(
    ("header", "values", "found"),
    [
        ({"PatientAge": "064Y"}, {"age": 66}, set()),  # two years: the age at onset, a birthday, a rounding
        ({"PatientAge": "064Y"}, {"age": 67}, {"image_age"}),
        ({"PatientAge": "768M"}, {"age": 64}, set()),  # months
        ({"PatientAge": "", "PatientSex": "O"}, {"age": 64, "sex": "male"}, set()),
        ({"PatientAge": "064Y", "PatientSex": "M"}, {"gcs": 9}, set()),  # nothing entered to compare
        ({}, {"age": 64, "sex": "male"}, set()),
    ],
)
def test_when_the_header_differs(
    header: dict[str, str], values: dict[str, Any], found: set[str], users: Users, patient: Patient
) -> None:
    give_ct(patient, users[Role.COORDINATOR], **header)
    enter(patient, users[Role.COORDINATOR], **values)
    run_rules()
    assert set(asked()) == found


def lay_mask(patient: Patient, actor: User, extent: list[float], middle: float = 0.0, **report: Any) -> None:
    """Give a patient a mask that lies there and above the tentorium, in a head whose middle is there."""
    series = give_ct(patient, actor)
    affine = np.diag([1.0, 1.0, 2.0, 1.0])
    affine[:3, 3] = np.array([middle, 0, 0]) - np.array([191, 191, 158]) / 2
    head = {"foramen_magnum_lps": [middle, 28.5, -70.5], "base_covered": True, "vertex_covered": True, **report}
    Series.objects.filter(pk=series.pk).update(
        state=Series.State.READY, preprocessing_report={"affine": affine.tolist(), **head}
    )
    center = dict(zip(CENTER, (middle + 30.0, 10.0, 40.0), strict=True))
    Mask.objects.filter(series=series).update(lateral_mm=extent, features=center)


@pytest.mark.parametrize(
    ("entered", "extent", "middle", "half"),
    [
        ("right", [5.0, 25.0, 40.0], 0.0, "left"),
        ("midline", [5.0, 25.0, 40.0], 0.0, "left"),
        ("left", [-40.0, -25.0, -5.0], 0.0, "right"),
        ("left", [5.0, 25.0, 40.0], 60.0, "right"),  # the head lies beside the middle of the scanner
        ("left", [5.0, 25.0, 40.0], 0.0, None),
        ("right", [-9.0, 1.0, 9.0], 0.0, None),  # near the middle
        ("right", [], 0.0, None),  # measured by an earlier version
    ],
)
def test_side_of_the_mask(
    entered: str, extent: list[float], middle: float, half: str | None, users: Users, patient: Patient
) -> None:
    lay_mask(patient, users[Role.COORDINATOR], extent, middle)
    enter(patient, users[Role.COORDINATOR], bleed_side=entered)
    run_rules()
    told = f"Side is {entered.title()} on the form, and by the mask the hematoma lies in the {half} half of the head."
    assert asked() == ({"image_side": f"{told} Check both."} if half else {})


def test_a_corrected_side_closes_its_query(users: Users, patient: Patient) -> None:
    lay_mask(patient, users[Role.COORDINATOR], [5.0, 25.0, 40.0])
    enter(patient, users[Role.COORDINATOR], bleed_side="right")
    run_rules()
    enter(patient, users[Role.COORDINATOR], bleed_side="left")
    assert asked() == {}


def test_the_ct_that_counts_is_asked(users: Users, patient: Patient) -> None:
    give_ct(patient, users[Role.COORDINATOR], PatientAge="020Y")
    Series.objects.update(is_chosen=False)
    enter(patient, users[Role.COORDINATOR], age=64)
    run_rules()
    assert asked() == {}


@pytest.fixture
def with_volume(monkeypatch: pytest.MonkeyPatch) -> Dictionary:
    """The dictionary with a volume on the form, which the study's own has not."""
    variable = Variable(
        name="volume", label=Text(en="Volume", **{"zh-Hans": "体积"}), type=VariableType.DECIMAL,
        range=Range(low=0.0, high=300.0), score_inputs={"volume_ml": "value"},
    )  # fmt: skip
    section = Section(name="image", label=variable.label, variables=(variable,))
    dictionary = load_dictionary()
    wider = dataclasses.replace(dictionary, sections=(*dictionary.sections, section))
    monkeypatch.setattr(base, "load_dictionary", lambda: wider)
    monkeypatch.setattr(selectors, "load_dictionary", lambda: wider)
    return wider


@pytest.mark.parametrize(
    ("entered", "measured", "differs"),
    [
        (20.0, "20.00", False),
        (26.5, "20.00", False),  # 6.5 mL more, but 32.5 %
        (27.0, "20.00", True),  # 7 mL and 35 %
        (13.0, "20.00", True),
        (5.0, "2.00", False),  # 150 %, but 3 mL
        (70.0, "60.00", False),  # 10 mL, but 17 %
        (81.0, "60.00", True),
    ],
)
def test_volume_differs_by_more_than_error(
    entered: float, measured: str, differs: bool, users: Users, patient: Patient, with_volume: Dictionary
) -> None:
    give_ct(patient, users[Role.COORDINATOR], measured)
    subject = Subject(patient.pk, 1, {"volume": entered})
    evidence = volumes([subject])[patient.pk]
    assert evidence == {"volume": {"ml": float(measured), "version": 1}}
    findings = list(rules["image_volume"].find(subject, evidence))
    assert [finding.about for finding in findings] == ([{"volume": entered}] if differs else [])


def test_the_words_on_the_volume(with_volume: Dictionary) -> None:
    finding = base.Finding("image_volume", "volume", {"volume": 27.0}, {"ml": 20.0})
    assert rules["image_volume"].say(finding) == "Volume is 27 on the form and 20.0 mL by the mask. Check both."


def test_evidence_costs_the_same_for_many(users: Users, patient: Patient, with_volume: Dictionary) -> None:
    def cost(n: int) -> int:
        made = [PatientFactory(center=patient.center, enrolled_by=users[Role.COORDINATOR]) for _ in range(n)]
        for each in made:
            lay_mask(each, users[Role.COORDINATOR], [5.0, 25.0, 40.0])
        Series.objects.update(acquisition={"PatientAge": "064Y"})
        subjects = [Subject(each.pk, each.pk, {"volume": 1.0, "bleed_side": "left", "location": "infratentorial"})
                    for each in made]  # fmt: skip
        with CaptureQueriesContext(connection) as captured:
            assert len(age_and_sex(subjects)) == len(volumes(subjects)) == len(sides(subjects)) == n
            assert len(locations(subjects)) == n
        return len(captured)

    assert cost(1) == cost(7)


def test_without_a_volume_on_the_form_no_mask_is_read(users: Users, patient: Patient) -> None:
    with CaptureQueriesContext(connection) as captured:
        assert volumes([Subject(patient.pk, 1, {"age": 60})]) == {}
    assert len(captured) == 0


def test_a_blinded_person_sees_none_of_them(users: Users, patient: Patient, api_as: Any) -> None:
    give_ct(patient, users[Role.COORDINATOR], PatientAge="020Y")
    enter(patient, users[Role.COORDINATOR], age=64)
    run_rules()
    assert api_as(users[Role.ASSESSOR]).get("/api/v1/queries/?rule=image_age").json()["count"] == 0
    assert api_as(users[Role.COORDINATOR]).get("/api/v1/queries/?rule=image_age").json()["count"] == 1


@pytest.mark.parametrize(
    ("label_ml", "values", "told"),
    [
        (
            {"1": "20.00", "2": "3.14"}, {"ivh": False},
            "Extension to the ventricles (IVH) is No on the form, and the mask holds 3.1 mL of it. Check both.",
        ),
        ({"1": "20.00", "2": "3.14"}, {"ivh": True}, ""),
        ({"1": "20.00"}, {"ivh": True}, ""),  # nobody has to outline it
        ({"1": "20.00", "2": "0.09"}, {"ivh": False}, ""),  # a slip of the brush
        ({"1": "20.00", "3": "9.00"}, {"ivh": False}, ""),  # edema
        ({}, {"ivh": False}, ""),  # a mask from before there were labels
    ],
)  # fmt: skip
def test_blood_that_the_form_denies(
    label_ml: dict[str, str], values: dict[str, Any], told: str, users: Users, patient: Patient
) -> None:
    series = give_ct(patient, users[Role.COORDINATOR])
    Mask.objects.filter(series=series).update(label_ml=label_ml)
    enter(patient, users[Role.COORDINATOR], **values)
    run_rules()
    assert asked() == ({"image_blood": told} if told else {})


CEREBELLUM, PUTAMEN, FRONTAL = (25.0, 44.0, -42.0), (-24.0, -15.0, -2.0), (30.0, -52.0, 22.0)
INSULA, ROOF = (34.0, -10.0, 10.0), (24.0, 40.0, -19.0)
SAYS = "on the form, and by the mask the hematoma seems to lie"


@pytest.mark.parametrize(
    ("center", "values", "told"),
    [
        (CEREBELLUM, {"location": "supratentorial"}, f"Location is Supratentorial {SAYS} below the tentorium."),
        (PUTAMEN, {"location": "infratentorial"}, f"Location is Infratentorial {SAYS} above the tentorium."),
        (INSULA, {"location": "infratentorial"}, f"Location is Infratentorial {SAYS} above the tentorium."),
        (CEREBELLUM, {"location": "infratentorial", "bleed_site": "cerebellum"}, ""),
        (ROOF, {"location": "infratentorial"}, ""),  # not clear
        (ROOF, {"location": "supratentorial"}, ""),
        (
            PUTAMEN, {"location": "supratentorial", "bleed_site": "lobar_temporal"},
            f"Site is Lobar, temporal {SAYS} in the basal ganglia or the thalamus.",
        ),
        (FRONTAL, {"bleed_site": "basal_ganglia"}, f"Site is Basal ganglia {SAYS} in a lobe of the brain."),
        (FRONTAL, {"location": "supratentorial", "bleed_site": "lobar_parietal"}, ""),  # which lobe is not told
        (INSULA, {"location": "supratentorial", "bleed_site": "basal_ganglia"}, ""),  # not clear
        # Said of the location; the form itself sees that the site does not go with it.
        (FRONTAL, {"bleed_site": "cerebellum"}, ""),
    ],
)  # fmt: skip
def test_location_of_the_mask(
    center: tuple[float, ...], values: dict[str, Any], told: str, users: Users, patient: Patient
) -> None:
    lay_mask(patient, users[Role.COORDINATOR], [])
    Mask.objects.update(features=dict(zip(CENTER, center, strict=True)))
    enter(patient, users[Role.COORDINATOR], **values)
    run_rules()
    assert asked() == ({"image_location": f"{told} Check both."} if told else {})


def test_a_corrected_location_closes_its_query(users: Users, patient: Patient, api_as: Any) -> None:
    lay_mask(patient, users[Role.COORDINATOR], [])
    enter(patient, users[Role.COORDINATOR], location="infratentorial")
    run_rules()
    for role, count in ((Role.ASSESSOR, 0), (Role.COORDINATOR, 1)):
        assert api_as(users[role]).get("/api/v1/queries/?rule=image_location").json()["count"] == count
    enter(patient, users[Role.COORDINATOR], location="supratentorial")
    assert asked() == {}


def test_a_part_of_a_head_proposes_nothing(users: Users, patient: Patient) -> None:
    lay_mask(patient, users[Role.COORDINATOR], [], base_covered=False)
    enter(patient, users[Role.COORDINATOR], location="infratentorial")
    run_rules()
    assert asked() == {}
