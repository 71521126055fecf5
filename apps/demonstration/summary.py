"""What the demonstration prints at its end: counts and areas under the curve, from the same tables as the pages."""

from collections.abc import Mapping

import pandas as pd

from apps.accounts.models import Center
from apps.annotation.models import Mask
from apps.experiments.selectors import results_table, serving_experiment
from apps.imaging.models import Series
from apps.patients.models import Patient
from apps.predictions.models import Prediction
from ml.statistics import auc


def summary_lines(best: Mapping[str, float]) -> list[str]:
    """Return the summary table's lines.

    `best` is the true P(poor outcome | form, CT) of simulated patients by study ID. Where the model saw a patient of
    whom it is not known, enrolled by somebody who tries the demonstration out, there is no best possible AUC.
    """
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
    return [*lines, "", *_areas(table.assign(best=table["study_id"].map(best)))]


def _areas(table: pd.DataFrame) -> list[str]:
    outcome = table["poor_outcome"].astype(int)
    best = None if table["best"].isna().any() else auc(outcome, table["best"]).value
    lines = [f"{'AUC, patients unseen by the model':<36}{'n':>8}{'AUC':>8}   95 % CI (DeLong)   below best"]
    for label, column in (
        ("best possible, from form and CT", "best"),
        ("fusion model", "fusion"),
        ("imaging model", "imaging"),
        ("clinical model", "clinical"),
        ("ICH score", "score_ich_score"),
        ("ICH-GS", "score_ich_gs"),
    ):
        if column not in table or table[column].isna().any():  # an arm that this run did not train, best not known
            continue
        area = auc(outcome, table[column])
        low, high = area.ci_delong
        below = "" if best is None or column == "best" else f"{best - area.value:.3f}"
        lines.append(f"{label:<36}{area.n:>8}{area.value:>8.3f}   {low:.3f} to {high:.3f}   {below:>10}".rstrip())
    return lines


def _prepared() -> int:
    return Series.objects.filter(modality="CT", state=Series.State.READY).count()
