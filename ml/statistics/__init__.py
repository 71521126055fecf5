"""Statistics of prognostic scores: discrimination, accuracy and summaries.

Everywhere: `y` is 0 or 1 with 1 = positive (poor outcome), a higher score means more likely positive, intervals are
two-sided 95 %, proportions are fractions, and data on which a figure is not defined raise `StatisticsError`.
"""

from ml.statistics.calibration import Calibration, calibration
from ml.statistics.checks import StatisticsError
from ml.statistics.delong import Auc, DelongTest, auc, delong_test
from ml.statistics.diagnostic import DiagnosticAccuracy, diagnostic_accuracy
from ml.statistics.intervals import Proportion, proportion_ci
from ml.statistics.roc import OperatingPoint, RocCurve, roc_curve, youden
from ml.statistics.summaries import MedianIqr, ScoreRow, median_iqr, score_distribution

__all__ = [
    "Auc",
    "Calibration",
    "DelongTest",
    "DiagnosticAccuracy",
    "MedianIqr",
    "OperatingPoint",
    "Proportion",
    "RocCurve",
    "ScoreRow",
    "StatisticsError",
    "auc",
    "calibration",
    "delong_test",
    "diagnostic_accuracy",
    "median_iqr",
    "proportion_ci",
    "roc_curve",
    "score_distribution",
    "youden",
]
