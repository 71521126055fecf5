"""The model registry; the run that has served until now goes on, as the first of the registry."""

import json
from pathlib import Path
from typing import Any

import django.db.models.deletion
import django.db.models.lookups
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


def begin(apps: Any, schema_editor: Any) -> None:
    Experiment = apps.get_model("experiments", "Experiment")
    finished = Experiment.objects.filter(finished_at__isnull=False).order_by("-finished_at", "-pk")
    for experiment in finished:
        experiment.card = _read_card(Path(settings.RUNS_DIR) / f"experiment-{experiment.pk}" / "run" / "model.json")
        experiment.save(update_fields=["card"])
    serving = finished.first()
    if serving is not None:
        apps.get_model("experiments", "ServingTerm").objects.create(experiment=serving, began_at=serving.finished_at)


def _read_card(path: Path) -> dict[str, Any]:
    try:
        return {key: value for key, value in json.loads(path.read_bytes()).items() if key != "digest"}
    except (OSError, ValueError):
        return {}  # the run folder is elsewhere; the model cannot be promoted then


class Migration(migrations.Migration):

    dependencies = [
        ('experiments', '0001_initial'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name='experiment',
            name='card',
            field=models.JSONField(default=dict),
        ),
        migrations.CreateModel(
            name='ServingTerm',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('began_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('reason', models.CharField(blank=True, max_length=300)),
                ('ended_at', models.DateTimeField(blank=True, null=True)),
                ('end_reason', models.CharField(blank=True, max_length=300)),
                ('began_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('ended_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('experiment', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='terms', to='experiments.experiment')),
            ],
            options={
                'ordering': ['-began_at', '-pk'],
                'constraints': [models.UniqueConstraint(django.db.models.lookups.IsNull(models.F('ended_at'), True), condition=models.Q(('ended_at__isnull', True)), name='serving_term_one_open')],
            },
        ),
        migrations.RunPython(begin, migrations.RunPython.noop),
    ]
