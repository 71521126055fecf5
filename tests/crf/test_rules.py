"""Branching, checks across variables, completeness."""

from __future__ import annotations

import pytest

from apps.crf.conditions import Value
from apps.crf.dictionary import Level, load_dictionary
from apps.crf.rules import applicable, broken_rules, completeness, replay, warnings_of
from apps.crf.selectors import outcome_of, score_inputs_of
from apps.demonstration.cohort import form_values
from ml.scores import SCORES
from ml.simulation.cohort import simulate_cohort

DICTIONARY = load_dictionary()


def names(values: dict[str, Value], level: Level) -> set[str]:
    return {finding.rule for finding in broken_rules(DICTIONARY, values, level)}


@pytest.mark.parametrize(
    ("values", "rule"),
    [
        ({"systolic_bp": 120, "diastolic_bp": 120}, "diastolic_below_systolic"),
        ({"location": "supratentorial", "bleed_site": "brainstem"}, "site_fits_location"),
        ({"location": "infratentorial", "bleed_site": "thalamus"}, "site_fits_location"),
        ({"admission_date": "2024-01-02", "discharge_date": "2024-01-01"}, "discharge_after_admission"),
        ({"operation_date": "2024-01-02", "discharge_date": "2024-01-01"}, "operation_before_discharge"),
        ({"withdrawal_date": "2024-01-02", "discharge_date": "2024-01-01"}, "withdrawal_within_stay"),
        ({"withdrawal_date": "2024-01-01", "admission_date": "2024-01-02"}, "withdrawal_within_stay"),
        ({"outcome_date": "2024-01-01", "admission_date": "2024-01-02"}, "assessment_after_admission"),
        ({"gos_discharge": 1, "mrs_discharge": 5}, "death_on_both_scales"),
        ({"gos_discharge": 2, "mrs_discharge": 6}, "death_on_both_scales"),
    ],
)
def test_hard_rules(values: dict[str, Value], rule: str) -> None:
    assert names(values, Level.HARD) == {rule}
    for name in values:  # what is not known breaks no rule
        assert names({**values, name: None}, Level.HARD) == set()


@pytest.mark.parametrize(
    ("values", "rule"),
    [
        ({"coma": True, "gcs": 9}, "coma_fits_gcs"),
        ({"bleed_side": "midline", "location": "supratentorial"}, "midline_below_tentorium"),
        ({"extradural": True}, "extradural_suggests_trauma"),
        ({"operation_date": "2024-01-01", "admission_date": "2024-01-02"}, "operation_before_admission"),
        ({"outcome_date": "2024-01-01", "discharge_date": "2024-01-02"}, "assessment_before_discharge"),
        ({"gos_discharge": 5, "mrs_discharge": 3}, "scales_agree"),
        ({"withdrawal_of_care": True, "gos_discharge": 4}, "withdrawal_with_favorable_outcome"),
    ],
)
def test_soft_rules(values: dict[str, Value], rule: str) -> None:
    assert names(values, Level.SOFT) == {rule}
    assert names(values, Level.HARD) == set()
    assert rule in {finding.rule for finding in warnings_of(DICTIONARY, values)}


@pytest.mark.parametrize(
    "values",
    [
        {"systolic_bp": 121, "diastolic_bp": 120},
        {"location": "infratentorial", "bleed_site": "cerebellum"},
        {"admission_date": "2024-01-01", "discharge_date": "2024-01-01"},
        {"gos_discharge": 1, "mrs_discharge": 6},
        {"coma": True, "gcs": 8},
        {"coma": False, "gcs": 15},
    ],
)
def test_what_is_right_is_not_complained_of(values: dict[str, Value]) -> None:
    assert names(values, Level.HARD) | names(values, Level.SOFT) == set()


def test_unusual_values_are_named_with_their_usual_range() -> None:
    (finding,) = warnings_of(DICTIONARY, {"age": 12})
    assert finding.sentence == "Age: 12 is unusual (usually from 18 to 100 years). Check it."
    assert warnings_of(DICTIONARY, {"age": 18}) == []


@pytest.mark.parametrize(("treatment", "shown"), [("cc", True), ("mia", True), ("cmt", False), (None, False)])
def test_the_operation_date_belongs_to_operations(treatment: str | None, shown: bool) -> None:
    assert ("operation_date" in applicable(DICTIONARY, {"treatment": treatment})) is shown


def test_completeness_counts_what_applies() -> None:
    empty = completeness(DICTIONARY, {})
    assert (empty.entered, empty.percent, empty.is_complete) == (0, 0, False)
    assert "nihss" not in empty.missing  # optional
    operated = completeness(DICTIONARY, {"treatment": "cc"})
    assert (operated.entered, operated.required) == (1, empty.required + 1)
    full = {name: 0 for name in DICTIONARY.variables} | {"treatment": "cmt", "withdrawal_of_care": False}
    assert completeness(DICTIONARY, full).is_complete
    nearly: dict[str, Value] = {**full, "age": None}
    assert completeness(DICTIONARY, nearly).missing == ("age",)
    assert completeness(DICTIONARY, nearly).percent < 100


def test_completeness_of_the_sections_adds_up() -> None:
    whole = completeness(DICTIONARY, {"age": 60, "treatment": "mia"})
    parts = [whole.within(section) for section in DICTIONARY.sections]
    assert (sum(p.entered for p in parts), sum(p.required for p in parts)) == (whole.entered, whole.required)


def test_replay_keeps_the_last_value_and_drops_what_was_cleared() -> None:
    events: list[tuple[str, Value]] = [("age", 60), ("ivh", False), ("age", 61), ("ivh", None), ("sex", "male")]
    assert replay(events) == {"age": 61, "sex": "male"}


@pytest.mark.parametrize(
    ("site", "expected"),
    [
        ("basal_ganglia", ("deep", False)), ("thalamus", ("deep", False)), ("lobar_frontal", ("lobar", True)),
        ("lobar_temporal", ("lobar", True)), ("lobar_parietal", ("lobar", True)), ("lobar_occipital", ("lobar", True)),
        ("cerebellum", ("infratentorial", False)), ("brainstem", ("infratentorial", False)),
    ],
)  # fmt: skip
def test_score_inputs_of_each_site(site: str, expected: tuple[str, bool]) -> None:
    inputs = score_inputs_of({"bleed_site": site})
    assert (inputs["site"], inputs["lobar"]) == expected
    assert inputs["infratentorial"] is None  # the location was not entered, and is not guessed


def test_scores_are_computed_from_the_form() -> None:
    """By hand from Hemphill 2001 and Ruiz-Sandoval 2007: 80 years, GCS 4, 35 mL, IVH, infratentorial."""
    values: dict[str, Value] = {"age": 80, "gcs": 4, "ivh": True, "location": "infratentorial"}
    inputs = {**score_inputs_of(values), "volume_ml": 35.0}
    assert SCORES["ich_score"].total(inputs) == 6
    assert SCORES["ich_gs"].total(inputs) == 13


@pytest.mark.parametrize(("gos", "poor"), [(1, True), (2, True), (3, True), (4, False), (5, False), (None, None)])
def test_outcome(gos: int | None, poor: bool | None) -> None:
    assert outcome_of({"gos_discharge": gos}) is poor


def test_simulated_forms_break_no_hard_rule() -> None:
    for number, row in enumerate(simulate_cohort(200, seed=3).to_dict("records")):
        values = form_values({str(k): v for k, v in row.items()}, number, discharged=True)
        assert broken_rules(DICTIONARY, values, Level.HARD) == []  # type: ignore[arg-type]
