"""What `manage.py verify_audit` asks of second entries: that their values are what their history gives."""

from collections.abc import Iterator

from apps.audit.verification import Fault, checks, vouched_models
from apps.crf.double_entry.models import SecondEntry, SecondValue
from apps.crf.rules import replay


def register_verification() -> None:
    """Let no value of a second entry differ from the trail unseen."""
    vouched_models.append(SecondValue._meta.label_lower)
    checks.append(entries_differing_from_history)


def entries_differing_from_history() -> Iterator[Fault]:
    """Yield the second entries whose values or version are not those that their events leave."""
    entries = SecondEntry.objects.order_by("pk").prefetch_related("events")
    for entry in entries.iterator(chunk_size=500):
        events = list(entry.events.all())
        left = replay((event.variable, event.answer) for event in events)
        if left != entry.answers or (events[-1].entry_version if events else 0) != entry.version:
            yield Fault(f"row {entry.pk} of {entry._meta.db_table}", "its values are not those that its history gives.")
