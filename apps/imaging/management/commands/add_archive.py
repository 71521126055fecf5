"""manage.py add_archive --center C1 --name PACS --url https://…: a center's PACS, spoken to over DICOMweb."""

import getpass
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.accounts.models import Center
from apps.core.errors import Refusal
from apps.imaging.exchange.services import add_archive


class Command(BaseCommand):
    help = "Set up a center's DICOMweb archive. Asks for the password, or for a bearer token where no user is named."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--center", required=True, help="code of the center, such as C1")
        parser.add_argument("--name", required=True, help="what people call the archive")
        parser.add_argument("--url", required=True, help="base address of its DICOMweb service")
        parser.add_argument("--username", default="", help="user name for HTTP basic authentication")
        parser.add_argument("--open", action="store_true", help="the archive asks for no password")

    def handle(self, *args: Any, center: str, name: str, url: str, username: str, **options: Any) -> None:
        place = Center.objects.filter(code=center).first()
        if place is None:
            raise CommandError("There is no center of that code. Create it with add_center.")
        try:
            secret = "" if options["open"] else self.ask()
            add_archive(center=place, name=name, url=url, username=username, secret=secret)
        except Refusal as error:
            raise CommandError(error.sentence) from None
        self.stdout.write(f"{name} is an archive of {center}.")

    def ask(self) -> str:
        """Ask at a terminal; elsewhere read one line."""
        return getpass.getpass("Password or token: ") if sys.stdin.isatty() else sys.stdin.readline().rstrip("\n")
