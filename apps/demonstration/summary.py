"""What the demonstration prints at its end: counts and areas under the curve, from the same tables as the pages."""

from apps.accounts.models import Center
from apps.annotation.models import Mask
from apps.experiments.selectors import results_table, serving_experiment
from apps.imaging.models import Series
from apps.patients.models import Patient
from apps.predictions.models import Prediction
from ml.statistics import auc


def summary_lines() -> list[str]:
    """Return the summary table's lines."""
    predicted = Prediction.objects.filter(probability__isnull=False).count()
    lines = ["", "Simulated data: no real patient, no real result.", ""]
    lines += [
        f"{'centers':<36}{Center.objects.count():>8}",
        f"{'patients':<36}{Patient.objects.count():>8}",
        f"{'head CTs preprocessed':<36}{_prepared():>8}",
        f"{'hematoma masks':<36}{Mask.objects.count():>8}",
        f"{'predictions for patients in hospital':<36}{predicted:>8}",
    ]
    experiment = serving_experiment()
    if experiment is None:
        return [*lines, "no model"]
    table = results_table(experiment)
    lines += ["", f"{'AUC, patients unseen by the model':<36}{'n':>8}{'AUC':>8}   95 % CI (DeLong)"]
    for label, column in (
        ("fusion model", "fusion"),
        ("imaging model", "imaging"),
        ("clinical model", "clinical"),
        ("ICH score", "score_ich_score"),
        ("ICH-GS", "score_ich_gs"),
    ):
        if column not in table:  # an arm that this run did not train
            continue
        area = auc(table["poor_outcome"].astype(int), table[column])
        low, high = area.ci_delong
        lines.append(f"{label:<36}{area.n:>8}{area.value:>8.3f}   {low:.3f} to {high:.3f}")
    return lines


def _prepared() -> int:
    return Series.objects.filter(modality="CT", state=Series.State.READY).count()
