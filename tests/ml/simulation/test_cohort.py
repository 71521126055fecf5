"""The simulated case report forms: repeatable, complete and free of impossible combinations."""

import numpy as np
import pandas as pd
import pytest

from ml.errors import MLError
from ml.simulation.cohort import COHORT_COLUMNS, simulate_cohort
from ml.simulation.cohort_calibration import calibrated_pool
from ml.simulation.phantom_spec import MAX_VOLUME_ML

pytestmark = pytest.mark.slow

SITES = {
    "supratentorial": {
        "basal_ganglia",
        "thalamus",
        "lobar_frontal",
        "lobar_temporal",
        "lobar_parietal",
        "lobar_occipital",
    },
    "infratentorial": {"cerebellum", "brainstem"},
}
BOOLEANS = {
    *("headache", "emesis", "coma", "ivh", "subarachnoid", "subdural", "extradural", "history_hemorrhagic_stroke"),
    *("history_ischemic_stroke", "hypertension", "diabetes_mellitus", "hyperlipidemia", "coronary_heart_disease"),
    *("heart_failure", "arrhythmia", "anticoagulant_therapy", "antiplatelet_therapy", "smoking", "alcohol"),
    *("cognitive_impairment", "withdrawal_of_care", "poor_outcome"),
}
RANGES = {
    "age": (18, 110),
    "gcs": (3, 15),
    "nihss": (0, 42),
    "systolic_bp": (50, 300),
    "diastolic_bp": (20, 200),
    "gos_discharge": (1, 5),
    "mrs_discharge": (0, 6),
}


@pytest.fixture(scope="module")
def patients() -> pd.DataFrame:
    return simulate_cohort(20_000, seed=11)


def test_columns_and_types(patients: pd.DataFrame) -> None:
    assert tuple(patients.columns) == COHORT_COLUMNS
    assert not patients.isna().any(axis=None)
    assert {name for name in patients if patients[name].dtype == bool} == BOOLEANS
    for name, (lowest, highest) in RANGES.items():
        assert patients[name].dtype == np.int64
        assert patients[name].between(lowest, highest).all(), name
    for name, decimals in (("onset_to_ct_hours", 1), ("hematoma_volume_ml", 2)):
        assert (patients[name] == patients[name].round(decimals)).all()
        assert (patients[name] > 0).all()


def test_choices(patients: pd.DataFrame) -> None:
    assert set(patients["sex"]) == {"male", "female"}
    assert set(patients["treatment"]) == {"cmt", "cc", "mia"}
    assert set(patients["bleed_side"]) == {"left", "right", "midline"}
    found = patients.groupby("location")["bleed_site"].agg(set).to_dict()
    assert found == SITES


def test_no_impossible_combination(patients: pd.DataFrame) -> None:
    assert (patients["systolic_bp"] > patients["diastolic_bp"]).all()
    assert (patients.loc[patients["coma"], "gcs"] <= 8).all()
    assert (patients.loc[patients["gcs"] <= 6, "coma"]).mean() > 0.9
    assert (patients.loc[patients["bleed_side"] == "midline", "location"] == "infratentorial").all()
    assert patients["extradural"].mean() < 0.01
    assert not (patients["withdrawal_of_care"] & ~patients["poor_outcome"]).any()


def test_every_hematoma_fits_the_head_phantom(patients: pd.DataFrame) -> None:
    largest = patients["bleed_site"].map({site.value: volume for site, volume in MAX_VOLUME_ML.items()})
    assert (patients["hematoma_volume_ml"] <= largest).all()
    assert (patients["hematoma_volume_ml"] >= 0.3).all()


def test_scales_at_discharge_agree(patients: pd.DataFrame) -> None:
    gos, mrs = patients["gos_discharge"], patients["mrs_discharge"]
    assert ((gos <= 3) == patients["poor_outcome"]).all()
    assert ((gos == 1) == (mrs == 6)).all()
    pairs = {(row.gos_discharge, row.mrs_discharge) for row in patients.itertuples()}
    assert pairs == {(1, 6), (2, 5), (3, 4), (3, 5), (4, 2), (4, 3), (5, 0), (5, 1)}


def test_nihss_goes_with_gcs(patients: pd.DataFrame) -> None:
    assert patients["nihss"].corr(patients["gcs"], method="spearman") < -0.7
    assert patients.loc[patients["coma"], "nihss"].min() >= 10


def test_few_patients_resemble_each_other() -> None:
    patients = simulate_cohort(1990, seed=4)
    measured = ["age", "gcs", "systolic_bp", "diastolic_bp", "onset_to_ct_hours", "hematoma_volume_ml"]
    assert patients.duplicated(measured).mean() < 0.02


def test_the_same_seed_gives_the_same_cohort_from_a_fresh_pool() -> None:
    before = simulate_cohort(300, seed=8)
    calibrated_pool.cache_clear()
    pd.testing.assert_frame_equal(simulate_cohort(300, seed=8), before)
    assert not simulate_cohort(300, seed=9).equals(before)


def test_the_pool_is_left_as_it_was() -> None:
    before = calibrated_pool().patients.copy()
    simulate_cohort(500, seed=1)
    pd.testing.assert_frame_equal(calibrated_pool().patients, before)


def test_centers_differ_and_leave_the_whole_unchanged(patients: pd.DataFrame) -> None:
    sizes = patients["center"].value_counts(normalize=True)
    assert set(sizes.index) == {"C1", "C2", "C3", "C4", "C5"}
    assert sizes.min() > 0.05
    assert sizes["C1"] > 1.5 * sizes["C5"]
    mix = patients.groupby("center")[["gcs", "hematoma_volume_ml", "poor_outcome"]].mean()
    assert 0.03 < mix["poor_outcome"].max() - mix["poor_outcome"].min() < 0.20
    alone = simulate_cohort(20_000, seed=11, centers=("Alone",))
    assert set(alone["center"]) == {"Alone"}
    pd.testing.assert_frame_equal(alone.drop(columns="center"), patients.drop(columns="center"))


def test_one_patient_will_do() -> None:
    assert len(simulate_cohort(1, seed=0)) == 1


@pytest.mark.parametrize(
    "request_",
    [{"n": 0, "seed": 1}, {"n": 5, "seed": -1}, {"seed": 1, "centers": ()}, {"seed": 1, "centers": ("A", "A")}],
)
def test_a_request_that_makes_no_sense_is_refused(request_: dict[str, object]) -> None:
    with pytest.raises(MLError) as refused:
        simulate_cohort(**request_)
    assert refused.value.code == "bad_cohort_request"
