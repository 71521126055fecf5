"""Accuracy of a yes/no test against the outcome."""

from dataclasses import dataclass

from ml.statistics.checks import StatisticsError, read_count
from ml.statistics.intervals import Proportion, logit_ci, proportion_ci


@dataclass(frozen=True)
class DiagnosticAccuracy:
    """Accuracy measures as fractions, each with a 95 % interval and the name of its method."""

    sensitivity: Proportion
    specificity: Proportion
    ppv: Proportion
    npv: Proportion
    accuracy: Proportion
    tp: int
    fp: int
    tn: int
    fn: int


def diagnostic_accuracy(*, tp: int, fp: int, tn: int, fn: int) -> DiagnosticAccuracy:
    """Return sensitivity, specificity, predictive values and accuracy of a 2 x 2 table.

    Sensitivity, specificity and accuracy carry Clopper-Pearson intervals. Predictive values carry logit intervals
    (Mercaldo, Lau and Zhou, Statistics in Medicine 2007;26:2170-2183): with n1 positive and n0 negative patients the
    variance of the log-odds is (1-se)/(se n1) + sp/((1-sp) n0) for the PPV and se/((1-se) n1) + (1-sp)/(sp n0) for
    the NPV. Where a predictive value is 0 or 1, or that variance is 0, the logit interval does not exist and
    Clopper-Pearson takes its place; `method` tells which. The predictive values hold for the prevalence of this very
    sample.

    Parameters
    ----------
    tp, fp, tn, fn
        Counts of true positives, false positives, true negatives and false negatives.

    Returns
    -------
    DiagnosticAccuracy
        A predictive value is NaN where no patient was called positive (PPV) or negative (NPV).

    Raises
    ------
    StatisticsError
        If a count is negative or no whole number, or one of the outcomes has no patient.
    """
    tp, fp = read_count(tp, "true positives"), read_count(fp, "false positives")
    tn, fn = read_count(tn, "true negatives"), read_count(fn, "false negatives")
    if tp + fn == 0 or tn + fp == 0:
        raise StatisticsError(
            "one_class", "Sensitivity and specificity need at least one patient with each outcome; one has none."
        )
    return DiagnosticAccuracy(
        sensitivity=proportion_ci(tp, tp + fn),
        specificity=proportion_ci(tn, tn + fp),
        ppv=_predictive_value(right=tp, wrong=fp, same_class_missed=fn, other_class_right=tn),
        npv=_predictive_value(right=tn, wrong=fn, same_class_missed=fp, other_class_right=tp),
        accuracy=proportion_ci(tp + tn, tp + fp + tn + fn),
        tp=tp,
        fp=fp,
        tn=tn,
        fn=fn,
    )


def _predictive_value(*, right: int, wrong: int, same_class_missed: int, other_class_right: int) -> Proportion:
    """PPV for (tp, fp, fn, tn); NPV, its mirror image, for (tn, fn, fp, tp)."""
    if right == 0 or wrong == 0:
        return proportion_ci(right, right + wrong)
    # (1-se)/(se n1) = fn/(tp n1) and sp/((1-sp) n0) = tn/(fp n0): the published variance, written in counts.
    variance = same_class_missed / (right * (right + same_class_missed)) + other_class_right / (
        wrong * (wrong + other_class_right)
    )
    if variance == 0:
        return proportion_ci(right, right + wrong)
    return logit_ci(right / (right + wrong), variance)
