"""Reading experiments and their results."""

from dataclasses import dataclass

import pandas as pd
from django.db.models import Prefetch, QuerySet

from apps.accounts.access import Actor, has_permission_everywhere
from apps.accounts.policy import Permission
from apps.cohorts.selectors import load_included
from apps.crf.dictionary import load_dictionary
from apps.crf.selectors import model_features
from apps.experiments.models import Cell, Experiment, PatientResult, ServingTerm

# A model may be promoted again and again; a roll-back looks no farther than this.
LOOK_BACK = 50


@dataclass(frozen=True)
class Discrimination:
    """The area under the ROC curve of one model on one part of the patients; None where it is not defined."""

    arm: str
    part: str
    n: int
    n_poor: int
    auc: float | None
    low: float | None
    high: float | None


def experiments_visible_to(actor: Actor) -> QuerySet[Experiment]:
    """Return all experiments for those who see experiments of all centers: a run is made of all of them."""
    if not has_permission_everywhere(actor, Permission.VIEW_EXPERIMENTS):
        return Experiment.objects.none()
    runs = Experiment.objects.select_related("snapshot", "job", "finishing", "created_by")
    return runs.prefetch_related(Prefetch("cells", Cell.objects.select_related("job")))


def serving_experiment() -> Experiment | None:
    """Return the run whose models predict and whose results are shown."""
    return (
        Experiment.objects.filter(terms__isnull=False, terms__ended_at__isnull=True).select_related("snapshot").first()
    )


def asks_as_now(experiment: Experiment) -> bool:
    """Say whether the clinical inputs of a run's models mean what the forms ask now."""
    then = experiment.snapshot.dictionary_version
    try:
        return then == load_dictionary().id or model_features(then) == model_features()
    except KeyError:  # a dictionary that nobody has any more
        return False


def predecessor() -> Experiment | None:
    """Return the run that a roll-back would bring back: the last one before that which serves, or served last."""
    terms = list(ServingTerm.objects.select_related("experiment__snapshot")[:LOOK_BACK])
    return next((term.experiment for term in terms if term.experiment_id != terms[0].experiment_id), None)


def results_table(experiment: Experiment) -> pd.DataFrame:
    """Return one row an analysed patient: the snapshot's columns, the split, and each arm's probability."""
    cohort = load_included(experiment.snapshot)
    rows = PatientResult.objects.filter(experiment=experiment).values_list(
        "patient__study_id", "arm", "split", "probability"
    )
    results = pd.DataFrame(list(rows), columns=["study_id", "arm", "split", "probability"])
    wide = results.pivot(index=["study_id", "split"], columns="arm", values="probability").reset_index()
    return cohort.merge(wide, on="study_id", how="inner", validate="one_to_one")


def discrimination_of(experiment: Experiment) -> list[Discrimination]:
    """Return the figures of a run, out of fold ("oof") and on the test split ("test"); none before its end."""
    found = []
    for arm, parts in experiment.metrics.get("arms", {}).items():
        for part in ("oof", "test"):
            figures = parts[part]
            low, high = figures["ci_delong"] or (None, None)
            found.append(Discrimination(arm, part, figures["n"], figures["n_poor"], figures["auc"], low, high))
    return found
