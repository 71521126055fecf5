"""The trail as a CSV file for a spreadsheet: a line for each changed value, and for each event without one."""

import csv
from collections.abc import Iterable, Iterator

from django.utils.translation import gettext as _
from django.utils.translation import override

from apps.audit.selectors import ShownEvent
from apps.audit.words import Change
from apps.core.spreadsheet import safe_cell

NO_CHANGE = Change("", "", "")


class _Line:
    """A file whose every write is handed back: what csv.writer needs to write to a stream."""

    def write(self, text: str) -> str:
        return text


def csv_lines(events: Iterable[ShownEvent], language: str) -> Iterator[str]:
    """Yield the lines of the file in a language, which the request's own may no longer be while it is sent."""
    writer = csv.writer(_Line())
    with override(language):
        # The first character tells a spreadsheet that the file is UTF-8.
        yield "\ufeff" + writer.writerow(_header())
    found = iter(events)
    while True:
        with override(language):
            shown = next(found, None)
            if shown is None:
                return
            lines = [writer.writerow(map(safe_cell, _cells(shown, each))) for each in shown.changes or [NO_CHANGE]]
        yield "".join(lines)


def _header() -> list[str]:
    return [
        _("Event"), _("Time (UTC)"), _("Person"), _("User name"), _("Center"), _("Study id"), _("Kind"), _("Action"),
        _("Variable"), _("Old value"), _("New value"), _("Reason"),
    ]  # fmt: skip


def _cells(shown: ShownEvent, change: Change) -> list[str]:
    event = shown.event
    person = [event.actor.full_name, event.actor.username] if event.actor else [_("the platform"), ""]
    return [
        str(event.pk), f"{event.at:%Y-%m-%d %H:%M:%S}", *person, event.center.code if event.center else "",
        shown.study_id, shown.kind, str(shown.action.sentence), change.label, change.old, change.new, shown.reason,
    ]  # fmt: skip
