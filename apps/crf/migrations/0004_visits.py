"""Several forms of a patient, each at its place."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [("crf", "0003_protection"), ("patients", "0001_initial")]

    operations = [
        migrations.AlterField(
            "crfform", "patient",
            models.ForeignKey("patients.Patient", on_delete=django.db.models.deletion.PROTECT, related_name="forms"),
        ),
        migrations.AddField("crfform", "name", models.CharField(default="main", max_length=60)),
        migrations.AddField("crfform", "visit", models.CharField(default="stay", max_length=60)),
        migrations.AddField("crfform", "instance", models.PositiveSmallIntegerField(default=1)),
        migrations.AddField(
            "crfform", "main_of",
            models.OneToOneField(
                "patients.Patient", null=True, on_delete=django.db.models.deletion.PROTECT, related_name="form"
            ),
        ),
    ]
