"""The form that each patient had is his main form. A step of its own: PostgreSQL alters no table with such work open."""

from django.db import migrations
from django.db.models import F


def name_main_forms(apps, schema_editor):
    apps.get_model("crf", "CrfForm").objects.update(main_of=F("patient"))


class Migration(migrations.Migration):

    dependencies = [("crf", "0004_visits")]

    operations = [migrations.RunPython(name_main_forms, migrations.RunPython.noop)]
