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

Comparator = Literal["logistic_regression", "random_forest", "perceptron"]
COMPARATORS: tuple[Comparator, ...] = get_args(Comparator)
Matrix = NDArray[np.float64]
Labels = NDArray[np.int64]
Settings = dict[str, float]

CHOICES: dict[Comparator, Sequence[Settings]] = {
    "logistic_regression": ({"C": 0.01}, {"C": 0.1}, {"C": 1.0}, {"C": 10.0}),
    "random_forest": ({"min_samples_leaf": 1}, {"min_samples_leaf": 5}, {"min_samples_leaf": 20}),
    "perceptron": ({"alpha": 1.0}, {"alpha": 10.0}, {"alpha": 100.0}),
}
"""C is the inverse of the L2 penalty, alpha the penalty itself; leaves are counted in cases."""


def build(name: Comparator, settings: Settings, seed: int) -> Any:
    """Return an estimator that has learned nothing: the same settings and seed make the same model."""
    if name == "logistic_regression":
        return LogisticRegression(**settings, max_iter=1000)
    if name == "random_forest":
        leaf = int(settings["min_samples_leaf"])
        return RandomForestClassifier(n_estimators=500, min_samples_leaf=leaf, n_jobs=1, random_state=seed)
    return MLPClassifier((16,), solver="lbfgs", **settings, max_iter=1000, random_state=seed)


def choose(
    name: Comparator, fit: tuple[Matrix, Labels], validation: tuple[Matrix, Labels], seed: int
) -> tuple[Settings, Any]:
    """Choose settings on the inner validation part, then train with them on both parts.

    The settings with the lowest Brier score win, the first of equal ones: it is proper as the networks' loss is, and
    finite where a forest is certain and wrong.

    Parameters
    ----------
    fit, validation
        Features (n, width) and outcomes (n,), 1 = poor; ``fit`` has both outcomes.
    """

    def score(settings: Settings) -> float:
        model = build(name, settings, seed).fit(*fit)
        return float(brier_score_loss(validation[1], model.predict_proba(validation[0])[:, 1]))

    with _repeatable():
        settings = min(CHOICES[name], key=score)
        both = (np.concatenate(pair) for pair in zip(fit, validation, strict=True))
        return settings, build(name, settings, seed).fit(*both)


@contextmanager
def _repeatable() -> Iterator[None]:
    # Sums in another order, as several threads make them, differ in the last digits.
    with threadpool_limits(limits=1), warnings.catch_warnings():
        # An optimizer that ends early is a further restraint; the validation patients judge it like any other.
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield
