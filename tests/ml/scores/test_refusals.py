"""Blanks are never guessed, and values off their scale are refused."""

from collections.abc import Callable
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from ml.errors import MLError
from ml.scores import (
    SCORES,
    ScoreNotComputable,
    func_score,
    ich_gs,
    ich_score,
    max_ich,
    modified_ich_cheung_zou_2003,
)

FUNCTIONS: dict[str, Callable[..., int]] = {
    "ich_score": ich_score,
    "ich_gs": ich_gs,
    "modified_ich_cheung_zou_2003": modified_ich_cheung_zou_2003,
    "max_ich": max_ich,
    "func_score": func_score,
}
PATIENT: dict[str, object] = {
    "age": 61,
    "gcs": 13,
    "nihss": 9,
    "volume_ml": 22.64,
    "ivh": False,
    "infratentorial": False,
    "lobar": False,
    "site": "deep",
    "anticoagulation": False,
    "cognitive_impairment": False,
}
ICH_PATIENT = {name: PATIENT[name] for name in SCORES["ich_score"].inputs}


def patient_for(key: str) -> dict[str, object]:
    return {name: PATIENT[name] for name in SCORES[key].inputs}


def test_every_registered_score_has_its_function() -> None:
    assert set(FUNCTIONS) == set(SCORES)


@pytest.mark.parametrize("blank", [None, float("nan"), "", "  ", np.float64("nan"), pd.NA, pd.NaT, Decimal("NaN")])
@pytest.mark.parametrize(("key", "name"), [(key, name) for key in FUNCTIONS for name in SCORES[key].inputs])
def test_one_blank_makes_a_score_not_computable_and_is_named(key: str, name: str, blank: object) -> None:
    with pytest.raises(ScoreNotComputable) as refusal:
        FUNCTIONS[key](**{**patient_for(key), name: blank})
    assert refusal.value.missing == (name,)
    assert isinstance(refusal.value, MLError)


def test_all_blanks_are_named_in_one_go() -> None:
    with pytest.raises(ScoreNotComputable, match="Glasgow Coma Scale, intraventricular hemorrhage") as refusal:
        ich_score(age=61, gcs=None, volume_ml=22.64, ivh=None, infratentorial=False)
    assert refusal.value.missing == ("gcs", "ivh")


OFF_SCALE = [
    ("gcs", 2),
    ("gcs", 16),
    ("gcs", 7.5),
    ("gcs", 0),
    ("nihss", -1),
    ("nihss", 43),
    ("nihss", 10.5),
    ("volume_ml", -0.01),
    ("volume_ml", float("inf")),
    ("volume_ml", 22640),
    ("age", -1),
    ("age", 1962),
    ("age", float("inf")),
]
WRONG_TYPE = [
    *[(name, value) for name in ("gcs", "nihss", "volume_ml", "age") for value in (True, np.True_, "13", [13])],
    *[
        (name, value)
        for name in ("ivh", "infratentorial", "lobar", "anticoagulation", "cognitive_impairment")
        for value in (2, -1, 0.5, "no", "False", [True])
    ],
    ("site", "cerebellum"),
    ("site", True),
    ("gcs", np.array([13, 14])),
    ("ivh", np.array([True, False])),
]


@pytest.mark.parametrize(
    ("key", "name", "value"),
    [(key, name, value) for name, value in OFF_SCALE + WRONG_TYPE for key in FUNCTIONS if name in SCORES[key].inputs],
)
def test_off_scale_or_wrong_type_is_refused(key: str, name: str, value: object) -> None:
    with pytest.raises(MLError) as refusal:
        FUNCTIONS[key](**{**patient_for(key), name: value})
    assert not isinstance(refusal.value, ScoreNotComputable)
    assert refusal.value.code in {"score_input_type", "score_input_range"}
    assert str(refusal.value).endswith(".")


def test_an_off_scale_value_is_refused_even_beside_a_blank() -> None:
    with pytest.raises(MLError, match="whole number from 3 to 15"):
        SCORES["ich_score"].compute({**ICH_PATIENT, "gcs": 16, "age": None})


def test_text_from_the_user_is_not_repeated_in_the_sentence() -> None:
    with pytest.raises(MLError) as refusal:
        ich_score(**{**ICH_PATIENT, "gcs": "Jane Doe"})
    assert "Jane" not in str(refusal.value)


@pytest.mark.parametrize(
    "change",
    [
        {"gcs": 12.0},
        {"gcs": np.int64(12)},
        {"gcs": np.float32(12)},
        {"gcs": Decimal(12)},
        {"volume_ml": Decimal("30.00")},
        {"volume_ml": np.float32(30)},
        {"ivh": np.True_},
        {"ivh": 1},
        {"ivh": 1.0},
        {"infratentorial": 1},
        {"age": Decimal("80.0")},
    ],
)
def test_the_number_types_of_databases_and_tables_are_read(change: dict[str, object]) -> None:
    assert ich_score(**{**ICH_PATIENT, **change}) == 1
