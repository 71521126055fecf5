"""The columns of an export: what the data dictionary says of each variable, and what the platform computes."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from django.utils.translation import gettext as _

from apps.cohorts.table import REASONS, Row
from apps.crf.conditions import Value
from apps.crf.dictionary import Variable, VariableType, load_dictionary
from apps.crf.missing import REASONS_COLUMN, Missing
from ml.scores import SCORES


class Kind(StrEnum):
    WHOLE = "whole number"
    DECIMAL = "decimal number"
    YES_NO = "yes or no"
    CODE = "code"
    DATE = "date"
    TEXT = "text"


_KINDS = {
    VariableType.INTEGER: Kind.WHOLE,
    VariableType.DECIMAL: Kind.DECIMAL,
    VariableType.YESNO: Kind.YES_NO,
    VariableType.CHOICE: Kind.CODE,
    VariableType.DATE: Kind.DATE,
    VariableType.TEXT: Kind.TEXT,
}


@dataclass(frozen=True)
class Column:
    """One column: `name` heads it in every file, `key` is its place in a row of the cohort's table."""

    name: str
    key: str
    label: str
    kind: Kind
    unit: str = ""
    decimals: int = 0
    # Code -> label, in the reader's language.
    codes: tuple[tuple[int | str, str], ...] = ()
    # Of the case report form; the others are the platform's.
    variable: Variable | None = None

    @property
    def title(self) -> str:
        return f"{self.label} ({self.unit})" if self.unit else self.label


def columns() -> list[Column]:
    """Return all columns in the language that is active: who, the form, and what is computed."""
    form = [of_variable(variable) for variable in load_dictionary().variables.values()]
    scores = [Column(f"score_{key}", f"score_{key}", definition.name, Kind.WHOLE) for key, definition in SCORES.items()]
    return [
        Column("study_id", "study_id", _("Study id"), Kind.TEXT),
        Column("center", "center", _("Center"), Kind.TEXT),
        *form,
        of_reasons(),
        Column("hematoma_volume_ml", "hematoma_volume_ml", _("Hematoma volume"), Kind.DECIMAL, "mL", 2),
        *scores,
        Column("poor_outcome", "poor_outcome", _("Poor outcome (GOS 1–3) at discharge"), Kind.YES_NO),
        Column("left_out", "left_out", _("Why left out of the analysis"), Kind.CODE, codes=_reasons()),
        Column("form_version", "form_version", _("Saves of the form"), Kind.WHOLE),
    ]


def of_variable(variable: Variable) -> Column:
    """Return the column of a variable of the dictionary."""
    return Column(
        name=variable.name, key=f"crf_{variable.name}", label=str(variable.label), kind=_KINDS[variable.type],
        unit=str(variable.unit or ""), decimals=variable.decimals if variable.type is VariableType.DECIMAL else 0,
        codes=tuple((choice.value, str(choice.label)) for choice in variable.choices), variable=variable,
    )  # fmt: skip


def of_reasons() -> Column:
    """Return the column that says why values of the row are missing; `codes` are those that stand in its texts."""
    codes = tuple((code.value, str(code.label)) for code in Missing)
    label = _("Why values are missing: variable=code; ...")
    return Column(REASONS_COLUMN, REASONS_COLUMN, label, Kind.TEXT, codes=codes)


def _reasons() -> tuple[tuple[int, str], ...]:
    """Number the reasons in the order in which they are looked at; 0 is analysed."""
    return ((0, _("analysed")), *((number, _(reason)) for number, reason in enumerate(REASONS, start=1)))


def prepared(rows: Iterable[Row]) -> list[Row]:
    """Return the cohort's rows as they are exported: why a patient is left out becomes a code."""
    numbers = {"": 0, **{reason: number for number, reason in enumerate(REASONS, start=1)}}
    return [row | {"left_out": numbers[row["exclusion"]]} for row in rows]


def yes_no() -> tuple[tuple[int, str], ...]:
    return ((1, _("Yes")), (0, _("No")))


def coded(value: Value) -> Value:
    """Return a value as programs without true and false want it: yes is 1, no is 0."""
    return int(value) if isinstance(value, bool) else value
