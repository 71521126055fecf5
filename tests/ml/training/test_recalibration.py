"""Recalibration against scikit-learn's Platt scaling, and what it must never do."""

import numpy as np
import pytest
from scipy.special import expit, logit
from sklearn.calibration import _SigmoidCalibration

from ml.training import Recalibration
from ml.training.recalibration import ArmRecalibration


def sample(n: int, seed: int, slope: float = 2.0) -> tuple[np.ndarray, np.ndarray]:
    """Outcomes of known risk, and probabilities whose logit is too extreme by the factor ``slope``."""
    rng = np.random.default_rng(seed)
    truth = rng.normal(0.5, 1.0, n)
    return (rng.random(n) < expit(truth)).astype(int), expit(slope * truth + 0.4)


@pytest.mark.parametrize(("n", "slope"), [(40, 0.5), (300, 2.0), (2000, 5.0)])
def test_the_line_is_that_of_platt(n: int, slope: float) -> None:
    label, told = sample(n, seed=n, slope=slope)
    line = Recalibration.fit(label, told)
    platt = _SigmoidCalibration().fit(logit(told), label)
    assert line.slope == pytest.approx(-platt.a_, abs=2e-4)
    assert line.intercept == pytest.approx(-platt.b_, abs=2e-4)
    np.testing.assert_allclose(line.apply(told), platt.predict(logit(told)), atol=1e-4)


def test_a_known_distortion_is_undone() -> None:
    label, told = sample(40_000, seed=1, slope=2.5)
    line = Recalibration.fit(label, told)
    assert line.slope == pytest.approx(1 / 2.5, abs=0.01)
    assert line.intercept == pytest.approx(-0.4 / 2.5, abs=0.03)


def test_the_order_of_patients_stays() -> None:
    label, told = sample(60, seed=2)
    line = Recalibration.fit(1 - label, told)  # a model that is wrong throughout
    assert line.slope > 0
    assert list(np.argsort(line.apply(told))) == list(np.argsort(told))
    assert line.apply(told).mean() == pytest.approx((1 - label).mean(), abs=0.02)


def test_patients_parted_without_overlap_give_a_finite_line() -> None:
    told = np.array([0.0, 0.1, 0.2, 0.8, 0.9, 1.0])
    line = Recalibration.fit([0, 0, 0, 1, 1, 1], told)
    assert np.isfinite([line.slope, line.intercept]).all()
    assert ((line.apply(told) > 0) & (line.apply(told) < 1)).all()


def test_a_patient_has_no_say_in_his_own_recalibration() -> None:
    label, told = sample(90, seed=4)
    fold = np.arange(90) % 3 + 1
    before = ArmRecalibration.fit(label, told, fold).apply_held_out(told, fold)
    changed = np.where(fold == 2, 1 - label, label)
    after = ArmRecalibration.fit(changed, told, fold).apply_held_out(told, fold)
    np.testing.assert_array_equal(before[fold == 2], after[fold == 2])
    assert (before[fold != 2] != after[fold != 2]).all()
