"""Scaling, imputation, one-hot coding; statistics of the training patients only."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.impute import MissingIndicator
from sklearn.preprocessing import OneHotEncoder

from ml.errors import MLError
from ml.training import ClinicalEncoder, Feature

AGE = Feature(name="age", kind="numeric")
COMA = Feature(name="coma", kind="binary")
TREATMENT = Feature(name="treatment", kind="categorical", levels=("cmt", "cc", "mia"))


def test_numeric_is_scaled_by_mean_and_sd_and_imputed_with_the_median() -> None:
    # 1, 2, 3, 10: mean 4, population SD sqrt(12.5), median 2.5
    encoder = ClinicalEncoder.fit([AGE], [{"age": value} for value in (1, 2, 3, 10, None)])
    rows = encoder.transform([{"age": 4}, {"age": 4 + 12.5**0.5}, {"age": None}, {}])
    imputed = [-1.5 / 12.5**0.5, 1]
    np.testing.assert_allclose(rows, [[0, 0], [1, 0], imputed, imputed], rtol=1e-6)


def test_binary_takes_the_mode() -> None:
    encoder = ClinicalEncoder.fit([COMA], [{"coma": value} for value in (1, True, 0, None)])
    assert encoder.transform([{"coma": 0}, {"coma": True}, {"coma": None}]).tolist() == [[0, 0], [1, 0], [1, 1]]


def test_categorical_missing_takes_the_mode_and_unknown_takes_nothing() -> None:
    encoder = ClinicalEncoder.fit([TREATMENT], [{"treatment": value} for value in ("mia", "cc", "cc", None)])
    rows = encoder.transform([{"treatment": "cmt"}, {"treatment": None}, {"treatment": "laser"}])
    assert rows.tolist() == [[0, 0, 1], [1, 0, 1], [0, 0, 1]]


def test_levels_are_learned_where_the_dictionary_names_none() -> None:
    site = Feature(name="site", kind="categorical")
    encoder = ClinicalEncoder.fit([site], [{"site": 2}, {"site": 1.0}, {"site": 2}])
    assert encoder.transform([{"site": 1}, {"site": 2}, {"site": 3}]).tolist() == [[1, 0], [0, 1], [0, 0]]


def test_constant_or_absent_values_do_not_divide_by_zero() -> None:
    encoder = ClinicalEncoder.fit([AGE, COMA, TREATMENT], [{"age": 5}, {"age": 5}])
    assert encoder.width == 1 + 2 + 1
    assert encoder.transform([{"age": 5}, {"age": 7}]).tolist() == [[0, 0, 1, 1], [2, 0, 1, 1]]


@given(
    fit=st.lists(st.tuples(st.none() | st.integers(0, 90), st.sampled_from([None, 0, 1])), min_size=1, max_size=12),
    new=st.tuples(st.none() | st.integers(0, 90), st.sampled_from([None, 0, 1])),
)
def test_missing_is_indicated_as_scikit_learn_does(fit: list[tuple[Any, Any]], new: tuple[Any, Any]) -> None:
    """Where no training patient lacks a value there is no column of which the weights would stay at random."""
    ours = ClinicalEncoder.fit([AGE, COMA], [{"age": age, "coma": coma} for age, coma in fit])
    for number, feature in enumerate(ours.fitted):
        column = np.array([[np.nan if row[number] is None else row[number]] for row in fit], dtype=float)
        theirs = MissingIndicator(features="missing-only", error_on_new=False).fit(column)
        value = np.array([[np.nan if new[number] is None else new[number]]], dtype=float)
        assert feature.encode(new[number])[1:] == theirs.transform(value)[0].astype(float).tolist()


@given(st.lists(st.sampled_from(["cmt", "cc", "mia", "laser"]), min_size=1, max_size=8), st.sampled_from(["cmt", "cc"]))
def test_levels_are_coded_as_scikit_learn_does(seen: list[str], new: str) -> None:
    site = Feature(name="site", kind="categorical")
    ours = ClinicalEncoder.fit([site], [{"site": level} for level in seen]).transform([{"site": new}])
    theirs = OneHotEncoder(handle_unknown="ignore", sparse_output=False).fit([[level] for level in seen])
    assert ours.tolist() == theirs.transform([[new]]).tolist()


def test_levels_of_the_dictionary_keep_its_order_and_one_it_does_not_name_is_unknown() -> None:
    encoder = ClinicalEncoder.fit([TREATMENT], [{"treatment": level} for level in ("mia", "laser", "cmt", "laser")])
    assert encoder.fitted[0].levels == ("cmt", "mia")
    assert encoder.transform([{"treatment": "laser"}, {"treatment": "mia"}]).tolist() == [[0, 0, 1], [0, 1, 0]]


def test_an_encoder_stored_before_columns_could_be_left_out_still_has_them() -> None:
    stored = {"fitted": [{"feature": AGE.model_dump(), "fill": 60.0, "center": 60.0, "scale": 10.0}]}
    assert ClinicalEncoder.model_validate(stored).transform([{"age": 70}, {}]).tolist() == [[1, 0], [0, 1]]


def test_it_survives_json() -> None:
    encoder = ClinicalEncoder.fit([AGE, COMA, TREATMENT], [{"age": 5, "coma": 1, "treatment": "cc"}, {"age": 9}])
    assert ClinicalEncoder.model_validate_json(encoder.model_dump_json()) == encoder


def test_it_names_what_is_missing() -> None:
    encoder = ClinicalEncoder.fit([AGE, COMA], [{"age": 5, "coma": 1}])
    assert encoder.missing({"age": 5}) == ("coma",)


@pytest.mark.parametrize(
    "record",
    [{"age": "old"}, {"age": float("inf")}, {"age": float("nan")}, {"age": 1e300}, {"coma": 2}, {"coma": "yes"}],
)
def test_what_is_no_number_is_refused(record: dict[str, float | str]) -> None:
    encoder = ClinicalEncoder.fit([AGE, COMA], [{"age": 5, "coma": 1}])
    with pytest.raises(MLError, match="must be") as caught:
        encoder.transform([record])
    assert caught.value.code == "bad_clinical_value"
