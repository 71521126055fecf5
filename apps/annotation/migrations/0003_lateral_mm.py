from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("annotation", "0002_features")]

    operations = [migrations.AddField("mask", "lateral_mm", models.JSONField(default=list))]
