from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("annotation", "0006_received_as"),
    ]

    operations = [
        migrations.AddField(
            model_name="outline",
            name="window",
            field=models.CharField(blank=True, default="", max_length=36),
        ),
    ]
