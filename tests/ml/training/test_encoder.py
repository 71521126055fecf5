"""Scaling, imputation, one-hot coding; statistics of the training patients only."""

import numpy as np
import pytest

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
    encoder = ClinicalEncoder.fit([TREATMENT], [{"treatment": value} for value in ("cc", "cc", "mia", None)])
    rows = encoder.transform([{"treatment": "cmt"}, {"treatment": None}, {"treatment": "laser"}])
    assert rows.tolist() == [[1, 0, 0, 0], [0, 1, 0, 1], [0, 0, 0, 1]]


def test_levels_are_learned_where_the_dictionary_names_none() -> None:
    site = Feature(name="site", kind="categorical")
    encoder = ClinicalEncoder.fit([site], [{"site": 2}, {"site": 1.0}, {"site": 2}])
    assert encoder.transform([{"site": 1}, {"site": 2}, {"site": 3}]).tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 1]]


def test_constant_or_absent_values_do_not_divide_by_zero() -> None:
    encoder = ClinicalEncoder.fit([AGE, COMA, TREATMENT], [{"age": 5}, {"age": 5}])
    assert encoder.width == 2 + 2 + 4
    assert encoder.transform([{"age": 5}]).tolist() == [[0, 0, 0, 1, 0, 0, 0, 1]]


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
