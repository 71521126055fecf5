"""The data dictionary: every variable of the case report form, defined once in a versioned document.

Forms, checks, scores, model inputs, Table 1 and the API read what they need from here; nothing names a variable again.
"""

from datetime import date
from enum import StrEnum
from functools import cache, cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import (
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
    StrictBool,
    StrictInt,
    StrictStr,
    TypeAdapter,
    ValidationError,
    model_validator,
)
from pydantic.dataclasses import dataclass

try:  # the same in C, many times faster, where PyYAML was built with it
    from yaml import CSafeLoader as SafeLoader
except ImportError:
    from yaml import SafeLoader  # type: ignore[assignment]

from apps.crf.computed import Formula
from apps.crf.conditions import Condition, Value, parse_condition
from apps.crf.dictionary_checks import check_dictionary, check_variable
from apps.crf.places import MAIN
from apps.crf.texts import Text
from apps.crf.units import OtherUnit
from apps.crf.versions.current import SHIPPED, current_dictionary, dictionary_of

FOLDER = Path(__file__).parent / "dictionaries"
TODAY = "today"
_CONFIG = ConfigDict(extra="forbid", strict=False)

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,59}$")]
Bound = Annotated[date, Field(strict=True)] | Annotated[float, Field(strict=True)]
ConditionField = Annotated[
    Condition, PlainValidator(parse_condition), PlainSerializer(lambda condition: condition.as_data(), dict[str, Any])
]
# Taken as they stand in the file: pydantic would otherwise read the number 1 as true or the word "1" as a number.
Scalar = StrictBool | StrictInt | StrictStr
Code = StrictInt | StrictStr


class DictionaryError(Exception):
    """The dictionary file is wrong; the sentence says where. A fault of the installation, never of a user's input."""


class VariableType(StrEnum):
    INTEGER = "integer"
    DECIMAL = "decimal"
    YESNO = "yesno"
    CHOICE = "choice"
    DATE = "date"
    TEXT = "text"


class Level(StrEnum):
    """Hard: a value that breaks it is refused. Soft: it is stored, and shown as to be checked."""

    HARD = "hard"
    SOFT = "soft"


class TableOne(StrEnum):
    MEDIAN_IQR = "median_iqr"
    COUNT_PCT = "count_pct"


@dataclass(frozen=True, config=_CONFIG)
class Choice:
    value: Code
    label: Text

    def __str__(self) -> str:
        """Grades of a scale show their number too, since papers count some scales in opposite directions."""
        return f"{self.value} \N{EN DASH} {self.label}" if isinstance(self.value, int) else str(self.label)


@dataclass(frozen=True, config=_CONFIG)
class Range:
    """Bounds, both included; `today` as the upper bound of a date."""

    low: Bound
    high: Bound | Literal["today"]


def _pair(data: object) -> object:
    if isinstance(data, list) and len(data) == 2:
        data = {"low": data[0], "high": data[1]}
    return {key: _bound(end) for key, end in data.items()} if isinstance(data, dict) else data


def _bound(end: object) -> object:
    """Read the date that JSON has as a text."""
    try:
        return date.fromisoformat(end) if isinstance(end, str) else end
    except ValueError:
        return end


RangeField = Annotated[Range, BeforeValidator(_pair)]


@dataclass(frozen=True, config=_CONFIG)
class Pattern:
    """What a text must look like, and the sentence for one that does not."""

    regex: str
    sentence: Text


@dataclass(frozen=True, config=_CONFIG)
class Variable:
    """One variable and all its roles."""

    name: Name
    label: Text
    type: VariableType
    # For the head of a column.
    short: Text | None = None
    unit: Text | None = None
    # In which it may be typed too.
    other_units: tuple[OtherUnit, ...] = ()
    help: Text | None = None
    range: RangeField | None = None
    # Values outside are stored, with a warning.
    usual: RangeField | None = None
    decimals: Annotated[int, Field(ge=1, le=6)] = 1
    max_length: Annotated[int, Field(ge=1, le=500)] = 200
    pattern: Pattern | None = None
    choices: tuple[Choice, ...] = ()
    show_if: ConditionField | None = None
    computed: Formula | None = None
    required: bool = True
    double_entry: bool = True
    # Written only by who may enter outcomes, so that the assessor can stay blinded.
    outcome: bool = False
    # The choices that count as a poor outcome; on one variable of the dictionary.
    poor_outcome: tuple[int, ...] = ()
    # Place among the clinical inputs of the fusion model.
    model_feature: Annotated[int, Field(ge=1)] | None = None
    # Decided after admission: a model for the door leaves it out.
    decided_later: bool = False
    table_one: TableOne | None = None
    # Name of an input of ml.scores -> how its value follows: "value" as it is, or a value for each choice.
    score_inputs: dict[str, Literal["value"] | dict[Code, Scalar]] = Field(default_factory=dict)
    # Place among the columns of the patient list.
    list_column: Annotated[int, Field(ge=1)] | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        check_variable(self)
        return self

    @property
    def is_typed(self) -> bool:
        """Whether anybody may enter it: a computed value only where the formula says so."""
        return self.computed is None or self.computed.or_typed

    def choice(self, value: Value) -> Choice | None:
        return next((choice for choice in self.choices if choice.value == value), None)


@dataclass(frozen=True, config=_CONFIG)
class Section:
    name: Name
    label: Text
    variables: Annotated[tuple[Variable, ...], Field(min_length=1)]


@dataclass(frozen=True, config=_CONFIG)
class Rule:
    """A check across variables: what it forbids, and the sentence for who entered it."""

    name: Name
    level: Level
    forbid: ConditionField
    sentence: Text

    @cached_property
    def variables(self) -> tuple[str, ...]:
        return self.forbid.variables()


