import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


def approve(apps, schema_editor):
    """Masks from before there were reviews counted at once; they go on counting, and name no reviewer."""
    apps.get_model("annotation", "Mask").objects.update(state="approved")


class Migration(migrations.Migration):
    dependencies = [
        ("annotation", "0003_lateral_mm"),
        ("imaging", "0004_center_of_study"),
        ("patients", "0001_initial"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name="mask",
            name="corrects",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.PROTECT, related_name="corrections", to="annotation.mask"
            ),
        ),
        migrations.AddField(
            model_name="mask",
            name="label_ml",
            field=models.JSONField(default=dict),
        ),
        migrations.AddField(
            model_name="mask",
            name="reviewed_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="mask",
            name="reviewed_by",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddField(
            model_name="mask",
            name="state",
            field=models.CharField(
                choices=[("submitted", "waits for review"), ("returned", "returned"), ("approved", "approved")],
                default="submitted",
                max_length=10,
            ),
        ),
        migrations.CreateModel(
            name="Outline",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("revision", models.PositiveIntegerField(default=0)),
                ("taken_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("saved_at", models.DateTimeField(null=True)),
                (
                    "annotator",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="outlines",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "begun_from",
                    models.ForeignKey(
                        null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="annotation.mask"
                    ),
                ),
                (
                    "patient",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="outlines", to="patients.patient"
                    ),
                ),
                (
                    "series",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="outlines", to="imaging.series"
                    ),
                ),
                (
                    "submitted",
                    models.ForeignKey(
                        null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="annotation.mask"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="OutlineSlice",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("index", models.PositiveIntegerField()),
                ("labels", models.BinaryField()),
                (
                    "outline",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="slices", to="annotation.outline"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Remark",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("text", models.TextField()),
                ("slice_index", models.PositiveIntegerField(null=True)),
                ("row", models.PositiveIntegerField(null=True)),
                ("column", models.PositiveIntegerField(null=True)),
                ("written_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "author",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
                (
                    "mask",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="remarks", to="annotation.mask"
                    ),
                ),
            ],
            options={
                "ordering": ["pk"],
            },
        ),
        migrations.AddConstraint(
            model_name="outline",
            constraint=models.UniqueConstraint(fields=("series", "annotator"), name="outline_once_an_annotator"),
        ),
        migrations.AddConstraint(
            model_name="outlineslice",
            constraint=models.UniqueConstraint(fields=("outline", "index"), name="outline_slice_once"),
        ),
        migrations.RunPython(approve, migrations.RunPython.noop, elidable=True),
    ]
