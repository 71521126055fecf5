"""Values that follow from others of the form: computed when it is saved, not typed where their parts are known."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import ConfigDict, Field, model_validator
from pydantic.dataclasses import dataclass

from apps.crf.conditions import Value, Values
from apps.crf.missing import Answer, Answers, known
from apps.crf.units import to_decimals

if TYPE_CHECKING:
    from apps.crf.dictionary import Questions, Variable

Names = Annotated[tuple[str, ...], Field(min_length=2)]


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Formula:
    """One of three: a sum, a mean with whole weights, or the days from one date to another."""

    sum: Names | None = None
    mean: dict[str, Annotated[int, Field(ge=1)]] | None = None
    days: tuple[str, str] | None = None
    # Where none of its parts is known, the value itself may be typed: charts often hold the total alone.
    or_typed: bool = False

    @model_validator(mode="after")
    def _check(self) -> Self:
        if sum(part is not None for part in (self.sum, self.mean, self.days)) != 1:
            raise ValueError("a formula is one of: sum, mean, days")
        return self

    @property
    def parts(self) -> tuple[str, ...]:
        """Names of the variables that it is computed from."""
        return tuple(self.sum or self.mean or self.days or ())

    def value(self, values: Values) -> float | None:
        """Return what the formula gives; None where a part is not known."""
        parts: list[Any] = [values.get(name) for name in self.parts]
        if None in parts:
            return None
        if self.days:
            return (date.fromisoformat(parts[1]) - date.fromisoformat(parts[0])).days
        weights = list(self.mean.values()) if self.mean else [1] * len(parts)
        total: float = sum(weight * part for weight, part in zip(weights, parts, strict=True))
        return total / sum(weights) if self.mean else total

    def as_data(self) -> dict[str, Any]:
        """Return it as the page's script reads it."""
        if self.days:
            return {"days": list(self.days)}
        return {"mean": self.mean} if self.mean else {"sum": list(self.sum or ())}


def computed_value(variable: Variable, values: Values) -> Value:
    """Return what a computed variable holds, to its own number of decimals; None where it can't be computed."""
    value = variable.computed.value(values) if variable.computed else None
    return None if value is None else to_decimals(variable, value)


def is_computed(variable: Variable, answers: Answers) -> bool:
    """Say whether the parts decide the value: always, but for one that may be typed while none of them is answered."""
    formula = variable.computed
    if formula is None:
        return False
    return not formula.or_typed or any(answers.get(name) is not None for name in formula.parts)


def computed_answers(questions: Questions, before: Answers, after: Answers) -> dict[str, Value]:
    """Return the value (None: none) of each variable that is computed now, or was until its parts were taken away."""
    values = known(after)
    found: dict[str, Value] = {}
    for variable in questions.variables.values():
        if is_computed(variable, after):
            found[variable.name] = values[variable.name] = computed_value(variable, values)
        elif is_computed(variable, before) and after.get(variable.name) == before.get(variable.name):
            found[variable.name] = None
    return found


def stale_values(questions: Questions, answers: Answers) -> Mapping[str, tuple[Answer, Value]]:
    """Return what is stored and what it should be, for each variable whose stored value is not the computed one."""
    should = computed_answers(questions, answers, answers)
    return {name: (answers.get(name), value) for name, value in should.items() if answers.get(name) != value}
