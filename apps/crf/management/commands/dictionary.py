"""manage.py dictionary: the data dictionary to REDCap's form, and a dry run of the way back."""

import re
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.core.errors import Refusal
from apps.crf.dictionary import Dictionary, load_dictionary
from apps.crf.redcap import Reading, RedcapRefusal, decode, dictionary_to_csv, read_dictionary

_ID = re.compile(r"(?P<name>[a-z][a-z0-9_]{0,59})-(?P<version>[0-9]{1,4})")


class Command(BaseCommand):
    help = "Write the data dictionary as a REDCap data dictionary, or say what would become of one. Changes nothing."

    def add_arguments(self, parser: ArgumentParser) -> None:
        action = parser.add_mutually_exclusive_group(required=True)
        action.add_argument("--redcap", type=Path, metavar="OUT.csv", help="write the dictionary there, as a new file")
        action.add_argument("--check", type=Path, metavar="FILE.csv", help="read a REDCap data dictionary")
        parser.add_argument(
            "--as", dest="target", metavar="NAME-VERSION", help="what it would be called, such as ich-2"
        )

    def handle(self, *args: Any, redcap: Path | None, check: Path | None, target: str | None, **options: Any) -> None:
        try:
            if redcap is not None:
                self._write(redcap)
            elif check is not None:
                self._check(check, target)
        except OSError as error:
            raise CommandError(f"The file can't be read or written: {error.strerror}.") from None
        except RedcapRefusal as refusal:
            for fault in refusal.faults:
                self.stderr.write(str(fault))
            raise CommandError(f"Faults: {len(refusal.faults)}. Nothing would be taken over.") from None
        except Refusal as refusal:
            raise CommandError(refusal.sentence) from None

    def _write(self, out: Path) -> None:
        dictionary = load_dictionary()
        text = dictionary_to_csv(dictionary)
        if out.exists():
            raise CommandError("There is a file of that name. Name another.")
        out.write_text(text, encoding="utf-8", newline="")
        self.stdout.write(f"{dictionary.id}: {len(dictionary.all_variables)} variables written to {out}.")

    def _check(self, file: Path, target: str | None) -> None:
        current = load_dictionary()
        found = _ID.fullmatch(target or f"{current.name}-{int(current.version) + 1}")
        if found is None:
            raise CommandError("A dictionary is called by its name and number, such as ich-2.")
        reading = read_dictionary(decode(file.read_bytes()), name=found["name"], version=found["version"])
        self._tell(reading)
        self._compare(current, reading.dictionary)

    def _tell(self, reading: Reading) -> None:
        dictionary = reading.dictionary
        self.stdout.write(
            f"{dictionary.id}: {len(dictionary.all_sections)} sections, {len(dictionary.all_variables)} variables, "
            f"{len(dictionary.all_rules)} rules."
        )
        for section in dictionary.all_sections:
            names = ", ".join(f"{variable.name} ({variable.type})" for variable in section.variables)
            self.stdout.write(f"  {section.name}: {names}")
        if reading.notes:
            self.stdout.write("Left out, or different here:")
        for note in reading.notes:
            self.stdout.write(f"  {note}")

    def _compare(self, current: Dictionary, other: Dictionary) -> None:
        old, new = current.all_variables, other.all_variables
        groups = {
            "new": [name for name in new if name not in old],
            "gone": [name for name in old if name not in new],
            "changed": [name for name in new if name in old and new[name] != old[name]],
        }
        words = "; ".join(f"{word}: {', '.join(names)}" for word, names in groups.items() if names)
        self.stdout.write(f"Beside {current.id}: {words or 'the same variables'}.")
