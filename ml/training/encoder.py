"""Clinical values become a vector of numbers; every statistic comes from the patients that train the model."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Self

import numpy as np
from pydantic import BaseModel, ConfigDict

from ml.errors import MLError
from ml.training.manifest import ClinicalValue, Feature

FloatArray = np.ndarray[tuple[int, ...], np.dtype[np.float32]]

# Single precision squares it without overflow; no measurement comes near.
_LARGEST = 1e15


class FittedFeature(BaseModel):
    """A feature with what was learned of it."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    feature: Feature
    fill: float | str
    """Stands in for a missing value: median of a numeric, most frequent value of another feature."""
    center: float = 0.0
    scale: float = 1.0
    levels: tuple[str, ...] = ()
    indicated: bool = True
    """Whether a further column says that the value is missing."""

    @property
    def width(self) -> int:
        return (len(self.levels) if self.feature.kind == "categorical" else 1) + self.indicated

    def encode(self, value: ClinicalValue) -> list[float]:
        """Return the columns of one value; the last is 1 where it is missing or an unknown level, if that is told."""
        filled: ClinicalValue = self.fill if value is None else value
        missing = value is None
        if self.feature.kind == "categorical":
            level = _level(filled)
            missing = missing or level not in self.levels
            columns = [float(level == known) for known in self.levels]
        else:
            columns = [(_number(self.feature, filled) - self.center) / self.scale]
        return [*columns, float(missing)] if self.indicated else columns


class ClinicalEncoder(BaseModel):
    """Scaling, imputation and one-hot coding, fitted once and stored with the weights it belongs to.

    A numeric feature is centered and scaled by mean and standard deviation, a missing one takes the median. A binary
    stays 0/1, a categorical is one column a level, and a missing one takes the most frequent value. A further column
    says "was missing". A level that the encoder does not know is zero in all columns but that one.

    Both, that column and a level's, are there only if a training patient has a 1 in it: the weights of a column that is
    0 for all of them stay at random, and would add noise to the first new patient with a 1. scikit-learn's
    ``SimpleImputer(add_indicator=True)`` and ``OneHotEncoder(handle_unknown="ignore")`` do the same.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    fitted: tuple[FittedFeature, ...]

    @classmethod
    def fit(cls, features: Sequence[Feature], records: Sequence[Mapping[str, ClinicalValue]]) -> Self:
        """Learn the statistics from the training patients' records, and from no other's.

        Raises
        ------
        MLError
            ``bad_clinical_value``: a numeric or binary value is not a number, or a binary not 0 or 1.
        """
        return cls(
            fitted=tuple(_fit(feature, [record.get(feature.name) for record in records]) for feature in features)
        )

    @property
    def width(self) -> int:
        """Length of the encoded vector."""
        return sum(item.width for item in self.fitted)

    def transform(self, records: Sequence[Mapping[str, ClinicalValue]]) -> FloatArray:
        """Encode records as an array (n, width); a name that a record lacks counts as missing.

        Raises
        ------
        MLError
            ``bad_clinical_value``: as in :meth:`fit`.
        """
        rows = [
            [column for item in self.fitted for column in item.encode(record.get(item.feature.name))]
            for record in records
        ]
        return np.asarray(rows, dtype=np.float32).reshape(len(records), self.width)

    def missing(self, record: Mapping[str, ClinicalValue]) -> tuple[str, ...]:
        """Name the features whose value is absent from a record."""
        return tuple(item.feature.name for item in self.fitted if record.get(item.feature.name) is None)


def _fit(feature: Feature, values: Sequence[ClinicalValue]) -> FittedFeature:
    known = [value for value in values if value is not None]
    if feature.kind == "categorical":
        named = None if feature.levels is None else [_level(level) for level in feature.levels]
        counts = Counter(level for level in map(_level, known) if named is None or level in named)
        return FittedFeature(
            feature=feature,
            fill=_most_frequent(counts, default=""),
            levels=tuple(sorted(counts, key=named.index if named else None)),
            indicated=counts.total() < len(values),
        )
    numbers = [_number(feature, value) for value in known]
    indicated = len(numbers) < len(values)
    if feature.kind == "binary":
        return FittedFeature(feature=feature, fill=float(sum(numbers) * 2 > len(numbers)), indicated=indicated)
    if not numbers:
        return FittedFeature(feature=feature, fill=0.0, indicated=indicated)
    scale = float(np.std(numbers))
    return FittedFeature(
        feature=feature,
        fill=float(np.median(numbers)),
        center=float(np.mean(numbers)),
        scale=scale if scale > 0 else 1.0,
        indicated=indicated,
    )


def _most_frequent(counts: Counter[str], default: str) -> str:
    # Ties go to the first in the alphabet, so that the order of the patients has no say.
    return min(counts, key=lambda level: (-counts[level], level)) if counts else default


def _level(value: ClinicalValue) -> str:
    if isinstance(value, bool):
        return str(int(value))
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _number(feature: Feature, value: ClinicalValue) -> float:
    if isinstance(value, str) or value is None or not abs(value) < _LARGEST:
        raise MLError("bad_clinical_value", f"{feature.name} must be a number; correct it on the case report form.")
    if feature.kind == "binary" and value not in (0, 1):
        raise MLError("bad_clinical_value", f"{feature.name} must be 0 or 1; correct it on the case report form.")
    return float(value)
