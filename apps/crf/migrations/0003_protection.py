"""A value that was entered stays: rows of the history can only be added."""

from django.db import migrations

from apps.audit.protection import protect


class Migration(migrations.Migration):

    dependencies = [("crf", "0002_values_in_the_trail")]

    operations = [protect("crf_crfvalue")]
