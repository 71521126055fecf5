"""Take the values that are there already into the trail: one event for each form vouches for all of its values."""

from django.db import migrations
from django.utils import timezone

from apps.audit.chain import append_link, digest_of, sha256_of


def take_in(apps, schema_editor):
    Form = apps.get_model("crf", "CrfForm")
    Value = apps.get_model("crf", "CrfValue")
    for form in Form.objects.select_related("patient").order_by("pk").iterator():
        values = list(Value.objects.filter(form=form).order_by("pk"))
        if values:
            _add_event(apps, schema_editor.connection.vendor, form, values)


def _add_event(apps, vendor, form, values):
    Event = apps.get_model("audit", "AuditEvent")
    fields = [field.attname for field in values[0]._meta.concrete_fields]
    digests = {str(value.pk): sha256_of({name: getattr(value, name) for name in fields}) for value in values}
    content = {
        "at": timezone.now(), "actor_id": None, "action": "take_into_trail", "object_type": "crf.crfform",
        "object_id": str(form.pk), "center_id": form.patient.center_id, "changes": {}, "reason": "",
        "rows": {"model": "crf.crfvalue", "fields": fields, "digests": digests},
    }
    event = Event.objects.create(**content, digest=digest_of(content))
    if vendor == "sqlite":
        append_link(event, apps.get_model("audit", "AuditLink"))


class Migration(migrations.Migration):

    dependencies = [("crf", "0001_initial"), ("audit", "0004_protection"), ("patients", "0001_initial")]

    operations = [migrations.RunPython(take_in, migrations.RunPython.noop)]
