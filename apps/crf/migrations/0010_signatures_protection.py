"""A signature stays, and so does what locks, unlocks and withdraws: rows can only be added."""

from django.db import migrations

from apps.audit.protection import protect


class Migration(migrations.Migration):

    dependencies = [("crf", "0009_signatures")]

    operations = [protect("crf_signature"), protect("crf_formact")]
