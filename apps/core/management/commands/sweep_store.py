"""Hold the stored files against the rows that name them."""

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.core.sweep import A_DAY, SweepReport, sweep


class Command(BaseCommand):
    help = "Delete stored files that no row names, and report rows whose file is missing (status 1)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        day = A_DAY / timedelta(hours=1)
        parser.add_argument("--hours", type=float, default=day, help="leave younger files alone (default: %(default)g)")
        parser.add_argument("--dry-run", action="store_true", help="delete nothing")
        parser.add_argument("--verify", action="store_true", help="read every file and compare it with its SHA-256")
        parser.add_argument("--force", action="store_true", help="delete even where most of the files would be")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["hours"] < 0:
            raise CommandError("--hours can't be negative.")
        report = sweep(
            timedelta(hours=options["hours"]),
            delete=not options["dry_run"],
            verify=options["verify"],
            force=options["force"],
        )
        for label, count in _table(report, verified=options["verify"]):
            self.stdout.write(f"{count:>10,}  {label}")
        if report.doubtful:
            raise CommandError(
                "Most files are named by no row, so none was deleted. Check that this is the right database and the "
                "right store; --force deletes them."
            )
        if not report.is_whole:
            raise CommandError("Files are missing or damaged. Restore them from the backup, or send the scans again.")


def _table(report: SweepReport, *, verified: bool) -> list[tuple[str, int]]:
    lines = [
        ("files in the store", report.files),
        ("files named by a row", report.kept),
        ("files named by no row", report.orphans),
        ("of these deleted", report.deleted),
        ("missing files", report.missing.total()),
        *((f"  of {model}", count) for model, count in sorted(report.missing.items())),
    ]
    if verified:
        lines.append(("damaged files", report.damaged.total()))
        lines += [(f"  of {model}", count) for model, count in sorted(report.damaged.items())]
    return lines
