"""The estimators, all of scikit-learn, and the settings that the inner validation patients choose from."""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss
from sklearn.neural_network import MLPClassifier
from threadpoolctl import threadpool_limits

from ml.errors import MLError

Comparator = Literal["logistic_regression", "random_forest", "perceptron", "hematoma_forest"]
COMPARATORS: tuple[Comparator, ...] = get_args(Comparator)
Matrix = NDArray[np.float64]
Labels = NDArray[np.int64]
Part = tuple[Matrix, Labels]
Settings = dict[str, float]

TREES = 500
_LEAVES: Sequence[Settings] = ({"min_samples_leaf": 1}, {"min_samples_leaf": 5}, {"min_samples_leaf": 20})
CHOICES: dict[Comparator, Sequence[Settings]] = {
    "logistic_regression": ({"C": 0.01}, {"C": 0.1}, {"C": 1.0}, {"C": 10.0}),
    "random_forest": _LEAVES,
    "perceptron": ({"alpha": 1.0}, {"alpha": 10.0}, {"alpha": 100.0}),
    "hematoma_forest": _LEAVES,
}
"""C is the inverse of the L2 penalty, alpha the penalty itself; leaves are counted in cases."""


def build(name: Comparator, settings: Settings, seed: int) -> Any:
    """Return an estimator that has learned nothing: the same settings and seed make the same model."""
    if name == "logistic_regression":
        return LogisticRegression(**settings, max_iter=1000)
    if name in ("random_forest", "hematoma_forest"):
        leaf = int(settings["min_samples_leaf"])
        return RandomForestClassifier(n_estimators=TREES, min_samples_leaf=leaf, n_jobs=1, random_state=seed)
    return MLPClassifier((16,), solver="lbfgs", **settings, max_iter=1000, random_state=seed)


def choose(name: Comparator, inner: Sequence[tuple[Part, Part]], seed: int) -> Settings:
    """Choose settings on the validation parts of the inner folds.

    Those with the lowest mean Brier score win, the first of equal ones: it is proper as the networks' loss is, and
    finite where a forest is certain and wrong.

    Parameters
    ----------
    inner
        For each inner fold those who train and those who judge: features (n, width) and outcomes (n,), 1 = poor.

    Raises
    ------
    MLError
        ``one_outcome``: those who train have one outcome only.
    """

    def score(settings: Settings) -> float:
        told = [train(name, settings, fit, seed).predict_proba(judges)[:, 1] for fit, (judges, _) in inner]
        scores = [brier_score_loss(labels, each) for each, (_, (_, labels)) in zip(told, inner, strict=True)]
        return float(np.mean(scores))

    return min(CHOICES[name], key=score)


def train(name: Comparator, settings: Settings, fit: Part, seed: int) -> Any:
    """Train an estimator with these settings on features (n, width) and outcomes (n,); errors as :func:`choose`."""
    if len(np.unique(fit[1])) < 2:
        raise MLError("one_outcome", "All patients to learn from have the same outcome; use fewer folds.")
    return build(name, settings, seed).fit(*fit)


@contextmanager
def repeatable() -> Iterator[None]:
    """Train and predict such that the same input gives the same digits."""
    # Sums in another order, as several threads make them, differ in the last digits.
    with threadpool_limits(limits=1), warnings.catch_warnings():
        # An optimizer that ends early is a further restraint; the validation patients judge it like any other.
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield
