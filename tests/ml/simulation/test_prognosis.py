"""The probabilities behind the simulated outcomes, and the best possible AUC that follows from them."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import logit
from scipy.stats import binom
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from ml.simulation import COHORT_COLUMNS, TRUTH_COLUMNS, SimulatedStudy, best_auc, simulate_cohort, simulate_study
from ml.simulation.prognosis import SEVERITY_SEPARATION

pytestmark = pytest.mark.slow

SIX_SIGMA = 6


@pytest.fixture(scope="module")
def study() -> SimulatedStudy:
    return simulate_study(200_000, seed=31)


def log_odds(probability: pd.Series) -> np.ndarray:
    return logit(probability.to_numpy().clip(1e-9, 1 - 1e-9))


def coefficients(design: np.ndarray, poor: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    """Maximum-likelihood logistic regression: coefficients and standard errors, the intercept first."""
    model = LogisticRegression(C=np.inf, solver="newton-cholesky", tol=1e-8).fit(design, poor)
    chance = model.predict_proba(design)[:, 1]
    full = np.column_stack([np.ones(len(design)), design])
    errors = np.sqrt(np.diag(np.linalg.inv((full * (chance * (1 - chance))[:, None]).T @ full)))
    return np.append(model.intercept_, model.coef_[0]), errors


def sampling_error(area: float, poor: pd.Series) -> float:
    """Standard error of an AUC (Hanley and McNeil, Radiology 1982;143:29-36)."""
    n1, n0 = int(poor.sum()), int((~poor).sum())
    q1, q2 = area / (2 - area), 2 * area**2 / (1 + area)
    return float(np.sqrt((area * (1 - area) + (n1 - 1) * (q1 - area**2) + (n0 - 1) * (q2 - area**2)) / n1 / n0))


def test_the_truth_is_no_part_of_the_forms(study: SimulatedStudy) -> None:
    assert tuple(study.forms.columns) == COHORT_COLUMNS
    assert tuple(study.truth.columns) == TRUTH_COLUMNS
    assert not set(COHORT_COLUMNS) & set(TRUTH_COLUMNS)
    pd.testing.assert_frame_equal(simulate_cohort(50, seed=3), simulate_study(50, seed=3).forms)


@pytest.mark.parametrize("column", ["form_probability", "best_probability"])
def test_outcomes_come_as_often_as_their_probabilities_say(study: SimulatedStudy, column: str) -> None:
    """In each of 40 groups by probability the count of poor outcomes lies within exact binomial limits."""
    probability, poor = study.truth[column], study.forms["poor_outcome"]
    assert probability.between(0, 1).all()
    for _, group in probability.groupby(pd.qcut(probability, 40)):
        # The sum of unequal trials varies a little less than this binomial.
        count, n, rate = int(poor[group.index].sum()), len(group), float(group.mean())
        assert binom.cdf(count, n, rate) > 1e-5
        assert binom.sf(count - 1, n, rate) > 1e-5


def test_severity_adds_its_share_to_the_log_odds_and_nothing_else_does(study: SimulatedStudy) -> None:
    design = np.column_stack([log_odds(study.truth["form_probability"]), study.truth["imaging_severity"]])
    sure = study.truth["form_probability"] < 1
    found, errors = coefficients(design[sure], study.forms["poor_outcome"][sure])
    assert (np.abs(found - [0, 1, SEVERITY_SEPARATION]) <= SIX_SIGMA * errors).all()


def test_details_of_the_form_tell_no_more_of_the_outcome(study: SimulatedStudy) -> None:
    """What is drawn beside the tables' variables depends on the patient and not on how he fares."""
    sure = study.truth["form_probability"] < 1
    forms = study.forms[sure]
    details = ["nihss", "headache", "emesis", "coma", "cognitive_impairment", "subarachnoid", "subdural", "extradural"]
    design = np.column_stack(
        [
            log_odds(study.truth["form_probability"][sure]),
            forms[details].to_numpy(dtype=float),
            *(forms["center"] == code for code in ("C2", "C3", "C4", "C5")),
            *(forms["bleed_side"] == side for side in ("left", "midline")),
        ]
    )
    found, errors = coefficients(design, forms["poor_outcome"])
    assert np.abs(found[1] - 1) <= SIX_SIGMA * errors[1]
    assert (np.abs(found[2:]) <= SIX_SIGMA * errors[2:]).all()


@pytest.mark.parametrize("outcome", [False, True])
def test_severity_is_normal_and_knows_nothing_of_the_form(study: SimulatedStudy, outcome: bool) -> None:
    group = study.forms["poor_outcome"] == outcome
    severity, forms = study.truth["imaging_severity"][group], study.forms[group]
    error = 1 / np.sqrt(len(severity))
    assert severity.mean() == pytest.approx((outcome - 0.5) * SEVERITY_SEPARATION, abs=SIX_SIGMA * error)
    assert severity.std() == pytest.approx(1, abs=SIX_SIGMA * error)
    for name in ("age", "gcs", "hematoma_volume_ml", "ivh", "systolic_bp", "nihss", "gos_discharge"):
        assert abs(np.corrcoef(severity, forms[name].astype(float))[0, 1]) < SIX_SIGMA * error, name


def test_the_best_auc_of_the_population_is_that_of_a_large_sample(study: SimulatedStudy) -> None:
    poor = study.forms["poor_outcome"]
    for best, column in zip(best_auc(), ("form_probability", "imaging_severity", "best_probability"), strict=True):
        area = roc_auc_score(poor, study.truth[column])
        assert area == pytest.approx(best, abs=SIX_SIGMA * sampling_error(best, poor)), column


def test_a_learner_comes_near_the_best_auc_and_not_beyond(study: SimulatedStudy) -> None:
    """Gradient boosting on all of the form, and on the form with the severity; trained on half, tested on half."""
    leading = {"gos_discharge", "mrs_discharge", "withdrawal_of_care", "poor_outcome"}
    forms = pd.get_dummies(study.forms[[name for name in COHORT_COLUMNS if name not in leading]], dtype=float)
    poor = study.forms["poor_outcome"]
    train, test = np.arange(len(poor)) < len(poor) // 2, np.arange(len(poor)) >= len(poor) // 2
    best = best_auc()
    error = sampling_error(best.form, poor[test])
    for ceiling, features in ((best.form, forms), (best.everything, forms.assign(z=study.truth["imaging_severity"]))):
        learner = HistGradientBoostingClassifier(random_state=0).fit(features[train], poor[train])
        area = roc_auc_score(poor[test], learner.predict_proba(features[test])[:, 1])
        assert ceiling - 0.015 < area < ceiling + 3 * error
