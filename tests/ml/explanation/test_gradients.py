"""Gradients along a line, and the shares that come of them."""

import numpy as np
import pytest
import torch
from torch import Tensor

from ml.explanation.contributions import by_feature, typical_patient
from ml.explanation.gradients import mean_gradients
from ml.training import ClinicalEncoder, Feature


def vector(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def test_of_a_linear_function_it_is_the_weights() -> None:
    weights = [vector(2, -3, 0.5), vector(4)]
    (first, second) = mean_gradients(
        lambda points: 7 + points[0] @ weights[0] + points[1] @ weights[1],
        [vector(1, 1, 1), vector(0)],
        [vector(2, 5, -4), vector(9)],
        nodes=1,
    )
    torch.testing.assert_close(first, weights[0])
    torch.testing.assert_close(second, weights[1])


def test_a_product_is_shared_alike() -> None:
    """x y from the origin to (3, 5): each has the half of 15."""
    (mean,) = mean_gradients(lambda points: points[0][0] * points[0][1], [vector(0, 0)], [vector(3, 5)], nodes=2)
    torch.testing.assert_close(mean * vector(3, 5), vector(7.5, 7.5))


def test_shares_add_up_to_the_difference() -> None:
    """Completeness (Sundararajan et al., proposition 1), on a function that no quadrature integrates exactly."""

    def function(points: list[Tensor]) -> Tensor:
        return torch.sigmoid(points[0] @ vector(1, -2, 3)) + torch.tanh(points[0].prod())

    start, end = vector(-1, 0.5, 0), vector(1, 1, 2)
    (mean,) = mean_gradients(function, [start], [end], nodes=64)
    difference = float(function([end]) - function([start]))
    assert float((mean * (end - start)).sum()) == pytest.approx(difference, abs=1e-9)


FEATURES = (
    Feature(name="age", kind="numeric"),
    Feature(name="coma", kind="binary"),
    Feature(name="treatment", kind="categorical", levels=("cmt", "cc", "mia")),
)
RECORDS = [
    {"age": 50.0, "coma": 0, "treatment": "cc"},
    {"age": 60.0, "coma": 0, "treatment": "cc"},
    {"age": None, "coma": 1, "treatment": "mia"},
    {"age": 82.0, "coma": 0, "treatment": None},
]


def test_the_typical_patient_has_the_mean_and_the_most_frequent_values() -> None:
    encoder = ClinicalEncoder.fit(FEATURES, RECORDS)
    wanted = encoder.transform([{"age": 64.0, "coma": 0, "treatment": "cc"}])
    np.testing.assert_allclose(typical_patient(encoder), wanted, atol=1e-7)


def test_the_columns_of_a_feature_are_added_up_over_the_networks() -> None:
    """Columns: age and its "missing", coma, two levels of treatment and its "missing"; a second network saw no gap."""
    first, second = ClinicalEncoder.fit(FEATURES, RECORDS), ClinicalEncoder.fit(FEATURES, RECORDS[:2])
    assert (first.width, second.width) == (6, 3)
    record = {"age": None, "coma": 1, "treatment": "mia", "no feature": 3}
    found = by_feature([first, second], [vector(1, 2, 4, 8, 16, -44)[None], vector(0.25, 0.5, -0.125)[None]], record)
    assert [(entry.feature, entry.value, entry.logit) for entry in found] == [
        ("treatment", "mia", -20.125),
        ("coma", 1, 4.5),
        ("age", None, 3.25),
    ]
