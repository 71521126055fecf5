"""What `manage.py verify_audit` asks of signatures: that each is tied to the very values that it was made over."""

from collections.abc import Iterator
from itertools import groupby

from apps.audit.verification import Fault, checks, vouched_models
from apps.crf.models import FormAct, Signature
from apps.crf.rules import replay
from apps.crf.signatures.content import digest_of_values, events_of


def register_verification() -> None:
    """Let no signature, lock or withdrawal differ from the trail unseen."""
    vouched_models.extend(model._meta.label_lower for model in (Signature, FormAct))
    checks.append(signatures_of_other_values)


def signatures_of_other_values() -> Iterator[Fault]:
    """Yield the signatures whose digest is not that of their form's values as they stood when it was signed."""
    signatures = Signature.objects.select_related("form__patient").order_by("form_id", "pk").iterator()
    for form, signed in groupby(signatures, key=lambda signature: signature.form):
        events = events_of(form)
        for signature in signed:
            before = [event for event in events if event.form_version <= signature.form_version]
            answers = replay((event.variable, event.answer) for event in before)
            if digest_of_values(form, before, signature.variables, answers) != signature.digest:
                yield Fault(
                    f"row {signature.pk} of {Signature._meta.db_table}", "it was not made over the values of its form."
                )
