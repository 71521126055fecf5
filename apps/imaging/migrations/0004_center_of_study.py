"""Each study names its center, so that a center's studies are one walk along an index."""

from typing import ClassVar

import django.db.models.deletion
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps


def fill(apps: StateApps, editor: BaseDatabaseSchemaEditor) -> None:
    centers = apps.get_model("patients", "Patient").objects.filter(pk=models.OuterRef("patient_id"))
    studies = apps.get_model("imaging", "ImagingStudy").objects.all()
    studies.update(center_id=models.Subquery(centers.values("center_id")[:1]))


def _center(**options: bool) -> models.ForeignKey:  # type: ignore[type-arg]
    return models.ForeignKey(
        db_index=False,
        on_delete=django.db.models.deletion.PROTECT,
        related_name="+",
        to="accounts.center",
        **options,
    )


class Migration(migrations.Migration):
    # PostgreSQL alters no table in the transaction in which its rows were written.
    atomic = False
    dependencies: ClassVar = [("accounts", "0001_initial"), ("imaging", "0003_search_by_part")]
    operations: ClassVar = [
        migrations.AddField("imagingstudy", "center", _center(null=True)),
        migrations.RunPython(fill, migrations.RunPython.noop),
        migrations.AlterField("imagingstudy", "center", _center()),
        migrations.AddIndex(
            "imagingstudy",
            models.Index(fields=["center", "-study_date", "-id"], name="imaging_study_of_center"),
        ),
    ]
