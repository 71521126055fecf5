"""What becomes of a stored answer when its question changes: by a rule that a person wrote, and never by a guess."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import date
from typing import Annotated, Any, TypeAlias

from django.utils.translation import gettext as _
from pydantic import ConfigDict, Field, StrictBool, StrictInt, StrictStr, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from apps.core.errors import Refusal
from apps.crf.conditions import Value
from apps.crf.dictionary import Dictionary, Variable, VariableType
from apps.crf.missing import Absent, Answer
from apps.crf.units import to_decimals

NUMBERS = (VariableType.INTEGER, VariableType.DECIMAL)


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Move:
    """The rule of one variable. Without any, an answer stays as it is where it fits."""

    # The name under which it stood before.
    source: Annotated[str, Field(max_length=60)] = ""
    # What stood before, as JSON writes it -> what it is now.
    recode: Mapping[str, StrictBool | StrictInt | StrictStr] = Field(default_factory=dict)
    # How many of the new unit one of the old is.
    factor: Annotated[float, Field(gt=0, lt=1e9)] | None = None
    # What has no place any more is kept in the history alone.
    set_aside: bool = False


Moves: TypeAlias = Mapping[str, Move]
NOTHING = Move()
_ADAPTER = TypeAdapter(dict[str, Move])


class Unfit(Exception):  # noqa: N818 - an answer, no fault of the program
    """The variable can't hold the answer."""


def read_moves(data: object, old: Dictionary, new: Dictionary) -> dict[str, Move]:
    """Return rules as a person or the database gives them; Refusal says which is wrong."""
    try:
        moves = _ADAPTER.validate_python(data)
    except ValidationError as error:
        place = " → ".join(str(part) for part in error.errors()[0]["loc"])
        raise _refused(_("The rule of %(name)s can't be read. Correct it.") % {"name": place[:200]}) from None
    for name, move in moves.items():
        _check(name, move, old, new)
    sources = [move.source for move in moves.values() if move.source]
    if len(set(sources)) < len(sources):
        raise _refused(_("Two variables take the values of the same old one. Choose one of them."))
    return moves


def as_data(moves: Moves) -> dict[str, Any]:
    """Return rules as the database holds them."""
    data: dict[str, Any] = _ADAPTER.dump_python(dict(moves), mode="json", exclude_defaults=True)
    return data


def _refused(sentence: str) -> Refusal:
    return Refusal("dictionary_rule", sentence)


def _check(name: str, move: Move, old: Dictionary, new: Dictionary) -> None:
    variable = new.all_variables.get(name)
    if variable is None:
        if name not in old.all_variables or move != Move(set_aside=move.set_aside):
            raise _refused(
                _("Neither version has a variable %(name)s to which this rule applies.") % {"name": name[:60]}
            )
        return
    if move.source:
        _check_source(name, move.source, old, new)
    elif name not in old.all_variables:
        raise _refused(_("%(name)s is new: there are no values that a rule could move.") % {"name": name})
    before = old.all_variables[move.source or name]
    if move.factor is not None and not (before.type in NUMBERS and variable.type in NUMBERS):
        raise _refused(_("%(name)s: only a number can be multiplied. Leave the factor out.") % {"name": name})
    for target in move.recode.values():
        try:
            check_fit(variable, target)
        except Unfit:
            sentence = _("%(name)s has no answer %(value)s. Choose one of its answers.")
            raise _refused(sentence % {"name": name, "value": str(target)[:60]}) from None


def _check_source(name: str, source: str, old: Dictionary, new: Dictionary) -> None:
    if source not in old.all_variables or source in new.all_variables:
        sentence = _("%(name)s can only take the values of a variable that is gone, and %(source)s is none.")
        raise _refused(sentence % {"name": name, "source": source})
    if name in old.all_variables:
        raise _refused(_("%(name)s has values of its own; it can't take those of another.") % {"name": name})
    if form_of(old, source) != form_of(new, name):
        raise _refused(_("%(name)s and %(source)s are of different forms.") % {"name": name, "source": source})


def form_of(dictionary: Dictionary, name: str) -> str:
    """Return the name of the form that asks a variable; "" for the main form."""
    return next((form.name for form in dictionary.forms if name in form.variables), "")


def moved_answer(before: Variable | None, variable: Variable, move: Move, answer: Answer) -> Answer:
    """Return an answer as the new variable holds it; Unfit where it can't."""
    if answer is None or isinstance(answer, Absent):
        return answer
    key = json.dumps(answer) if not isinstance(answer, str) else answer
    if key in move.recode:
        return move.recode[key]
    if move.factor is not None and before is not None and before.type in NUMBERS and not isinstance(answer, str):
        return to_decimals(variable, float(answer) * move.factor)
    return check_fit(variable, answer)


def check_fit(variable: Variable, value: Value) -> Value:
    """Return the value if the variable can hold it, whatever its range; Unfit if not.

    A value outside a narrower range is true all the same: it stays, and the rules ask about it.
    """
    if not _FITS[variable.type](variable, value):
        raise Unfit
    return int(float(str(value))) if variable.type is VariableType.INTEGER else value


def _is_number(variable: Variable, value: Value) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_whole(variable: Variable, value: Value) -> bool:
    return _is_number(variable, value) and float(str(value)).is_integer()


def _is_choice(variable: Variable, value: Value) -> bool:
    return any(type(each.value) is type(value) and each.value == value for each in variable.choices)


def _is_date(variable: Variable, value: Value) -> bool:
    try:
        return isinstance(value, str) and date.fromisoformat(value).isoformat() == value
    except ValueError:
        return False


_FITS: dict[VariableType, Callable[[Variable, Value], bool]] = {
    VariableType.YESNO: lambda _variable, value: isinstance(value, bool),
    VariableType.CHOICE: _is_choice,
    VariableType.DATE: _is_date,
    VariableType.TEXT: lambda variable, value: isinstance(value, str) and len(value) <= variable.max_length,
    VariableType.DECIMAL: _is_number,
    VariableType.INTEGER: _is_whole,
}
