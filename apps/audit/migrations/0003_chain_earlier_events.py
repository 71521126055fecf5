"""Put the events that are there already into the chain, in the order of their numbers."""

from django.db import migrations

from apps.audit.chain import FIELDS, START, digest_of, next_chain

BATCH = 1000


def fill(apps, schema_editor):
    Event = apps.get_model("audit", "AuditEvent")
    Link = apps.get_model("audit", "AuditLink")
    sequence, chain, last = 0, START, 0
    while events := list(Event.objects.filter(pk__gt=last).order_by("pk")[:BATCH]):
        links = []
        for event in events:
            event.digest = digest_of({name: getattr(event, name) for name in FIELDS})
            sequence, chain = sequence + 1, next_chain(chain, event.digest, event.pk)
            links.append(Link(sequence=sequence, event=event, chain=chain))
        Event.objects.bulk_update(events, ["digest"])
        Link.objects.bulk_create(links)
        last = events[-1].pk


class Migration(migrations.Migration):

    dependencies = [("audit", "0002_chain")]

    operations = [migrations.RunPython(fill, migrations.RunPython.noop)]
