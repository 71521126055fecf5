"""What an actor sees on the dashboard: his centers, and the analysis of their patients."""

import hashlib
import json
from dataclasses import dataclass

from django.core.cache import cache
from django.http import Http404
from django.utils.translation import gettext as _

from apps.accounts.access import Actor, centers_with, has_permission_everywhere, require
from apps.accounts.models import Center
from apps.accounts.policy import Permission
from apps.analytics.analysis import PATIENT_SETS, Analysis, analyse
from apps.cohorts.selectors import load_table
from apps.core.errors import Refusal
from apps.experiments.models import Experiment
from apps.experiments.selectors import results_table, serving_experiment

# Part of the key of each stored analysis. Raise it when the dataclasses of analysis.py or a formula change, so that no
# analysis by an older version is shown.
FORMAT = 1
KEEP_SECONDS = 3600


@dataclass(frozen=True)
class Scope:
    """The centers to choose from, and those chosen: one, or ("" ) all of them."""

    offered: tuple[Center, ...]
    center: str
    everywhere: bool

    @property
    def codes(self) -> tuple[str, ...]:
        return (self.center,) if self.center else tuple(center.code for center in self.offered)


@dataclass(frozen=True)
class Dashboard:
    """A scope, the experiment whose results are shown, and its analysis; None where no experiment has finished."""

    scope: Scope
    patients: str
    experiment: Experiment | None
    analysis: Analysis | None


def dashboard_visible_to(actor: Actor, *, center: str = "", patients: str = "") -> Dashboard:
    """Return the dashboard of one center, or (no center named) of all in which the actor may see it.

    Raises Http404 for an actor without dashboard and for a center that is foreign or absent, and Refusal for an
    unknown set of patients.
    """
    scope = scope_of(actor, center)
    patients = patients or PATIENT_SETS[0]
    if patients not in PATIENT_SETS:
        raise Refusal("unknown_patients", _("There is no such set of patients. Choose cv, test or all."), status=400)
    experiment = serving_experiment()
    analysis = None if experiment is None else analysis_of(experiment, scope.codes, patients)
    return Dashboard(scope, patients, experiment, analysis)


def scope_of(actor: Actor, center: str) -> Scope:
    """Return the centers of which the actor may see the dashboard."""
    require(actor, Permission.VIEW_DASHBOARD)
    offered = tuple(centers_with(actor, Permission.VIEW_DASHBOARD).order_by("code"))
    if center and center not in {each.code for each in offered}:
        raise Http404
    return Scope(offered, center, has_permission_everywhere(actor, Permission.VIEW_DASHBOARD))


def analysis_of(experiment: Experiment, codes: tuple[str, ...], patients: str) -> Analysis:
    """Return the analysis of a finished experiment; it never changes, so it is kept for a while."""
    name = json.dumps(
        [FORMAT, experiment.pk, str(experiment.finished_at), experiment.snapshot.digest, sorted(codes), patients]
    )
    key = "analysis-" + hashlib.sha256(name.encode()).hexdigest()
    kept: Analysis | None = cache.get(key)
    if kept is None:
        cohort = load_table(experiment.snapshot)
        kept = analyse(cohort, results_table(experiment), centers=codes, patients=patients)
        cache.set(key, kept, KEEP_SECONDS)
    return kept
