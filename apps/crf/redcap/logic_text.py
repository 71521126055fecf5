"""Conditions of the dictionary, written as REDCap's branching logic."""

from __future__ import annotations

from decimal import Decimal

from apps.crf.conditions import Compare, Condition, Group, OneOf

_SIGNS = {"less_than": "<", "at_most": "<=", "more_than": ">", "at_least": ">="}
_WORDS = {"all": " and ", "any": " or "}
# What a number that was left blank must not open, where it is taken for zero.
_HOLDS_AT_ZERO = {
    "less_than": lambda number: number > 0,
    "at_most": lambda number: number >= 0,
    "more_than": lambda number: number < 0,
    "at_least": lambda number: number <= 0,
}


def write_logic(condition: Condition) -> str:
    """Return the expression that REDCap evaluates as we do, blanks included."""
    text = _write(condition)
    # The outermost brackets say nothing.
    return text[1:-1] if text.startswith("(") and _is_several(condition) else text


def _is_several(condition: Condition) -> bool:
    if isinstance(condition, Group):
        return True
    return len(condition.values) > 1 if isinstance(condition, OneOf) else bool(_guarded(condition))


def _write(condition: Condition) -> str:
    if isinstance(condition, OneOf):
        parts = [f"[{condition.variable}] = '{_code(value)}'" for value in condition.values]
        return _joined(parts, "any")
    if isinstance(condition, Group):
        return f"({_WORDS[condition.kind].join(_write(part) for part in condition.parts)})"
    right = f"[{condition.other}]" if condition.number is None else number_text(condition.number)
    guards = [f"[{name}] <> ''" for name in _guarded(condition)]
    return _joined([*guards, f"[{condition.variable}] {_SIGNS[condition.order]} {right}"], "all")


def _joined(parts: list[str], kind: str) -> str:
    return parts[0] if len(parts) == 1 else f"({_WORDS[kind].join(parts)})"


def _guarded(condition: Compare) -> tuple[str, ...]:
    """Return the variables of which REDCap must be told that they are not blank."""
    if condition.number is None:
        return condition.variables()
    return (condition.variable,) if _HOLDS_AT_ZERO[condition.order](condition.number) else ()


def _code(value: bool | int | str) -> str:
    return str(int(value)) if isinstance(value, bool) else str(value)


def number_text(number: float) -> str:
    """Write a number in digits, without exponent: 0.0000001 and not 1e-07."""
    text = format(Decimal(repr(number)), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
