"""The scores as data: what the platform shows beside each figure."""

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.scores import INPUTS, SCORES, InputKind, ScoreDefinition, ScoreItem

PATIENT: dict[str, object] = {
    "age": 83,
    "gcs": 10,
    "nihss": 15,
    "volume_ml": 31.5,
    "ivh": True,
    "infratentorial": False,
    "lobar": True,
    "site": "lobar",
    "anticoagulation": True,
    "cognitive_impairment": False,
    "sex": "female",
}

VALUES = {
    "age": st.integers(0, 130) | st.floats(0, 130),
    "gcs": st.integers(3, 15),
    "nihss": st.integers(0, 42),
    "volume_ml": st.floats(0, 1000) | st.sampled_from([10.0, 20.0, 30.0, 40.0, 60.0, 70.0]),
    "site": st.sampled_from(["lobar", "deep", "infratentorial"]),
} | {name: st.booleans() for name, definition in INPUTS.items() if definition.kind is InputKind.BOOLEAN}


def test_ranges_and_directions_of_the_papers() -> None:
    facts = {key: (score.minimum, score.maximum, score.higher_is_worse) for key, score in SCORES.items()}
    assert facts == {
        "ich_score": (0, 6, True),
        "ich_gs": (5, 13, True),
        "modified_ich_cheung_zou_2003": (0, 6, True),
        "max_ich": (0, 9, True),
        "func_score": (0, 11, False),
    }


@pytest.mark.parametrize("score", SCORES.values(), ids=SCORES.keys())
def test_every_score_says_where_it_comes_from(score: ScoreDefinition) -> None:
    author, year = {
        "ich_score": ("Hemphill", "2001;32:891-897"),
        "ich_gs": ("Ruiz-Sandoval", "2007;38:1641-1644"),
        "modified_ich_cheung_zou_2003": ("Cheung", "2003;34:1717-1722"),
        "max_ich": ("Sembill", "2017;89:423-431"),
        "func_score": ("Rost", "2008;39:2304-2309"),
    }[score.key]
    assert author in score.name
    assert year[:4] in score.name
    assert score.citation.startswith(author)
    assert year in score.citation
    assert score.version


@settings(deadline=None)
@given(st.fixed_dictionaries(VALUES))
def test_any_patient_gets_one_band_of_each_item_that_counts_and_a_total_within_range(values: dict[str, object]) -> None:
    for score in SCORES.values():
        result = score.compute(values)
        assert result.value is not None
        assert score.minimum <= result.value <= score.maximum
        assert {points.input for points in result.points} <= set(score.inputs)
        for item in score.items:
            if item.only_if is None or values[item.only_if[0]] == item.only_if[1]:
                value = next(points.value for points in result.points if points.item == item.label)
                assert sum(band.holds(value) for band in item.bands) == 1


ITEMS = [pytest.param(item, id=f"{score.key}-{item.label}") for score in SCORES.values() for item in score.items]


@pytest.mark.parametrize("item", ITEMS)
def test_bands_neither_overlap_nor_leave_a_gap_at_any_bound(item: ScoreItem) -> None:
    definition = INPUTS[item.input]
    step = 0.01 if definition.kind is InputKind.NUMBER else 1
    bounds = {
        bound
        for band in item.bands
        for bound in (band.at_least, band.more_than, band.at_most, band.less_than)
        if bound is not None
    }
    for value in {around for bound in bounds for around in (bound - step, bound, bound + step)}:
        if definition.low <= value <= definition.high:
            assert sum(band.holds(value) for band in item.bands) == 1, value


def test_every_input_of_a_score_takes_part_in_it() -> None:
    for score in SCORES.values():
        used = {item.input for item in score.items} | {item.only_if[0] for item in score.items if item.only_if}
        assert used == set(score.inputs)


def test_points_are_shown_item_by_item_with_their_values() -> None:
    result = SCORES["ich_score"].compute(PATIENT)
    assert [(points.input, points.value, points.points) for points in result.points] == [
        ("gcs", 10, 1),
        ("volume_ml", 31.5, 1),
        ("ivh", True, 1),
        ("infratentorial", False, 0),
        ("age", 83, 1),
    ]
    assert result.value == 4
    assert result.missing == ()
    assert (result.key, result.version) == ("ich_score", SCORES["ich_score"].version)


def test_a_lobar_hematoma_is_read_in_the_lobar_row_only() -> None:
    result = SCORES["max_ich"].compute(PATIENT)
    rows = [points.item for points in result.points if points.input == "volume_ml"]
    assert rows == ["Volume, lobar, mL"]


def test_with_a_blank_there_is_no_value_but_the_rest_is_shown() -> None:
    result = SCORES["ich_gs"].compute({**PATIENT, "infratentorial": None, "gcs": float("nan")})
    assert result.value is None
    assert result.missing == ("gcs", "infratentorial")
    # without the location nobody knows which table of volumes applies
    assert {points.input for points in result.points} == {"age", "ivh"}


def test_an_absent_name_is_a_blank() -> None:
    assert SCORES["func_score"].compute({}).missing == SCORES["func_score"].inputs


@pytest.mark.parametrize(
    ("volume_ml", "near"), [(24.99, False), (25, True), (29.99, True), (30, True), (35, True), (35.01, False)]
)
def test_a_volume_near_30_ml_is_flagged(volume_ml: float, near: bool) -> None:
    result = SCORES["ich_score"].compute({**PATIENT, "volume_ml": volume_ml})
    assert [(flag.input, flag.value, flag.cut.at) for flag in result.near_cut] == (
        [("volume_ml", volume_ml, 30)] if near else []
    )


def test_near_30_ml_means_nothing_where_30_ml_is_no_cut() -> None:
    patient = {**PATIENT, "volume_ml": 31.0, "lobar": False}
    assert SCORES["max_ich"].compute(patient).near_cut == ()
    assert SCORES["ich_gs"].compute(patient).near_cut == ()


def test_mortality_of_the_derivation_cohort() -> None:
    table = SCORES["ich_score"].outcome
    assert table is not None
    assert dict(table.rates) == {0: 0, 1: 0.13, 2: 0.26, 3: 0.72, 4: 0.97, 5: 1.0, 6: None}
    assert "30 days" in table.outcome
    assert "152" in table.cohort


def test_bands_are_written_as_in_the_papers() -> None:
    labels = {item.label: [band.label for band in item.bands] for item in SCORES["ich_gs"].items}
    assert labels["Volume, supratentorial, mL"] == ["< 40", "40-70", "> 70"]
    assert labels["Glasgow Coma Scale"] == ["13-15", "9-12", "3-8"]
    assert labels["Age, years"] == ["< 45", "45-64", "≥ 65"]
    assert labels["Extension to the ventricles"] == ["no", "yes"]


def test_definitions_cannot_be_changed_at_run_time() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        SCORES["ich_score"].version = "2"  # type: ignore[misc]
    with pytest.raises(TypeError):
        SCORES["mine"] = SCORES["ich_score"]  # type: ignore[index]
