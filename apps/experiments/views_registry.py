"""The registry in the browser: one model's card, and the buttons that change which model serves."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from apps.accounts.access import get_visible, has_permission_everywhere, person, require_everywhere
from apps.accounts.policy import Permission
from apps.cohorts.outdated import outdated_masks
from apps.cohorts.selectors import exclusions_of
from apps.experiments import registry
from apps.experiments.calibration import calibrations_of
from apps.experiments.forms import ReasonForm
from apps.experiments.models import Experiment
from apps.experiments.selectors import discrimination_of, experiments_visible_to, predecessor, serving_experiment


@require_GET
def model_card(request: HttpRequest, experiment_id: int) -> HttpResponse:
    """Show what a model is made of, how well it did, when it served, and what it may not be used for."""
    experiment = get_visible(experiments_visible_to(request.user).filter(finished_at__isnull=False), pk=experiment_id)
    context = {
        "experiment": experiment,
        "card": experiment.card,
        "discrimination": discrimination_of(experiment),
        "calibrations": calibrations_of(experiment),
        "exclusions": exclusions_of(experiment.snapshot),
        "outdated": outdated_masks(experiment.snapshot, request.user),
        "terms": experiment.terms.select_related("began_by", "ended_by"),
    }
    return render(request, "experiments/model_card.html", context)


@require_POST
def promote(request: HttpRequest, experiment_id: int) -> HttpResponse:
    """Put a model into service."""
    require_everywhere(request.user, Permission.PROMOTE_MODELS)
    experiment = get_visible(experiments_visible_to(request.user), pk=experiment_id)
    registry.promote(actor=person(request.user), experiment=experiment, reason=_reason(request))
    messages.success(request, _("The model is in service. Patients are being predicted anew."))
    return redirect("experiments:detail", experiment.pk)


@require_POST
def retire(request: HttpRequest, experiment_id: int) -> HttpResponse:
    """Take a model out of service."""
    require_everywhere(request.user, Permission.PROMOTE_MODELS)
    experiment = get_visible(experiments_visible_to(request.user), pk=experiment_id)
    registry.retire(actor=person(request.user), experiment=experiment, reason=_reason(request))
    messages.success(request, _("The model is out of service. No patient is predicted until one is promoted."))
    return redirect("experiments:detail", experiment.pk)


@require_POST
def roll_back(request: HttpRequest) -> HttpResponse:
    """Put the model back into service that served before."""
    require_everywhere(request.user, Permission.PROMOTE_MODELS)
    term = registry.roll_back(actor=person(request.user), reason=_reason(request))
    messages.success(request, _("The model is in service. Patients are being predicted anew."))
    return redirect("experiments:detail", term.experiment_id)


def _reason(request: HttpRequest) -> str:
    return str(request.POST.get("reason", ""))


def service_context(request: HttpRequest, experiment: Experiment) -> dict[str, Any]:
    """Return what the page of a run says of its service, and offers to who may change it."""
    serving = serving_experiment()
    may_change = has_permission_everywhere(request.user, Permission.PROMOTE_MODELS)
    return {
        "serving": serving,
        "serves": serving == experiment,
        "terms": list(experiment.terms.select_related("began_by", "ended_by")),
        "may_change_service": may_change,
        "predecessor": predecessor() if may_change and serving == experiment else None,
        "reason_form": ReasonForm(),
    }
