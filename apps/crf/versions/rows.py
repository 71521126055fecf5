"""The page of a draft: each variable that differs, what is stored of it, and the fields of its rule."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from apps.crf.conditions import Value
from apps.crf.dictionary import Dictionary, Variable, VariableType
from apps.crf.values import display
from apps.crf.versions.changes import Change, Kind, aspects_between, changes_between, other_unit
from apps.crf.versions.impact import Impact, OfVariable
from apps.crf.versions.moves import NOTHING, Moves, form_of


@dataclass(frozen=True)
class Recode:
    """One answer that stood before, and the answers that it may become."""

    field: str
    label: str
    # Key, label, and whether it is chosen.
    options: tuple[tuple[str, str, bool], ...]


@dataclass(frozen=True)
class Row:
    """One change with its rule; what no rule can say of it is blank."""

    change: Change
    counts: OfVariable
    # Old variables whose values a new one may take: name, label, chosen.
    sources: tuple[tuple[str, str, bool], ...] = ()
    asks_factor: bool = False
    factor: float | None = None
    recodes: tuple[Recode, ...] = ()
    asks_aside: bool = False
    aside: bool = False

    @property
    def has_rule(self) -> bool:
        return bool(self.sources or self.asks_factor or self.recodes or self.asks_aside)

    @property
    def stays(self) -> bool:
        """Whether all that is stored is as it was."""
        return bool(self.counts.stored) and not (self.counts.hidden or self.counts.converted)


def rows_of(old: Dictionary, new: Dictionary, moves: Moves, impact: Impact) -> list[Row]:
    """Return the changes between two versions with their rules, what weighs first."""
    taken = {move.source for move in moves.values() if move.source}
    rows = [
        _row(change, old, new, moves, impact) for change in changes_between(old, new) if change.name not in taken
    ]  # fmt: skip
    return sorted(rows, key=lambda row: not (row.change.weighs or row.has_rule))


def _row(change: Change, old: Dictionary, new: Dictionary, moves: Moves, impact: Impact) -> Row:
    move = moves.get(change.name, NOTHING)
    source = move.source or change.name
    before, counts = old.all_variables.get(source), impact.variables.get(source, OfVariable())
    if move.source:
        change = replace(change, old=before, aspects=aspects_between(old, new, source, change.name))
    return Row(
        change=change,
        counts=counts,
        sources=tuple(_sources(change, old, new, move.source)),
        asks_factor=bool(counts.stored) and other_unit(before, change.new),
        factor=move.factor,
        recodes=tuple(_recodes(change.name, before, change.new, move.recode)) if counts.stored else (),
        asks_aside=bool(counts.unfit or counts.aside),
        aside=move.set_aside,
    )


def _sources(change: Change, old: Dictionary, new: Dictionary, chosen: str) -> Iterator[tuple[str, str, bool]]:
    if change.kind is not Kind.NEW:
        return
    for name, variable in old.all_variables.items():
        if name not in new.all_variables and form_of(old, name) == form_of(new, change.name):
            yield name, str(variable.label), name == chosen


def _recodes(name: str, before: Variable | None, after: Variable | None, recode: Mapping[str, Any]) -> Iterator[Recode]:
    if before is None or after is None:
        return
    targets = answers_of(after)
    for key, value in answers_of(before).items():
        if _means_the_same(value, before, after):
            continue
        chosen = key_of(recode[key]) if key in recode else ""
        options = tuple((target, display(after, answer), target == chosen) for target, answer in targets.items())
        yield Recode(f"recode-{name}-{key}", display(before, value), options)


def _means_the_same(value: Value, before: Variable, after: Variable) -> bool:
    if before.type is not after.type:
        return False
    if before.type is VariableType.YESNO:
        return True
    old, new = before.choice(value), after.choice(value)
    return old is not None and new is not None and old.label.en == new.label.en


def answers_of(variable: Variable) -> dict[str, Value]:
    """Return the possible answers by the key under which a rule names them; none where they can't be listed."""
    if variable.type is VariableType.YESNO:
        return {key_of(value): value for value in (True, False)}
    return {key_of(choice.value): choice.value for choice in variable.choices}


def key_of(value: Value) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def read_rules(posted: Mapping[str, str], old: Dictionary, new: Dictionary) -> dict[str, Any]:
    """Return the rules that the page's fields say, for `read_moves` to check."""
    moves: dict[str, dict[str, Any]] = {}
    for change in changes_between(old, new):
        found = dict(_rule(posted, change.name, new.all_variables.get(change.name)))
        if found:
            moves[change.name] = found
    taken = {rule.get("source") for rule in moves.values()}
    return {name: rule for name, rule in moves.items() if name not in taken}


def _rule(posted: Mapping[str, str], name: str, after: Variable | None) -> Iterator[tuple[str, Any]]:
    if source := posted.get(f"source-{name}"):
        yield "source", source
    if factor := posted.get(f"factor-{name}", "").strip():
        yield "factor", factor
    if posted.get(f"aside-{name}"):
        yield "set_aside", True
    targets = answers_of(after) if after else {}
    start = f"recode-{name}-"
    recode = {
        key.removeprefix(start): targets.get(to, to) for key, to in posted.items() if key.startswith(start) and to
    }
    if recode:
        yield "recode", recode
