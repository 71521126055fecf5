"""The ROC curve and the operating points on it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ml.statistics.checks import CountArray, FloatArray, read_pair, split_by_class


@dataclass(frozen=True, eq=False)
class RocCurve:
    """Points of a ROC curve from (0, 0) to (1, 1); a patient is called positive when score >= threshold.

    Attributes
    ----------
    fpr, tpr
        False and true positive rate, shape (k,), ascending.
    thresholds
        Shape (k,), descending; the first is infinite: nobody is called positive.
    """

    fpr: FloatArray
    tpr: FloatArray
    thresholds: FloatArray


@dataclass(frozen=True)
class OperatingPoint:
    """A threshold (positive when score >= threshold) with the 2 x 2 table that it gives."""

    threshold: float
    j: float
    sensitivity: float
    specificity: float
    tp: int
    fp: int
    tn: int
    fn: int


def roc_curve(y: ArrayLike, score: ArrayLike, *, drop_collinear: bool = True) -> RocCurve:
    """Return the empirical ROC curve; tied scores make one oblique step.

    Parameters
    ----------
    y
        Outcomes, shape (n,), 0 or 1; 1 = positive.
    score
        Scores, shape (n,); higher = more likely positive. The direction is never guessed.
    drop_collinear
        Leave out points on the straight line between their neighbors: the drawn curve is the same.

    Raises
    ------
    StatisticsError
        If the input is empty, of different lengths, not finite, not 0/1, or of one class only.
    """
    false_positives, true_positives, thresholds = _counts(y, score)
    fp = np.concatenate(([0], false_positives))
    tp = np.concatenate(([0], true_positives))
    thresholds = np.concatenate(([np.inf], thresholds))
    if drop_collinear:
        keep = _corners(fp, tp)
        fp, tp, thresholds = fp[keep], tp[keep], thresholds[keep]
    return RocCurve(fp / fp[-1], tp / tp[-1], thresholds)


def youden(y: ArrayLike, score: ArrayLike) -> OperatingPoint:
    """Return the threshold with the largest J = sensitivity + specificity - 1 (Youden, Cancer 1950;3:32-35).

    The threshold is one of the scores seen. Of several with the same J the highest is taken, so the most specific
    one. A threshold chosen on the patients on whom it is then judged flatters the test.

    Parameters and errors are those of `roc_curve`.
    """
    false_positives, true_positives, thresholds = _counts(y, score)
    n_neg, n_pos = int(false_positives[-1]), int(true_positives[-1])
    best = int(np.argmax(true_positives * n_neg - false_positives * n_pos))  # in whole numbers: ties are exact
    fp, tp = int(false_positives[best]), int(true_positives[best])
    return OperatingPoint(
        threshold=float(thresholds[best]),
        j=(tp * n_neg - fp * n_pos) / (n_pos * n_neg),
        sensitivity=tp / n_pos,
        specificity=(n_neg - fp) / n_neg,
        tp=tp,
        fp=fp,
        tn=n_neg - fp,
        fn=n_pos - tp,
    )


def _counts(y: ArrayLike, score: ArrayLike) -> tuple[CountArray, CountArray, FloatArray]:
    """False and true positives at each distinct score taken as threshold, from the highest down."""
    split_by_class(y, score)  # refuses what has no curve
    outcome, scores = read_pair(y, score)
    order = np.argsort(-scores, kind="stable")
    outcome, scores = outcome[order], scores[order]
    last_of_tie = np.append(np.flatnonzero(np.diff(scores)), scores.size - 1)
    true_positives = np.cumsum(outcome, dtype=np.int64)[last_of_tie]
    return last_of_tie + 1 - true_positives, true_positives, scores[last_of_tie]


def _corners(fp: CountArray, tp: CountArray) -> NDArray[np.bool_]:
    step_x, step_y = np.diff(fp), np.diff(tp)
    turns = step_x[:-1] * step_y[1:] != step_x[1:] * step_y[:-1]
    return np.concatenate(([True], turns, [True]))
