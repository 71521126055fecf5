"""The trail in words. Each app says here what its actions and its objects are called, and how a change reads.

This keeps the direction of imports: `audit` knows neither a form nor a CT, and each app registers its own in
AppConfig.ready (docs/adr/0005).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

Text = str | Promise


@dataclass(frozen=True)
class Change:
    """One changed value as people read it; "" where there was none."""

    label: str
    old: str
    new: str


@dataclass(frozen=True)
class Kind:
    """A sort of object that events are about.

    `study_id` is the way from it to its patient's study id, in the database's terms (patient__study_id); blank for an
    object that belongs to no patient.
    """

    object_type: str
    name: Text
    study_id: str = ""


@dataclass(frozen=True)
class Shown:
    """How one value of a change is shown: its label, its unit, and a function for what is not shown as it is."""

    label: Text
    unit: Text = ""
    show: Callable[[Any], Text] = str


# What changed, and when: a value is read by the dictionary of its time.
Describe = Callable[[Mapping[str, Any], datetime], list[Change]]


@dataclass(frozen=True)
class Action:
    """What somebody did, in a sentence without its subject, and how its changes are told."""

    key: str
    sentence: Text
    values: Mapping[str, Shown] = field(default_factory=dict)
    describe: Describe | None = None

    def changes(self, changes: Mapping[str, Any], at: datetime) -> list[Change]:
        """Return the changes of an event in words."""
        if self.describe is not None:
            return self.describe(changes, at)
        # In the order of the words: PostgreSQL keeps the names of a JSON object in an order of its own.
        names = [*filter(changes.__contains__, self.values), *filter(lambda name: name not in self.values, changes)]
        return [_change(self.values.get(name, Shown(name)), *pair_of(changes[name])) for name in names]


kinds: dict[str, Kind] = {}
actions: dict[str, Action] = {}

# The usual reasons for a change, as they are stored, so that each reader gets them in his language.
REASONS: dict[str, Text] = {
    "typing error": _("Typing error"),
    "new source data": _("New source data"),
    "query answered": _("Query answered"),
}


# What the platform gives as a reason itself.
OWN_REASONS: dict[str, Text] = {"reconciled": _("Both entries reconciled")}


def register(*parts: Kind | Action) -> None:
    """Add words; the same key twice is a programming error."""
    for part in parts:
        registry: dict[str, Any] = kinds if isinstance(part, Kind) else actions
        key = part.object_type if isinstance(part, Kind) else part.key
        if key in registry:
            raise ValueError(f"The audit trail has words for {key!r} already.")
        registry[key] = part


def action_of(key: str) -> Action:
    """Return an action's words; an action that nobody registered is called by its key."""
    return actions.get(key) or Action(key, key.replace("_", " "))


def shown_reason(reason: str) -> str:
    """Return a reason as it is read: a usual one in the reader's language, with what was added to it."""
    usual, colon, rest = reason.partition(": ")
    words = REASONS.get(usual) or OWN_REASONS.get(usual)
    return f"{words}{colon}{rest}" if words else reason


def pair_of(value: Any) -> tuple[Any, Any]:
    """Return old and new of a stored change."""
    return (value[0], value[1]) if isinstance(value, list) and len(value) == 2 else (None, value)


def _change(shown: Shown, old: Any, new: Any) -> Change:
    return Change(str(shown.label), _text(shown, old), _text(shown, new))


def _text(shown: Shown, value: Any) -> str:
    if value is None or value == "":
        return ""
    text = str(shown.show(value))
    return f"{text} {shown.unit}" if shown.unit else text
