"""How well two people agree who outlined the same CTs blind to each other: by pair and center."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median

from django.db.models import QuerySet

from apps.accounts.access import Actor, in_centers
from apps.accounts.models import Center
from apps.accounts.policy import Permission
from apps.annotation.models import DoubleReading
from ml.statistics.agreement import Estimate, Limits, icc_2_1, limits_of_agreement

# Below that no limits and no coefficient are estimated.
FEWEST = 10


@dataclass(frozen=True)
class Case:
    """One CT: both volumes in the order of the pair, and how the outlines agree."""

    reading: DoubleReading
    volumes: tuple[float, float]
    dice: float
    hd95_mm: float | None

    @property
    def difference_ml(self) -> float:
        """First less second, as in the limits of agreement."""
        return self.volumes[0] - self.volumes[1]

    @property
    def is_suggested(self) -> bool:
        """At least one of the two was shown the program's suggestion."""
        masks = (self.reading.first_mask, self.reading.second_mask)
        return any(mask is not None and mask.suggestion_version for mask in masks)


@dataclass(frozen=True)
class PairRow:
    """The CTs of two people in one center, or (center None) in all of them."""

    names: tuple[str, str]
    center: str | None
    cases: tuple[Case, ...]

    @property
    def n(self) -> int:
        return len(self.cases)

    @property
    def too_few(self) -> bool:
        return self.n < FEWEST

    @property
    def points(self) -> tuple[tuple[float, float], ...]:
        return tuple(case.volumes for case in self.cases)

    @property
    def dice(self) -> float:
        return median(case.dice for case in self.cases)

    @property
    def lowest_dice(self) -> float:
        return min(case.dice for case in self.cases)

    @property
    def hd95_mm(self) -> float | None:
        return median(known) if (known := [case.hd95_mm for case in self.cases if case.hd95_mm is not None]) else None

    @property
    def suggested(self) -> int:
        """Of how many CTs the outlines may be alike because a program proposed them."""
        return sum(case.is_suggested for case in self.cases)

    @property
    def icc(self) -> Estimate | None:
        return None if self.too_few else icc_2_1(self.points)

    @property
    def limits(self) -> Limits | None:
        if self.too_few:
            return None
        first, second = zip(*self.points, strict=True)
        return limits_of_agreement(first, second)


def closed_readings(actor: Actor, center: Center | None = None) -> QuerySet[DoubleReading]:
    """Return the double readings of the actor's centers in which both have submitted."""
    found = DoubleReading.objects.filter(in_centers(actor, Permission.VIEW_MASK_AGREEMENT)).exclude(closed_at=None)
    if center is not None:
        found = found.filter(patient__center=center)
    return found.select_related("first", "second", "first_mask", "second_mask", "patient__center").order_by("pk")


def pair_rows(readings: Iterable[DoubleReading]) -> list[PairRow]:
    """Return a row for each pair of people and center, and one for all centers where a pair worked in several."""
    pairs: dict[tuple[int, int], list[DoubleReading]] = defaultdict(list)
    for reading in readings:
        pairs[_pair(reading)].append(reading)
    rows = []
    for (first, second), found in pairs.items():
        people = {found[0].first_id: found[0].first.full_name, found[0].second_id: found[0].second.full_name}
        names = (people[first], people[second])
        cases = [_case(reading, first) for reading in found]
        by_center: dict[str, list[Case]] = defaultdict(list)
        for case in cases:
            by_center[case.reading.patient.center.code].append(case)
        if len(by_center) > 1:
            rows.append(PairRow(names, None, tuple(cases)))
        rows += [PairRow(names, code, tuple(by_center[code])) for code in sorted(by_center)]
    return sorted(rows, key=lambda row: (row.names, row.center or ""))


def _pair(reading: DoubleReading) -> tuple[int, int]:
    """Return the two people in an order of their own: who was asked first says nothing of who reads more."""
    first, second = sorted((reading.first_id, reading.second_id))
    return first, second


def _case(reading: DoubleReading, first: int) -> Case:
    assert reading.first_mask is not None and reading.second_mask is not None and reading.dice is not None
    one, other = float(reading.first_mask.volume_ml), float(reading.second_mask.volume_ml)
    return Case(reading, (one, other) if reading.first_id == first else (other, one), reading.dice, reading.hd95_mm)
