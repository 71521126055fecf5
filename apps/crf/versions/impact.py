"""What publishing a draft does to what is stored, counted over every form before anything is written."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from apps.crf.dictionary import Dictionary, Level
from apps.crf.double_entry.models import SecondEntry
from apps.crf.missing import known
from apps.crf.models import CrfForm, Query, Signature
from apps.crf.rules import broken_rules, completeness
from apps.crf.values import display
from apps.crf.versions.changes import changes_between, other_unit
from apps.crf.versions.moves import NOTHING, Moves
from apps.crf.versions.moving import Moved, Mover

# Values without a place that the page names; the rest is counted.
MOST_NAMED = 12
SECONDS = (SecondEntry.State.OPEN, SecondEntry.State.SUBMITTED)


@dataclass
class OfVariable:
    """Counts of values of one variable, by what happens to them; under its old name."""

    stored: int = 0
    converted: int = 0
    aside: int = 0
    hidden: int = 0
    unfit: int = 0
    # What is unfit or set aside, as people read it -> how often.
    named: Counter[str] = field(default_factory=Counter)

    @property
    def most_named(self) -> list[tuple[str, int]]:
        return self.named.most_common(MOST_NAMED)


@dataclass
class Impact:
    """What a publication would do, or did."""

    forms: int = 0
    # Forms of which at least one value changes.
    touched: int = 0
    computed: int = 0
    signatures: int = 0
    queries: int = 0
    # Complete before, and not after.
    incomplete: int = 0
    # Forms that break a hard check of the new version with what they hold.
    broken: int = 0
    variables: dict[str, OfVariable] = field(default_factory=lambda: defaultdict(OfVariable))
    # Sentences that stand in the way.
    blocks: list[str] = field(default_factory=list)

    def as_data(self) -> dict[str, Any]:
        names = ("forms", "touched", "computed", "signatures", "queries", "incomplete", "broken")
        return {name: getattr(self, name) for name in names} | {
            "variables": {
                name: {key: getattr(found, key) for key in ("stored", "converted", "aside", "hidden", "unfit")}
                for name, found in self.variables.items()
            }
        }


def impact_of(old: Dictionary, new: Dictionary, moves: Moves) -> Impact:
    """Count what publishing would do, and what stands in its way."""
    mover, found = Mover(old, new, moves), Impact()
    changed = {change.name for change in changes_between(old, new)}
    touched: dict[int, set[str]] = {}
    for form in _stored():
        moved = mover.move(form.name, form.answers)
        _count(mover, form, moved, changed, found)
        if changes := moved.changes(form.answers):
            touched[form.pk] = set(changes)
    found.touched = len(touched)
    found.signatures = sum(
        bool(touched[form] & set(names)) if names else True for form, names in _signed(touched)
    )  # fmt: skip
    gone = set(old.all_variables) - set(new.all_variables) - {move.source for move in moves.values()}
    found.queries = Query.objects.filter(variable__in=gone).exclude(state="closed").count()
    found.blocks = [
        *_unfit(found, new),
        *_units(old, new, moves, found),
        *_places(new),
        *_second_entries(old, new, moves),
    ]
    return found


def _stored() -> Iterator[CrfForm]:
    return CrfForm.objects.filter(version__gt=0).order_by("pk").iterator(chunk_size=500)


def _signed(touched: dict[int, set[str]]) -> QuerySet[Signature, tuple[int, list[str]]]:
    return Signature.objects.filter(form__in=list(touched)).values_list("form_id", "variables")


def _count(mover: Mover, form: CrfForm, moved: Moved, changed: set[str], found: Impact) -> None:
    found.forms += 1
    found.computed += len(moved.computed)
    old, new = mover.questions(form.name)
    for name in form.answers:
        if name in changed:
            found.variables[name].stored += 1
    sources = {target: move.source for target, move in mover.moves.items() if move.source}
    for name in moved.converted:
        found.variables[sources.get(name, name)].converted += 1
    for name in moved.hidden:
        found.variables[sources.get(name, name)].hidden += 1
    for kind in ("unfit", "aside"):
        for name, answer in getattr(moved, kind).items():
            counts = found.variables[name]
            setattr(counts, kind, getattr(counts, kind) + 1)
            variable = old.variables.get(name) if old else None
            counts.named[display(variable, answer) if variable else str(answer)] += 1
    if new is not None:
        found.incomplete += form.is_complete and not completeness(new, moved.answers).is_complete
        found.broken += bool(broken_rules(new, known(moved.answers), Level.HARD))


def _unfit(found: Impact, new: Dictionary) -> Iterator[str]:
    """Nothing is lost by silence: each value without a place needs a rule."""
    for name, counts in found.variables.items():
        if counts.unfit and name in new.all_variables:
            yield ngettext(
                "%(name)s: %(n)d stored value does not fit any more. Recode it, or set it aside.",
                "%(name)s: %(n)d stored values do not fit any more. Recode them, or set them aside.", counts.unfit,
            ) % {"name": name, "n": counts.unfit}  # fmt: skip
        elif counts.unfit:
            yield ngettext(
                "%(name)s is gone, but %(n)d value is stored. Say which variable takes it, or set it aside.",
                "%(name)s is gone, but %(n)d values are stored. Say which variable takes them, or set them aside.",
                counts.unfit,
            ) % {"name": name, "n": counts.unfit}  # fmt: skip


def _units(old: Dictionary, new: Dictionary, moves: Moves, found: Impact) -> Iterator[str]:
    """A number is never read in another unit by silence, whatever it was called."""
    for name, variable in new.all_variables.items():
        move = moves.get(name, NOTHING)
        source = move.source or name
        stored = source in found.variables and found.variables[source].stored
        if stored and move.factor is None and other_unit(old.all_variables.get(source), variable):
            sentence = _("%(name)s has another unit. Give the factor for stored numbers; 1 if they are in it already.")
            yield sentence % {"name": name}


def _places(new: Dictionary) -> Iterator[str]:
    """A form with entries stays where it was entered."""
    names = CrfForm.objects.filter(version__gt=0, main_of__isnull=True).values_list("name", "visit", "instance")
    gone: Counter[str] = Counter()
    for name, visit, instance in names:
        form = new.further.get(name)
        if form is None or visit not in form.visits or (instance > 1 and not form.repeats):
            gone[f"{name}, {visit}"] += 1
    for place, count in gone.items():
        yield ngettext(
            "The form %(place)s is gone, but has been entered %(n)d time. Keep it in the dictionary.",
            "The form %(place)s is gone, but has been entered %(n)d times. Keep it in the dictionary.", count,
        ) % {"place": place, "n": count}  # fmt: skip


def _second_entries(old: Dictionary, new: Dictionary, moves: Moves) -> Iterator[str]:
    """Two entries are compared by one version: what is under way is ended first."""
    weighty = {change.name for change in changes_between(old, new) if change.weighs} | set(moves)
    weighty |= {move.source for move in moves.values()}
    waiting = SecondEntry.objects.filter(state__in=SECONDS).values_list("variables", flat=True)
    count = sum(bool(weighty & set(names)) for names in waiting)
    if count:
        yield ngettext(
            "%(n)d second entry asks what changes. Have it finished and reconciled, or given up, first.",
            "%(n)d second entries ask what changes. Have them finished and reconciled, or given up, first.", count,
        ) % {"n": count}  # fmt: skip
