"""manage.py add_user USERNAME --name NAME --email EMAIL --role ROLE [--center CODE]"""

import getpass
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.accounts.models import Center, User
from apps.accounts.policy import Role
from apps.accounts.services import create_user, give_role
from apps.core.errors import Refusal


class Command(BaseCommand):
    help = "Create an account with a role, or give an existing account a further role. Asks for the password."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username")
        parser.add_argument("--name", default="")
        parser.add_argument("--email", default="")
        parser.add_argument("--role", required=True, choices=list(Role))
        parser.add_argument("--center", help="code of a center; left out: all centers")

    def handle(
        self, *args: Any, username: str, name: str, email: str, role: str, center: str | None, **options: Any
    ) -> None:
        place = Center.objects.filter(code=center).first() if center else None
        if center and place is None:
            raise CommandError("There is no center of that code. Create it with add_center.")
        try:
            user = User.objects.filter(username=username).first()
            if user is None:
                user = create_user(username=username, full_name=name, email=email, password=self.password())
            give_role(user=user, role=Role(role), center=place)
        except Refusal as error:
            raise CommandError(error.sentence) from None
        self.stdout.write(f"{username} is {role} in {center or 'all centers'}.")

    def password(self) -> str:
        """Ask at a terminal; elsewhere read one line."""
        return getpass.getpass("Password: ") if sys.stdin.isatty() else sys.stdin.readline().rstrip("\n")
