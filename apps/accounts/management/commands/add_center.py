"""manage.py add_center CODE NAME"""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.accounts.services import create_center
from apps.core.errors import Refusal


class Command(BaseCommand):
    help = "Create a center."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("code")
        parser.add_argument("name")

    def handle(self, *args: Any, code: str, name: str, **options: Any) -> None:
        try:
            center = create_center(code=code, name=name)
        except Refusal as error:
            raise CommandError(error.sentence) from None
        self.stdout.write(f"Center {center.code} created.")
