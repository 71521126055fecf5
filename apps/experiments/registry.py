"""The model registry: which run's model is in service, since when, by whom and why."""

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.accounts.access import require_everywhere
from apps.accounts.models import User
from apps.accounts.policy import Permission
from apps.audit.services import record
from apps.core.errors import Refusal
from apps.experiments.models import Experiment, ServingTerm
from apps.experiments.selectors import predecessor, serving_experiment
from apps.patients.changes import announce
from apps.patients.models import Patient
from ml.preprocessing import PREPROCESSING_VERSION

MIN_REASON = 5


def promote(*, actor: User, experiment: Experiment, reason: str) -> ServingTerm:
    """Put a finished run's model into service in place of the one that serves; every patient is predicted anew."""
    require_everywhere(actor, Permission.PROMOTE_MODELS)
    _check_usable(experiment)
    if serving_experiment() == experiment:
        raise Refusal("serves_already", _("This model is in service already."), status=409)
    return _begin(actor=actor, experiment=experiment, reason=_checked(reason), action="promote_model")


def roll_back(*, actor: User, reason: str) -> ServingTerm:
    """Put the model back into service that served before this one."""
    require_everywhere(actor, Permission.PROMOTE_MODELS)
    experiment = predecessor()
    if experiment is None:
        raise Refusal("no_predecessor", _("No other model has been in service. Promote one instead."), status=409)
    _check_usable(experiment)
    return _begin(actor=actor, experiment=experiment, reason=_checked(reason), action="roll_back_model")


@transaction.atomic
def retire(*, actor: User, experiment: Experiment, reason: str) -> None:
    """Take the model out of service; until another is promoted nobody is predicted."""
    require_everywhere(actor, Permission.PROMOTE_MODELS)
    why = _checked(reason)
    term = ServingTerm.objects.select_for_update().filter(experiment=experiment, ended_at__isnull=True).first()
    if term is None:
        raise Refusal("not_serving", _("This model is not in service."), status=409)
    _end(term, actor, why)
    record(actor=actor, action="retire_model", target=experiment, reason=why)


def begin_first_term(experiment: Experiment) -> None:
    """Let the first model of a study serve; called within the transaction that finishes its run."""
    if not ServingTerm.objects.exists():
        ServingTerm.objects.create(experiment=experiment)
        record(actor=None, action="promote_model", target=experiment)


def announce_unseen(experiment: Experiment) -> None:
    """Have the patients announced whom the run has not seen, so that each gets a prediction by its model.

    Not part of a transaction: it may take long, and after an interruption it is simply done again.
    """
    for patient in Patient.objects.exclude(results__experiment=experiment).select_related("center"):
        announce(patient)


def _check_usable(experiment: Experiment) -> None:
    if not experiment.is_finished:
        raise Refusal("not_finished", _("This run has no model yet. Wait for the end of its training."), status=409)
    if experiment.card.get("preprocessing_version") != PREPROCESSING_VERSION:
        raise Refusal(
            "preprocessing_differs",
            _("This model learned from images of another preprocessing version. Train it again, then promote it."),
            status=409,
        )


def _checked(reason: str) -> str:
    text = " ".join(reason.split())
    if len(text) < MIN_REASON:
        raise Refusal("no_reason", _("Say why in a few words; the reason stands in the registry."), status=400)
    limit = ServingTerm._meta.get_field("reason").max_length or 0
    if len(text) > limit:
        raise Refusal("reason_too_long", _("Give the reason in %d characters at most.") % limit, status=400)
    return text


def _begin(*, actor: User, experiment: Experiment, reason: str, action: str) -> ServingTerm:
    from apps.experiments.tasks import predict_unseen

    try:
        with transaction.atomic():
            before = ServingTerm.objects.select_for_update().filter(ended_at__isnull=True).first()
            if before is not None:
                _end(before, actor)
            term = ServingTerm.objects.create(experiment=experiment, began_by=actor, reason=reason)
            changes = {"serving": [before.experiment_id if before else None, experiment.pk]}
            record(actor=actor, action=action, target=experiment, reason=reason, changes=changes)
            predict_unseen.enqueue(experiment_id=experiment.pk)
    except IntegrityError:  # somebody else promoted at the same moment
        raise Refusal("registry_changed", _("Somebody else changed the registry. Look again."), status=409) from None
    return term


def _end(term: ServingTerm, actor: User, reason: str = "") -> None:
    term.ended_at, term.ended_by, term.end_reason = timezone.now(), actor, reason
    term.save(update_fields=["ended_at", "ended_by", "end_reason"])
