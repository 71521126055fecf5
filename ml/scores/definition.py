"""A point score as data: items made of bands, and the one routine that adds them up."""

from collections.abc import Mapping
from dataclasses import dataclass

from ml.scores.inputs import InputValue, ScoreNotComputable, is_blank, read_input


@dataclass(frozen=True)
class Band:
    """The values of an input that earn the same points; every bound that is given has to hold.

    `at_least` and `at_most` include their bound, `more_than` and `less_than` do not: papers differ here, and most
    published calculators err exactly there.
    """

    points: int
    at_least: float | None = None
    more_than: float | None = None
    at_most: float | None = None
    less_than: float | None = None
    equals: bool | str | None = None

    def holds(self, value: InputValue) -> bool:
        """Return whether a value that `read_input` has passed lies in this band."""
        if self.equals is not None:
            return value == self.equals
        if isinstance(value, str):
            return False
        return (
            (self.at_least is None or value >= self.at_least)
            and (self.more_than is None or value > self.more_than)
            and (self.at_most is None or value <= self.at_most)
            and (self.less_than is None or value < self.less_than)
        )

    @property
    def label(self) -> str:
        """The band as it is written in a table, such as ``< 30``, ``40-70`` or ``yes``."""
        if isinstance(self.equals, bool):
            return "yes" if self.equals else "no"
        if self.equals is not None:
            return self.equals
        if self.at_least is not None and self.at_most is not None:
            return f"{self.at_least:g}-{self.at_most:g}"
        bounds = (("≥", self.at_least), (">", self.more_than), ("≤", self.at_most), ("<", self.less_than))
        return " and ".join(f"{sign} {bound:g}" for sign, bound in bounds if bound is not None)


@dataclass(frozen=True)
class Cut:
    """A threshold that measurement error easily crosses; values from `low` to `high` (inclusive) count as near it."""

    at: float
    low: float
    high: float


@dataclass(frozen=True)
class ScoreItem:
    """One row of a score: the input it reads, its bands, and the condition (input, value) under which it counts."""

    label: str
    input: str
    bands: tuple[Band, ...]
    only_if: tuple[str, bool] | None = None
    cut: Cut | None = None


@dataclass(frozen=True)
class ItemPoints:
    """What one item contributed, and from which value."""

    item: str
    input: str
    value: InputValue
    points: int


@dataclass(frozen=True)
class NearCut:
    """An input so close to a threshold of the score that its measurement error may decide the point."""

    item: str
    input: str
    value: float
    cut: Cut


@dataclass(frozen=True)
class ScoreResult:
    """A computed score, or the reason why there is none.

    Attributes
    ----------
    value
        The total; ``None`` if any input is blank.
    points
        The items that could be read, in the order of the definition. With blanks their sum is NOT the score.
    missing
        Names of the blank inputs.
    near_cut
        Inputs near a threshold.
    """

    key: str
    version: str
    value: int | None
    points: tuple[ItemPoints, ...]
    missing: tuple[str, ...]
    near_cut: tuple[NearCut, ...]


@dataclass(frozen=True)
class OutcomeTable:
    """Observed outcome by score value in a published cohort: fractions, ``None`` where no patient had that value."""

    outcome: str
    cohort: str
    rates: Mapping[int, float | None]


@dataclass(frozen=True)
class ScoreDefinition:
    """A published score: where it comes from, which way it points, and its items."""

    key: str
    name: str
    citation: str
    version: str
    minimum: int
    maximum: int
    higher_is_worse: bool
    inputs: tuple[str, ...]
    items: tuple[ScoreItem, ...]
    doi: str | None = None
    outcome: OutcomeTable | None = None

    def compute(self, inputs: Mapping[str, object]) -> ScoreResult:
        """Score one patient.

        Parameters
        ----------
        inputs
            Values by the names in `inputs` (see `ml.scores.INPUTS` for units). A name that is absent is blank; other
            names are ignored.

        Raises
        ------
        MLError
            If a value is of the wrong type or outside its scale. A blank does not raise: it is named in `missing`.
        """
        missing = tuple(name for name in self.inputs if is_blank(inputs.get(name)))
        values = {name: read_input(name, inputs[name]) for name in self.inputs if name not in missing}
        counted = [item for item in self.items if _counts(item, values)]
        points = tuple(_item_points(item, values[item.input]) for item in counted)
        return ScoreResult(
            key=self.key,
            version=self.version,
            value=None if missing else sum(item.points for item in points),
            points=points,
            missing=missing,
            near_cut=tuple(near for item in counted if (near := _near_cut(item, values[item.input])) is not None),
        )

    def total(self, inputs: Mapping[str, object]) -> int:
        """Return the score of one patient.

        Raises
        ------
        ScoreNotComputable
            If an input is blank.
        MLError
            If a value is of the wrong type or outside its scale.
        """
        result = self.compute(inputs)
        if result.value is None:
            raise ScoreNotComputable(self.name, result.missing)
        return result.value


def _counts(item: ScoreItem, values: Mapping[str, InputValue]) -> bool:
    if item.input not in values:
        return False
    return item.only_if is None or values.get(item.only_if[0]) == item.only_if[1]


def _item_points(item: ScoreItem, value: InputValue) -> ItemPoints:
    band = next(band for band in item.bands if band.holds(value))
    return ItemPoints(item.label, item.input, value, band.points)


def _near_cut(item: ScoreItem, value: InputValue) -> NearCut | None:
    if item.cut is None or isinstance(value, str) or not item.cut.low <= value <= item.cut.high:
        return None
    return NearCut(item.label, item.input, value, item.cut)
