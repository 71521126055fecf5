"""Experiments: the list, one run with its progress and metrics, and the start of a new one."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from apps.accounts.access import get_visible, has_permission_everywhere, person, require, require_everywhere
from apps.accounts.policy import Permission
from apps.cohorts.outdated import outdated_masks
from apps.cohorts.selectors import exclusions_of
from apps.core.fragments import job_fragment
from apps.experiments import services
from apps.experiments.curves import curves_of
from apps.experiments.forms import ExperimentForm
from apps.experiments.models import Experiment
from apps.experiments.presets import config_of
from apps.experiments.progress import progress_of
from apps.experiments.selectors import (
    Discrimination,
    discrimination_of,
    experiments_visible_to,
    serving_experiment,
)
from apps.experiments.views_registry import service_context


@require_GET
def listing(request: HttpRequest) -> HttpResponse:
    """List the runs, newest first."""
    require(request.user, Permission.VIEW_EXPERIMENTS)
    context = {
        "rows": [
            (experiment, progress_of(experiment), _headline(experiment))
            for experiment in experiments_visible_to(request.user)
        ],
        "can_run": has_permission_everywhere(request.user, Permission.RUN_EXPERIMENTS),
        "serving": serving_experiment(),
    }
    return render(request, "experiments/list.html", context)


def _headline(experiment: Experiment) -> Discrimination | None:
    """Return the figure by which runs are compared."""
    found = discrimination_of(experiment)
    return next((figures for figures in found if (figures.arm, figures.part) == ("fusion", "oof")), None)


@require_GET
def detail(request: HttpRequest, experiment_id: int) -> HttpResponse:
    """Show one run: what it trained on, how far it is, and what came of it."""
    experiment = get_visible(experiments_visible_to(request.user), pk=experiment_id)
    context: dict[str, object] = {
        "experiment": experiment,
        "exclusions": exclusions_of(experiment.snapshot),
        "outdated": outdated_masks(experiment.snapshot, request.user),
        "discrimination": discrimination_of(experiment),
        "curves": curves_of(experiment),
    }
    context |= job_context(request, experiment) | service_context(request, experiment)
    return render(request, "experiments/detail.html", context)


@require_http_methods(["GET", "POST"])
def create(request: HttpRequest) -> HttpResponse:
    """Freeze the cohort and queue a run."""
    require_everywhere(request.user, Permission.RUN_EXPERIMENTS)
    form = ExperimentForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        experiment = services.start_experiment(
            actor=person(request.user),
            name=form.cleaned_data["name"],
            config=config_of(
                form.cleaned_data["preset"],
                design=form.cleaned_data["design"],
                at_door=form.cleaned_data["at_door"],
            ),
        )
        return redirect("experiments:detail", experiment.pk)
    return render(request, "experiments/create.html", {"form": form})


@require_GET
def status(request: HttpRequest, experiment_id: int) -> HttpResponse:
    """Send the job's fragment; once the run has ended the page is loaded anew."""
    experiment = get_visible(experiments_visible_to(request.user), pk=experiment_id)
    return job_fragment(request, job_context(request, experiment))


@require_GET
def curves(request: HttpRequest, experiment_id: int) -> HttpResponse:
    """Send the learning curves as far as they have come."""
    experiment = get_visible(experiments_visible_to(request.user), pk=experiment_id)
    context = {"experiment": experiment, "job": progress_of(experiment), "curves": curves_of(experiment)}
    return render(request, "experiments/partials/curves.html", context)


@require_POST
def retry(request: HttpRequest, experiment_id: int) -> HttpResponse:
    """Queue a failed run again."""
    experiment = get_visible(experiments_visible_to(request.user), pk=experiment_id)
    services.retry_experiment(actor=person(request.user), experiment=experiment)
    return redirect("experiments:detail", experiment.pk)


@require_POST
def stop(request: HttpRequest, experiment_id: int) -> HttpResponse:
    """End a run that waits or works; it can be tried again, and goes on where it was."""
    experiment = get_visible(experiments_visible_to(request.user), pk=experiment_id)
    services.stop_experiment(actor=person(request.user), experiment=experiment)
    return redirect("experiments:detail", experiment.pk)


def job_context(request: HttpRequest, experiment: Experiment) -> dict[str, object]:
    """Return what partials/job.html needs; only who may run experiments sees the retry button."""
    can_run = has_permission_everywhere(request.user, Permission.RUN_EXPERIMENTS)
    return {
        "job": progress_of(experiment),
        "job_url": reverse("experiments:status", args=[experiment.pk]),
        "retry_url": reverse("experiments:retry", args=[experiment.pk]) if can_run else "",
        "stop_url": reverse("experiments:stop", args=[experiment.pk]) if can_run else "",
    }
