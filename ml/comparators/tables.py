"""What each comparator learns from, as numbers: the clinical record, or the hematoma."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from sklearn.impute import SimpleImputer

from ml.comparators.methods import Comparator, Matrix
from ml.hematoma import FEATURES
from ml.training.encoder import ClinicalEncoder
from ml.training.manifest import Case, Feature

Encode = Callable[[Sequence[str]], Matrix]
"""From case ids (n) to features (n, width)."""
Learn = Callable[[Sequence[str]], Encode]
"""From the ids of the patients to learn from to an encoding that knows no others."""


def tables_of(cases: Mapping[str, Case], features: tuple[Feature, ...]) -> dict[Comparator, Learn]:
    """Return, for each comparator for which these cases have something, how its features are made."""

    def record(known: Sequence[str]) -> Encode:
        encoder = ClinicalEncoder.fit(features, [cases[case].clinical for case in known])
        return lambda ids: encoder.transform([cases[case].clinical for case in ids]).astype(np.float64)

    def hematoma(known: Sequence[str]) -> Encode:
        # A feature that nobody has is the same for all.
        imputer = SimpleImputer(strategy="median", keep_empty_features=True).fit(measured(known))
        return lambda ids: imputer.transform(measured(ids))

    def measured(ids: Sequence[str]) -> Matrix:
        rows = [cases[case].hematoma or {} for case in ids]
        return np.array([[row.get(name, np.nan) for name in FEATURES] for row in rows], dtype=np.float64)

    tables: dict[Comparator, Learn] = {}
    if features:
        tables |= {"logistic_regression": record, "random_forest": record, "perceptron": record}
    if any(case.hematoma for case in cases.values()):
        tables["hematoma_forest"] = hematoma
    return tables
