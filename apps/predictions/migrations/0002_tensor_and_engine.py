"""A prediction names the stored image that it was computed from, and what computed it."""

from typing import Any

from django.db import migrations, models


def fill(apps: Any, schema_editor: Any) -> None:
    for row in apps.get_model("predictions", "Prediction").objects.exclude(tensor_sha256=""):
        digest = row.tensor_sha256
        row.tensor = f"{digest[:2]}/{digest[2:4]}/{digest}.npy"
        row.save(update_fields=["tensor"])


class Migration(migrations.Migration):
    dependencies = [("predictions", "0001_initial")]

    operations = [
        migrations.AddField("prediction", "tensor", models.CharField(blank=True, default="", max_length=80), False),
        migrations.AddField("prediction", "engine", models.CharField(blank=True, default="", max_length=80), False),
        migrations.RunPython(fill, migrations.RunPython.noop),
        migrations.RemoveField("prediction", "tensor_sha256"),
    ]
