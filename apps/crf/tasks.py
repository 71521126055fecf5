"""Running the rules on a worker."""

from django.db.models import QuerySet

import apps.crf.imports.tasks
import apps.crf.versions.tasks  # noqa: F401 - Celery looks for tasks here alone
from apps.accounts.access import centers_with
from apps.accounts.policy import Permission
from apps.core.jobs import JobHandle, durable_task
from apps.crf.queries.models import RuleRun
from apps.crf.queries.running import run_rules
from apps.patients.models import Patient


@durable_task(queue="imaging")
def run(job: JobHandle, *, run_id: int) -> None:
    """Judge the forms by all rules. A run that begins anew opens nothing twice."""
    asked = RuleRun.objects.select_related("requested_by").get(pk=run_id)
    patients: QuerySet[Patient] = Patient.objects.filter(
        center__in=centers_with(asked.requested_by, Permission.MANAGE_QUERIES)
    )
    counts = run_rules(
        actor=asked.requested_by,
        patients=patients,
        report=lambda done, total: job.report("Judging the forms", done / total),
    )
    for name in ("forms", "opened", "reopened", "resolved"):
        setattr(asked, name, counts[name])
    asked.save(update_fields=["forms", "opened", "reopened", "resolved"])
