"""manage.py remove_role USERNAME --role ROLE [--center CODE]"""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.accounts.models import Center, User
from apps.accounts.policy import Role
from apps.accounts.services import take_role
from apps.core.errors import Refusal


class Command(BaseCommand):
    help = "Take a role from an account. Who has no role left sees nothing; what he did stays his."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username")
        parser.add_argument("--role", required=True, choices=list(Role))
        parser.add_argument("--center", help="code of a center; left out: the role in all centers")

    def handle(self, *args: Any, username: str, role: str, center: str | None, **options: Any) -> None:
        user = User.objects.filter(username=username).first()
        place = Center.objects.filter(code=center).first() if center else None
        if user is None or (center and place is None):
            raise CommandError("There is no such account, or no center of that code.")
        try:
            take_role(user=user, role=Role(role), center=place)
        except Refusal as error:
            raise CommandError(error.sentence) from None
        self.stdout.write(f"{username} is no longer {role} in {center or 'all centers'}.")
