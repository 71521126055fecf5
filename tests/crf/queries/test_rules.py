"""What each rule finds, by values worked out by hand."""

from __future__ import annotations

import pytest
from django.utils import translation

from apps.crf.dictionary import load_dictionary
from apps.crf.models import CrfForm
from apps.crf.queries.rules import Evidence, Finding, Rule, Subject, register_rule, rules
from apps.crf.queries.rules.outlier import prepare
from apps.crf.rules import completeness
from tests.factories import CenterFactory, PatientFactory, UserFactory


def found(rule: str, values: dict[str, object], evidence: Evidence | None = None) -> list[Finding]:
    return list(rules[rule].find(Subject(1, 1, values), evidence or {}))  # type: ignore[arg-type]


def test_blank_is_what_completeness_misses() -> None:
    names = [finding.variable for finding in found("blank", {"treatment": "cc"})]
    assert names == list(completeness(load_dictionary(), {"treatment": "cc"}).missing)
    assert "operation_date" in names  # conventional craniotomy without its date
    assert "nihss" not in names  # optional
    assert "withdrawal_date" not in names  # does not apply


def test_blank_does_not_ask_for_the_operation_date_of_who_was_not_operated_on() -> None:
    assert "operation_date" not in [finding.variable for finding in found("blank", {"treatment": "cmt"})]


def test_range_is_outside_the_usual() -> None:
    """The dictionary: systolic pressure usually 80 to 260 mmHg, bounds included; age 18 to 100."""
    assert found("range", {"systolic_bp": 260, "age": 18}) == []
    (finding,) = found("range", {"systolic_bp": 261, "age": 100})
    assert (finding.variable, finding.about) == ("systolic_bp", {"systolic_bp": 261})
    assert rules["range"].say(finding) == (
        "Systolic blood pressure: 261 mmHg is unusual (usually from 80 to 260 mmHg). Check it."
    )
    with translation.override("zh-hans"):
        assert "261 mmHg" in rules["range"].say(finding)
        assert "收缩压" in rules["range"].say(finding)


@pytest.mark.parametrize(
    ("values", "names"),
    [
        ({"coma": True, "gcs": 15}, ["coma_fits_gcs"]),
        ({"coma": True, "gcs": 8}, []),
        ({"coma": True}, []),
        # Hard rules too: a form may hold what today's dictionary refuses.
        ({"admission_date": "2026-03-02", "discharge_date": "2026-03-01"}, ["discharge_after_admission"]),
        ({"gos_discharge": 5, "mrs_discharge": 3}, ["scales_agree"]),
    ],
)
def test_inconsistent_are_the_dictionarys_rules(values: dict[str, object], names: list[str]) -> None:
    findings = found("inconsistent", values)
    assert [finding.rule for finding in findings] == [f"inconsistent.{name}" for name in names]
    for finding in findings:
        assert finding.about == values
        assert finding.variable in values
        assert rules["inconsistent"].say(finding)


def test_hidden_is_a_value_that_does_not_apply() -> None:
    values: dict[str, object] = {"treatment": "cmt", "operation_date": "2026-03-02"}
    (finding,) = found("hidden", values)
    assert finding.about == {"operation_date": "2026-03-02"}
    assert "Date of operation" in rules["hidden"].say(finding)
    assert found("hidden", values | {"treatment": "mia"}) == []


def test_outlier_begins_beyond_three_and_a_half() -> None:
    """Median 60, MAD 10: 0.6745 * 51 / 10 = 3.44, and 0.6745 * 52 / 10 = 3.507."""
    evidence = {"age": {"median": 60.0, "mad": 10.0, "n": 40}}
    assert found("outlier", {"age": 111}, evidence) == []
    assert found("outlier", {"age": 9}, evidence) == []
    (finding,) = found("outlier", {"age": 112}, evidence)
    assert rules["outlier"].say(finding) == (
        "Age: 112 years lies far from the other patients (median 60 years of 40). Check it."
    )
    assert [finding.about for finding in found("outlier", {"age": 8}, evidence)] == [{"age": 8}]
    assert found("outlier", {"age": 112}, {"age": {"median": 60.0, "mad": 0.0, "n": 40}}) == []


@pytest.mark.django_db
@pytest.mark.parametrize(("n", "told"), [(19, {}), (20, {"median": 9.5, "mad": 5.0, "n": 20})])
def test_outlier_asks_the_whole_cohort_of_at_least_twenty(n: int, told: dict[str, float]) -> None:
    """0..19: median 9.5, deviations 0.5, 0.5, 1.5, 1.5, ... 9.5, 9.5, whose median is 5. A yes is no number."""
    center, user = CenterFactory(), UserFactory()
    for number in range(n):
        patient = PatientFactory(center=center, enrolled_by=user)
        values = {"nihss": number, "headache": True, "sex": "male"}
        CrfForm.objects.create(patient=patient, main_of=patient, dictionary_version="ich-1", values=values)
    gathered = prepare()([Subject(7, 7, {})])
    assert gathered[7] == ({"nihss": told} if told else {})


def test_two_rules_of_one_key_are_a_programming_error() -> None:
    with pytest.raises(ValueError, match="second rule"):
        register_rule(rules["blank"])
    with pytest.raises(ValueError, match="dot"):
        register_rule(Rule("a.b", "", lambda subject, evidence: [], str))
