"""manage.py run_rules: open queries on what the rules find, and close those whose finding is gone."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.crf.queries.running import run_rules
from apps.patients.models import Patient


class Command(BaseCommand):
    help = "Judge the forms by all rules: opens queries, closes those whose finding is gone; nothing twice."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--patient", metavar="STUDY_ID", help="one patient alone")

    def handle(self, *args: Any, patient: str | None, **options: Any) -> None:
        patients = None
        if patient is not None:
            patients = Patient.objects.filter(study_id=patient)
            if not patients.exists():
                raise CommandError(f"There is no patient {patient}. Check the study id.")
        counts = run_rules(patients=patients)
        self.stdout.write(
            f"{counts['forms']} forms: {counts['opened']} queries opened, {counts['reopened']} reopened, "
            f"{counts['updated']} updated, {counts['resolved']} closed."
        )
