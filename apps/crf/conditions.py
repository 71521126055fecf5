"""Conditions on the values of a form, written as data: when a variable applies, and what a check forbids.

`{variable: treatment, one_of: [cc, mia]}`, `{variable: diastolic_bp, at_least: systolic_bp}` (a name in place of a
number compares two variables), `{all: [...]}`, `{any: [...]}`. A comparison with a blank holds never: what is not
known neither opens a branch nor breaks a rule. There is no "not", because its answer on a blank would be a guess.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

Value: TypeAlias = bool | int | float | str | None
Values: TypeAlias = Mapping[str, Value]

# Dates are ISO 8601 texts, whose order as texts is their order in time.
_ORDER: dict[str, Callable[[Any, Any], bool]] = {
    "less_than": operator.lt,
    "at_most": operator.le,
    "more_than": operator.gt,
    "at_least": operator.ge,
}
_GROUPS: dict[str, Callable[[list[bool]], bool]] = {"all": all, "any": any}


@dataclass(frozen=True)
class OneOf:
    """The variable has one of these values."""

    variable: str
    values: tuple[bool | int | str, ...]

    def holds(self, values: Values) -> bool:
        value = values.get(self.variable)
        return value is not None and any(type(value) is type(one) and value == one for one in self.values)

    def variables(self) -> tuple[str, ...]:
        return (self.variable,)

    def as_data(self) -> dict[str, Any]:
        return {"variable": self.variable, "one_of": list(self.values)}


@dataclass(frozen=True)
class Compare:
    """The variable stands in this order to a number or to another variable (`other`)."""

    variable: str
    order: str
    number: float | None = None
    other: str | None = None

    def holds(self, values: Values) -> bool:
        left = values.get(self.variable)
        right = self.number if self.other is None else values.get(self.other)
        return left is not None and right is not None and _ORDER[self.order](left, right)

    def variables(self) -> tuple[str, ...]:
        return (self.variable,) if self.other is None else (self.variable, self.other)

    def as_data(self) -> dict[str, Any]:
        return {"variable": self.variable, self.order: self.number if self.other is None else self.other}


@dataclass(frozen=True)
class Group:
    """All, or any, of several conditions hold."""

    kind: str
    parts: tuple[Condition, ...]

    def holds(self, values: Values) -> bool:
        return _GROUPS[self.kind]([part.holds(values) for part in self.parts])

    def variables(self) -> tuple[str, ...]:
        # dict keeps the order and drops what is named twice
        return tuple(dict.fromkeys(name for part in self.parts for name in part.variables()))

    def as_data(self) -> dict[str, Any]:
        return {self.kind: [part.as_data() for part in self.parts]}


Condition: TypeAlias = OneOf | Compare | Group


def parse_condition(data: object) -> Condition:
    """Read a condition from the dictionary file; ValueError says what is wrong with it."""
    if isinstance(data, OneOf | Compare | Group):
        return data
    if not isinstance(data, dict):
        raise ValueError("a condition is a mapping such as {variable: ivh, one_of: [true]}")
    for kind in _GROUPS:
        if kind in data:
            return _parse_group(kind, data)
    return _parse_comparison(data)


def _parse_group(kind: str, data: dict[str, Any]) -> Group:
    parts = data[kind]
    if len(data) != 1 or not isinstance(parts, list) or not parts:
        raise ValueError(f"'{kind}' stands alone and holds a list of conditions")
    return Group(kind, tuple(parse_condition(part) for part in parts))


def _parse_comparison(data: dict[str, Any]) -> OneOf | Compare:
    rest = dict(data)
    variable = rest.pop("variable", None)
    if not isinstance(variable, str) or len(rest) != 1:
        raise ValueError(f"a condition names one variable and one of: one_of, {', '.join(_ORDER)}")
    word, operand = rest.popitem()
    if word == "one_of":
        if not isinstance(operand, list) or not operand or not all(isinstance(v, bool | int | str) for v in operand):
            raise ValueError("'one_of' holds a list of values")
        return OneOf(variable, tuple(operand))
    if word not in _ORDER:
        raise ValueError(f"'{word}' is no comparison; use one_of, {', '.join(_ORDER)}")
    if isinstance(operand, str):
        return Compare(variable, word, other=operand)
    if isinstance(operand, int | float) and not isinstance(operand, bool):
        return Compare(variable, word, number=operand)
    raise ValueError(f"'{word}' needs a number or the name of another variable")
