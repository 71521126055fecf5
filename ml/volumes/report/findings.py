"""What the report on a series says, and how grave it is."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ml.volumes.geometry import Geometry

Level = Literal["fail", "warn", "info"]
_GRAVITY: tuple[Level, ...] = ("fail", "warn", "info")


@dataclass(frozen=True)
class Finding:
    """One thing worth knowing about a series.

    Attributes
    ----------
    code
        Stable identifier.
    level
        ``fail``: the series must not be used; ``warn``: a person should look; ``info``: dealt with, for the record.
    sentence
        What is wrong and what to do. Holds no identifier.
    """

    code: str
    level: Level
    sentence: str


@dataclass(frozen=True, eq=False)
class SeriesReport:
    """What the headers of a series tell about its slices.

    Attributes
    ----------
    findings
        The gravest first.
    geometry
        That of the slices that make the volume; None where they make none.
    order
        SOPInstanceUID of these slices, from foot to head.
    left_out
        SOPInstanceUID of what is no slice of the volume, and why: ``localizer``, ``not_ct``, ``multi_frame``,
        ``missing_geometry``, ``other_matrix``, ``other_spacing``, ``other_orientation``, ``duplicate``,
        ``other_acquisition``.
    """

    findings: tuple[Finding, ...]
    geometry: Geometry | None
    order: tuple[str, ...]
    left_out: Mapping[str, str]

    @property
    def level(self) -> Literal["pass", "warn", "fail"]:
        """The gravest level of the findings; ``pass`` where nothing needs a look."""
        levels = {finding.level for finding in self.findings}
        if "fail" in levels:
            return "fail"
        return "warn" if "warn" in levels else "pass"

    def to_dict(self) -> dict[str, Any]:
        """Return level and findings as plain values that JSON can hold."""
        return {"level": self.level, "findings": [vars(finding).copy() for finding in self.findings]}


def sort_findings(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return the findings, the gravest first, else in the order in which they were found."""
    return tuple(sorted(findings, key=lambda finding: _GRAVITY.index(finding.level)))


def count(number: int, noun: str) -> str:
    """Return "1 slice", "3 slices"."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def is_are(number: int) -> str:
    return "is" if number == 1 else "are"