class Questions:
    """What one form asks, and its checks."""

    sections: tuple[Section, ...]
    rules: tuple[Rule, ...]

    @cached_property
    def variables(self) -> dict[str, Variable]:
        """All variables of the form by name, in its order."""
        return {variable.name: variable for section in self.sections for variable in section.variables}


@dataclass(frozen=True, config=_CONFIG)
class Visit:
    name: Name
    label: Text
    # After admission; none for the hospital stay itself.
    months: Annotated[int, Field(ge=1, le=120)] | None = None
    # What on the main form makes the visit pointless, such as a death in hospital.
    unless: ConditionField | None = None


@dataclass(frozen=True, config=_CONFIG)
class FurtherForm(Questions):
    """A form beside the main one: at some visits, and as often as needed where it repeats."""

    name: Name
    label: Text
    visits: Annotated[tuple[Name, ...], Field(min_length=1)]
    sections: Annotated[tuple[Section, ...], Field(min_length=1)]
    rules: tuple[Rule, ...] = ()
    repeats: bool = False


@dataclass(frozen=True, config=_CONFIG)
class Dictionary(Questions):
    """The main form, from admission to discharge; and the visits and forms beside it."""

    name: Name
    version: Annotated[str, Field(pattern=r"^[0-9]{1,4}$")]
    title: Text
    sections: Annotated[tuple[Section, ...], Field(min_length=1)]
    rules: tuple[Rule, ...] = ()
    visits: tuple[Visit, ...] = ()
    forms: tuple[FurtherForm, ...] = ()

    @model_validator(mode="after")
    def _check(self) -> Self:
        check_dictionary(self)
        return self

    @property
    def id(self) -> str:
        """Name and version, as stored with each value: what the file is called."""
        return f"{self.name}-{self.version}"

    def questions(self, form: str) -> Questions:
        """Return what a form asks; KeyError for one that is none of this dictionary's."""
        return self if form == MAIN else self.further[form]

    @cached_property
    def further(self) -> dict[str, FurtherForm]:
        return {form.name: form for form in self.forms}

    @cached_property
    def all_variables(self) -> dict[str, Variable]:
        """The variables of all forms by name."""
        return self.variables | {name: found for form in self.forms for name, found in form.variables.items()}

    @cached_property
    def all_sections(self) -> tuple[Section, ...]:
        return (*self.sections, *(section for form in self.forms for section in form.sections))

    @cached_property
    def all_rules(self) -> tuple[Rule, ...]:
        return (*self.rules, *(rule for form in self.forms for rule in form.rules))

    @cached_property
    def features(self) -> tuple[Variable, ...]:
        """The clinical inputs of the model, in the model's order."""
        chosen = [variable for variable in self.variables.values() if variable.model_feature is not None]
        return tuple(sorted(chosen, key=lambda variable: variable.model_feature or 0))

    @cached_property
    def list_columns(self) -> tuple[Variable, ...]:
        chosen = [variable for variable in self.variables.values() if variable.list_column is not None]
        return tuple(sorted(chosen, key=lambda variable: variable.list_column or 0))

    @cached_property
    def primary_outcome(self) -> Variable:
        """The variable that says whether the outcome is poor."""
        return next(variable for variable in self.variables.values() if variable.poor_outcome)

    def as_data(self, *, without_defaults: bool = False) -> dict[str, Any]:
        """Return the dictionary as JSON types."""
        data: dict[str, Any] = _ADAPTER.dump_python(
            self, mode="json", by_alias=True, exclude_none=True, exclude_defaults=without_defaults
        )
        return data


_ADAPTER = TypeAdapter(Dictionary)


class _StrictLoader(SafeLoader):
    """YAML that refuses a key given twice; the plain loader silently keeps the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                raise yaml.constructor.ConstructorError(None, None, f"'{key}' is given twice", key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep)


def parse_dictionary(text: str) -> Dictionary:
    """Read and check the text of a dictionary file.

    Raises DictionaryError with the place and the reason of the first fault.
    """
    try:
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, Loader=SafeLoader)):
            # A few lines of them can become millions of objects.
            raise DictionaryError("The dictionary has an alias (*name); write out what it stands for.")
        # A subclass of SafeLoader: builds plain types only.
        return _ADAPTER.validate_python(yaml.load(text, Loader=_StrictLoader))  # noqa: S506
    except yaml.YAMLError as error:
        raise DictionaryError(f"The dictionary is not valid YAML: {' '.join(str(error).split())}") from error
    except ValidationError as error:
        raise _fault(error) from error


def dictionary_from_json(text: str) -> Dictionary:
    """Read and check a dictionary that `as_data` gave; DictionaryError says what is wrong."""
    try:
        return _ADAPTER.validate_json(text)
    except ValidationError as error:
        raise _fault(error) from error


def _fault(error: ValidationError) -> DictionaryError:
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"]) or "the file"
    return DictionaryError(f"The dictionary is wrong at {place}: {first['msg']}.")


@cache
def shipped_dictionary() -> Dictionary:
    """Return the dictionary by which a study begins, read and checked once a process."""
    dictionary = parse_dictionary((FOLDER / f"{SHIPPED}.yaml").read_text(encoding="utf-8"))
    if dictionary.id != SHIPPED:
        raise DictionaryError(
            f"The file {SHIPPED}.yaml calls itself {dictionary.id}; name and version must agree with it."
        )
    return dictionary


def load_dictionary(name: str = "") -> Dictionary:
    """Return the dictionary by which the forms ask now, or a published one by its id (KeyError: there is none)."""
    return dictionary_of(name) if name else current_dictionary()
