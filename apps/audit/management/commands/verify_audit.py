"""`manage.py verify_audit`: recompute the audit trail and the value history, and say whether they are whole."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.audit.verification import Verification

# The first are enough to find the place; a wrong database has as many as rows.
SHOWN = 50


class Command(BaseCommand):
    help = "Recompute the audit trail and the values that it vouches for; exit status 1 if a row is not as written."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--head", default="", metavar="HEX", help="a head noted earlier: check that it is still part of the chain"
        )

    def handle(self, *args: Any, head: str = "", **options: Any) -> None:
        head = head.strip().lower()
        if head and (len(head) != 64 or set(head) - set("0123456789abcdef")):
            raise CommandError(
                "A head has 64 characters, 0 to 9 and a to f. Copy it whole from the note.", returncode=2
            )
        verification, faults = Verification(noted_head=head), 0
        for fault in verification.faults():
            faults += 1
            if faults <= SHOWN:
                self.stdout.write(f"FAULT  {fault.place}: {fault.sentence}")
        if faults > SHOWN:
            self.stdout.write(f"FAULT  and {faults - SHOWN} more.")
        self._summarize(verification)
        if faults:
            raise CommandError(f"The audit trail is not whole: {faults} faults.")
        self.stdout.write("The audit trail is whole. File the head: a trail cut short later does not contain it.")

    def _summarize(self, found: Verification) -> None:
        self.stdout.write(f"events  {found.count}")
        if found.first and found.last:
            self.stdout.write(f"first   {found.first:%Y-%m-%d %H:%M:%S} UTC")
            self.stdout.write(f"last    {found.last:%Y-%m-%d %H:%M:%S} UTC")
        self.stdout.write(f"head    {found.head}")
