"""One form at each place, and the main form that of its patient."""

from django.db import migrations, models
from django.db.models import F, Q


class Migration(migrations.Migration):

    dependencies = [("crf", "0005_main_forms")]

    operations = [
        migrations.AddConstraint(
            "crfform",
            models.UniqueConstraint(fields=["patient", "name", "visit", "instance"], name="crf_form_once_a_place"),
        ),
        migrations.AddConstraint(
            "crfform",
            models.CheckConstraint(
                condition=Q(name="main", main_of__isnull=False, main_of=F("patient")) | (~Q(name="main") & Q(main_of__isnull=True)),
                name="crf_form_main_of_its_patient",
            ),
        ),
    ]
