from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("annotation", "0005_suggestion")]

    operations = [
        migrations.AddField(
            model_name="mask",
            name="received_as",
            field=models.CharField(blank=True, default="", max_length=64),
        ),
    ]
