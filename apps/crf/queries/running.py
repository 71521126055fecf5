"""Running all rules. Running them again opens nothing twice: a query is recognized by form, rule and variable."""

from collections import Counter
from collections.abc import Callable, Mapping

from django.db import transaction
from django.db.models import QuerySet

from apps.accounts.models import User
from apps.crf.models import CrfForm
from apps.crf.queries.judgment import findings_of, steps_for
from apps.crf.queries.models import Query
from apps.crf.queries.rules import Gather, Subject, rules
from apps.crf.queries.thread import write_steps
from apps.patients.models import Patient

# Forms a transaction: few enough that nobody's save waits long.
BATCH = 200


def run_rules(
    *,
    actor: User | None = None,
    patients: QuerySet[Patient] | None = None,
    report: Callable[[int, int], None] = lambda done, total: None,
) -> Counter[str]:
    """Judge the forms of the patients (None: of all) by all rules; return how many queries took which step.

    `actor` is who asked for the run; the queries are the rules' own.
    """
    forms = CrfForm.objects.filter(version__gt=0)  # one that was only asked about has nothing to judge
    forms = forms if patients is None else forms.filter(patient__in=patients)
    keys = list(forms.order_by("pk").values_list("pk", flat=True))
    gathers = {name: rule.prepare() for name, rule in rules.items()}
    counts: Counter[str] = Counter(forms=len(keys))
    for start in range(0, len(keys), BATCH):
        counts += _run_batch(actor, keys[start : start + BATCH], gathers)
        report(min(start + BATCH, len(keys)), len(keys))
    return counts


@transaction.atomic
def _run_batch(actor: User | None, keys: list[int], gathers: Mapping[str, Gather]) -> Counter[str]:
    # The lock of the save: no value changes between judging and writing.
    list(CrfForm.objects.select_for_update().filter(pk__in=keys).order_by("pk").values_list("pk"))
    forms = list(CrfForm.objects.filter(pk__in=keys).select_related("patient__center").order_by("pk"))
    subjects = [Subject.of(form) for form in forms]
    # Locked too: what a person does to one meanwhile waits, and is not written over.
    queries = Query.objects.select_for_update().filter(form__in=keys).exclude(rule="").order_by("pk")
    steps = steps_for(findings_of(subjects, gathers), queries)
    patients = {form.patient_id: form.patient for form in forms}
    return write_steps(actor=actor, author=None, action="run_rules", steps=steps, patients=patients)
