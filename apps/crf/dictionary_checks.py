"""What must hold in a data dictionary beyond the types of its fields; a fault is a ValueError that says what it is."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING

from apps.crf.conditions import Compare, Condition, Group, OneOf
from ml.scores import INPUTS, InputKind

if TYPE_CHECKING:
    from apps.crf.dictionary import Dictionary, FurtherForm, Range, Rule, Section, Variable, Visit

# Names of the form's own fields in the browser, and of a column of exports and imports.
RESERVED = frozenset({"dictionary", "version", "reason", "reason_choice", "missing_reasons", "csrfmiddlewaretoken"})
_NUMBERS = ("integer", "decimal")


def check_variable(variable: Variable) -> None:
    """Check one variable by itself."""
    if variable.name in RESERVED:
        raise ValueError(f"'{variable.name}' is a reserved name")
    _check_choices(variable)
    _check_ranges(variable)
    _check_pattern(variable)
    _check_score_inputs(variable)
    _check_units(variable)
    _check_computed(variable)


def _check_choices(variable: Variable) -> None:
    if (variable.type == "choice") != bool(variable.choices):
        raise ValueError(f"{variable.name}: a choice, and only a choice, has choices")
    _once((str(choice.value) for choice in variable.choices), f"the choices of {variable.name}")
    unknown = set(variable.poor_outcome) - {choice.value for choice in variable.choices}
    if unknown:
        raise ValueError(f"{variable.name}: poor_outcome names values that are no choices: {sorted(unknown)}")


def _check_ranges(variable: Variable) -> None:
    if variable.range is None and variable.type in (*_NUMBERS, "date"):
        raise ValueError(f"{variable.name}: a {variable.type} needs a range")
    for bounds in (variable.range, variable.usual):
        if bounds is not None:
            _check_bounds(variable, bounds)


def _check_bounds(variable: Variable, bounds: Range) -> None:
    if variable.type not in (*_NUMBERS, "date"):
        raise ValueError(f"{variable.name}: a {variable.type} has no range")
    expected = date if variable.type == "date" else float
    ends = [bounds.low] if bounds.high == "today" and expected is date else [bounds.low, bounds.high]
    if not all(isinstance(end, expected) for end in ends):
        raise ValueError(f"{variable.name}: the bounds of a {variable.type} must be of its type")
    if ends[0] > ends[-1]:  # type: ignore[operator]
        raise ValueError(f"{variable.name}: the lower bound lies above the upper one")


def _check_pattern(variable: Variable) -> None:
    if variable.pattern is None:
        return
    if variable.type != "text":
        raise ValueError(f"{variable.name}: only a text has a pattern")
    try:
        re.compile(variable.pattern.regex)
    except re.error as error:
        raise ValueError(f"{variable.name}: the pattern is no regular expression ({error})") from error


def _check_score_inputs(variable: Variable) -> None:
    for name, mapping in variable.score_inputs.items():
        if name not in INPUTS:
            raise ValueError(f"{variable.name}: no clinical score has an input '{name}'")
        if mapping == "value":
            if (variable.type == "yesno") != (INPUTS[name].kind is InputKind.BOOLEAN) or variable.type == "choice":
                raise ValueError(f"{variable.name}: its type does not fit the score input '{name}'")
            continue
        if set(mapping) != {choice.value for choice in variable.choices}:
            raise ValueError(f"{variable.name}: the score input '{name}' needs a value for each choice, and no others")
        allowed = INPUTS[name].choices or (True, False)
        if any(value not in allowed for value in mapping.values()):
            raise ValueError(f"{variable.name}: the score input '{name}' takes one of {list(allowed)}")


def _check_units(variable: Variable) -> None:
    if variable.other_units and (variable.unit is None or variable.type not in _NUMBERS):
        raise ValueError(f"{variable.name}: other units belong to a number with a unit of its own")
    _once((variable.unit.en if variable.unit else "", *(each.name for each in variable.other_units)), "the units")


def _check_computed(variable: Variable) -> None:
    if variable.computed is None:
        return
    if variable.type not in _NUMBERS or (variable.computed.days and variable.type != "integer"):
        raise ValueError(f"{variable.name}: a computed value is a number, and one of days a whole number")
    if variable.show_if is not None:
        raise ValueError(f"{variable.name}: a computed value applies wherever its parts are known; leave show_if out")
    if not variable.is_typed and (variable.required or variable.double_entry):
        raise ValueError(f"{variable.name}: a computed value is entered by nobody: not required, not entered twice")


def check_dictionary(dictionary: Dictionary) -> None:
    """Check what the variables and rules say about each other."""
    for check in DICTIONARY_CHECKS:
        check(dictionary.sections, dictionary.rules)
    check_forms(dictionary.sections, dictionary.forms, dictionary.visits)


def _check_names(sections: Sequence[Section], rules: Sequence[Rule]) -> None:
    _once((variable.name for variable in _all(sections)), "the variables")
    _once((section.name for section in sections), "the sections")
    _once((rule.name for rule in rules), "the rules")


def _check_inputs(sections: Sequence[Section], rules: Sequence[Rule]) -> None:
    _once((name for variable in _all(sections) for name in variable.score_inputs), "the score inputs")


def _check_features(sections: Sequence[Section], rules: Sequence[Rule]) -> None:
    _check_numbering([v.model_feature for v in _all(sections) if v.model_feature], "model_feature")


def _check_columns(sections: Sequence[Section], rules: Sequence[Rule]) -> None:
    _check_numbering([v.list_column for v in _all(sections) if v.list_column], "list_column")


def _check_outcome(sections: Sequence[Section], rules: Sequence[Rule]) -> None:
    if sum(bool(variable.poor_outcome) for variable in _all(sections)) != 1:
        raise ValueError("one variable, and only one, says what a poor outcome is (poor_outcome)")


def _check_branches(sections: Sequence[Section], rules: Sequence[Rule]) -> None:
    above: dict[str, Variable] = {}
    for variable in _all(sections):
        check_branch(variable, above)
        check_formula(variable, above)
        above[variable.name] = variable


def _check_rules(sections: Sequence[Section], rules: Sequence[Rule]) -> None:
    known = {variable.name: variable for variable in _all(sections)}
    for rule in rules:
        check_rule(rule, known)


# Each raises the first fault of its kind; a reader that tells all faults of a file runs them one by one.
DICTIONARY_CHECKS: tuple[Callable[[Sequence[Section], Sequence[Rule]], None], ...] = (
    _check_names, _check_inputs, _check_features, _check_columns, _check_outcome, _check_branches, _check_rules,
)  # fmt: skip


def check_forms(main: Sequence[Section], forms: Sequence[FurtherForm], visits: Sequence[Visit]) -> None:
    """Check the forms beside the main one: names are of one dictionary, branches and rules stay within a form."""
    _once((visit.name for visit in visits), "the visits")
    # The names of the main form, and of the files that an export has beside those of the forms.
    _once(("main", "data", "codebook", *(form.name for form in forms)), "the forms")
    known = {variable.name: variable for variable in _all(main)}
    for visit in visits:
        if visit.unless is not None:
            _check_condition(visit.unless, known, f"unless of {visit.name}")
    everything = [*main, *(section for form in forms for section in form.sections)]
    _once((section.name for section in everything), "the sections")
    _once((variable.name for variable in _all(everything)), "the variables")
    for form in forms:
        unknown = sorted(set(form.visits) - {visit.name for visit in visits})
        if unknown:
            raise ValueError(f"{form.name}: unknown visits: {', '.join(unknown)}")
        _once(form.visits, f"the visits of {form.name}")
        if form.repeats and len(form.visits) > 1:
            raise ValueError(f"{form.name}: a form that repeats belongs to one visit")
        for check in (_check_names, _check_branches, _check_rules):
            check(form.sections, form.rules)
        for variable in _all(form.sections):
            if variable.poor_outcome or variable.model_feature or variable.score_inputs or variable.list_column:
                raise ValueError(f"{variable.name}: only the main form feeds scores, models and the patient list")


def _all(sections: Sequence[Section]) -> list[Variable]:
    return [variable for section in sections for variable in section.variables]


def _once(names: Iterable[str], what: str) -> None:
    twice = sorted(name for name, count in Counter(names).items() if count > 1)
    if twice:
        raise ValueError(f"given twice among {what}: {', '.join(twice)}")


def _check_numbering(numbers: list[int], role: str) -> None:
    if sorted(numbers) != list(range(1, len(numbers) + 1)):
        raise ValueError(f"{role} must count 1, 2, 3, ... without gap or repetition")


def check_branch(variable: Variable, above: Mapping[str, Variable]) -> None:
    """A branch looks only at variables above it (so there are no circles) and of the same writers."""
    if variable.show_if is None:
        return
    where = f"show_if of {variable.name}"
    _check_condition(variable.show_if, above, where)
    if any(above[name].computed for name in variable.show_if.variables()):
        raise ValueError(f"{where}: a branch can't hang on a computed value")
    # Otherwise one person's save would clear a value that only another may write.
    if any(above[name].outcome != variable.outcome for name in variable.show_if.variables()):
        raise ValueError(f"{where}: outcome and other variables can't depend on each other")


def check_formula(variable: Variable, above: Mapping[str, Variable]) -> None:
    """A formula looks only at variables above it, of the kind that it can work with, and of the same writers."""
    if variable.computed is None:
        return
    where = f"computed of {variable.name}"
    unknown = [name for name in variable.computed.parts if name not in above]
    if unknown:
        raise ValueError(f"{where}: unknown here (a formula can only name variables above it): {', '.join(unknown)}")
    parts = [above[name] for name in variable.computed.parts]
    dated = variable.computed.days is not None
    if not all(part.type == "date" if dated else part.type in _NUMBERS or _is_scale(part) for part in parts):
        raise ValueError(f"{where}: days need dates; a sum and a mean need numbers")
    if any(part.outcome != variable.outcome for part in parts):
        raise ValueError(f"{where}: outcome and other variables can't depend on each other")


def check_rule(rule: Rule, known: Mapping[str, Variable]) -> None:
    """A rule names variables of the dictionary, and compares what can be compared."""
    _check_condition(rule.forbid, known, f"rule {rule.name}")


def _check_condition(condition: Condition, known: Mapping[str, Variable], where: str) -> None:
    missing = [name for name in condition.variables() if name not in known]
    if missing:
        raise ValueError(f"{where}: unknown here (a branch can only name variables above it): {', '.join(missing)}")
    if isinstance(condition, Group):
        for part in condition.parts:
            _check_condition(part, known, where)
    elif isinstance(condition, OneOf):
        _check_one_of(condition, known[condition.variable], where)
    else:
        _check_compare(condition, known, where)


def _check_one_of(condition: OneOf, variable: Variable, where: str) -> None:
    possible: list[bool | int | str] = [choice.value for choice in variable.choices]
    if variable.type == "yesno":
        possible = [True, False]
    if any(not any(type(v) is type(p) and v == p for p in possible) for v in condition.values):
        raise ValueError(f"{where}: {variable.name} takes one of {possible}")


def _check_compare(condition: Compare, known: Mapping[str, Variable], where: str) -> None:
    kinds = [known[name].type for name in condition.variables()]
    numeric = [
        kind in _NUMBERS or _is_scale(known[name]) for kind, name in zip(kinds, condition.variables(), strict=True)
    ]
    dates = condition.other is not None and all(kind == "date" for kind in kinds)
    if not (all(numeric) or dates):
        raise ValueError(f"{where}: only numbers with numbers, or dates with dates, can be compared")


def _is_scale(variable: Variable) -> bool:
    return bool(variable.choices) and all(isinstance(choice.value, int) for choice in variable.choices)
