"""How the slices of one volume follow each other: what is missing between them, what is uneven, what lies amiss."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ml.volumes.geometry import FloatArray, Geometry, describe_gaps
from ml.volumes.report.findings import Finding, count, is_are
from ml.volumes.report.slices import Slice

# A gap is held against this many gaps on either side.
_NEIGHBORS = 3
# From here on a gap leaves room for a slice.
_WIDE = 1.5
# Gaps within a fifth of each other count as equal, which is also what viewers accept of a volume.
_EVEN, _ROUNDING_MM = 0.2, 0.1
# Tissue that one may miss: one slice, and no wider gap than this.
_MOST_MISSING, _WIDEST_HOLE_MM = 1, 10.0
# A slice so much thicker than the distance between slices is a wrong entry.
_THICKEST = 3.0


@dataclass(frozen=True)
class Stack:
    """The slices of a volume from foot to head, with what their headers add to their places.

    Attributes
    ----------
    gaps
        (z-1,) mm between the planes.
    thickness
        (z,) mm as stated; nan where it is absent or cannot be.
    jumps
        (z-1,) by how many of the usual steps InstanceNumber rises or falls from slice to slice; None where the numbers
        do not run with the places.
    """

    geometry: Geometry
    slices: Sequence[Slice]
    gaps: FloatArray
    thickness: FloatArray
    jumps: FloatArray | None


def stack_of(geometry: Geometry, slices: Sequence[Slice]) -> Stack:
    """Return the stack of slices that are in the order of the geometry."""
    gaps = geometry.gaps
    thickness = np.array([np.nan if one.thickness is None else one.thickness for one in slices])
    thickness[(thickness <= 0) | (thickness > _THICKEST * np.median(gaps))] = np.nan
    return Stack(geometry, slices, gaps, thickness, _jumps(slices))


def _jumps(slices: Sequence[Slice]) -> FloatArray | None:
    numbers = [one.number for one in slices if one.number is not None]
    steps = np.diff(np.array(numbers))
    if len(numbers) < len(slices) or not (np.all(steps > 0) or np.all(steps < 0)):
        return None
    return np.rint(np.abs(steps) / np.median(np.abs(steps)))


def spacing_findings(stack: Stack) -> Iterator[Finding]:
    """Say what is missing, uneven, out of order, or lies between the slices without being imaged."""
    holes = {i: number for i in range(len(stack.gaps)) if (number := _missing(stack, i))}
    yield from _missing_slices(stack, holes)
    yield from _uneven(stack, holes)
    yield from _misplaced(stack.slices)
    yield from _unimaged(stack, holes)


def _sides(gaps: FloatArray, i: int) -> list[float]:
    """Return what is usual among the gaps below and among those above; an end of the stack has one side alone."""
    sides = (gaps[max(0, i - _NEIGHBORS) : i], gaps[i + 1 : i + 1 + _NEIGHBORS])
    # The lower of two middle gaps: a wide one must not make itself usual.
    return [float(np.sort(side)[(side.size - 1) // 2]) for side in sides if side.size]


def _missing(stack: Stack, i: int) -> int:
    """Return how many slices are missing in gap `i`.

    Where the distance between slices changes, the wider of both sides is the measure, so that a protocol of 5 mm below
    and 10 mm above lacks nothing.
    """
    gap, sides = float(stack.gaps[i]), _sides(stack.gaps, i)
    if not sides:
        return 0
    jump = 0 if stack.jumps is None else int(stack.jumps[i])
    if jump >= 2 and _told_by_number(stack, gap, jump):
        return jump - 1
    ratio = gap / max(sides)
    times = round(ratio)
    if ratio < _WIDE or abs(ratio - times) > max(0.25, 0.05 * ratio) or _other_thickness(stack, i):
        return 0
    if len(sides) == 1 and jump == 1 and not _unseen(stack, i):
        return 0
    return times - 1


def _told_by_number(stack: Stack, gap: float, jump: int) -> bool:
    """Say whether a gap holds as many steps as InstanceNumber skips."""
    if stack.jumps is None:
        return False
    single = stack.gaps[stack.jumps == 1]
    return bool(np.any(np.abs(single * jump / gap - 1) <= _EVEN))


def _other_thickness(stack: Stack, i: int) -> bool:
    """Say whether thicker slices begin or end at gap `i`: then the wide gap is the protocol's."""
    at_gap = stack.thickness[i : i + 2]
    around = stack.thickness[max(0, i - _NEIGHBORS) : i + 2 + _NEIGHBORS]
    if np.all(np.isnan(at_gap)):
        return False
    gap = float(stack.gaps[i])
    return bool(np.nanmax(at_gap) >= 0.9 * gap and np.nanmin(around) <= gap / _WIDE)


def _unseen(stack: Stack, i: int) -> bool:
    """Say whether the slices beside gap `i` are too thin to reach each other."""
    return bool(stack.gaps[i] > _WIDE * np.mean(stack.thickness[i : i + 2]))


def _missing_slices(stack: Stack, holes: dict[int, int]) -> Iterator[Finding]:
    if not holes:
        return
    total = sum(holes.values())
    widest = max(float(stack.gaps[i]) for i in holes)
    foot = stack.geometry.offsets - stack.geometry.offsets[0]
    places = ", ".join(f"{foot[i]:.0f} to {foot[i + 1]:.0f}" for i in sorted(holes)[:3]) + " and more" * (
        len(holes) > 3
    )
    grave = total > _MOST_MISSING or widest > _WIDEST_HOLE_MM + _ROUNDING_MM
    yield Finding(
        "missing_slices",
        "fail" if grave else "warn",
        f"{count(total, 'slice')} {is_are(total)} missing ({places} mm above the lowest slice): "
        "send the complete series.",
    )


def _uneven(stack: Stack, holes: dict[int, int]) -> Iterator[Finding]:
    """Report gaps that fit neither side, once the missing slices are thought back in; a change of protocol is fine."""
    gaps = stack.gaps / np.array([holes.get(i, 0) + 1 for i in range(len(stack.gaps))])
    uneven = [i for i in range(len(gaps)) if i not in holes and _is_uneven(gaps, i)]
    foot = stack.geometry.offsets - stack.geometry.offsets[0]
    if uneven:
        places = ", ".join(f"{foot[i]:.0f}" for i in uneven[:3]) + " and more" * (len(uneven) > 3)
        yield Finding(
            "irregular_gaps",
            "warn",
            f"{count(len(uneven), 'distance')} between slices {is_are(len(uneven))} unlike those around "
            f"({places} mm above the lowest slice): check that no slice is missing or misplaced.",
        )
    elif gaps.max() - gaps.min() > _ROUNDING_MM:
        runs = [f"{number} x {mm:g} mm" for number, mm in describe_gaps(stack.geometry)]
        told = ", ".join(runs[:6]) + " and more" * (len(runs) > 6)
        yield Finding(
            "mixed_gaps", "info", f"The distances between slices differ ({told}); the true positions are used."
        )


def _is_uneven(gaps: FloatArray, i: int) -> bool:
    sides = _sides(gaps, i)
    if not sides:
        return False
    low, high = min(sides), max(sides)
    if high > low * (1 + _EVEN) + _ROUNDING_MM:
        return bool(gaps[i] > high * (1 + _EVEN) + _ROUNDING_MM)
    usual = (low + high) / 2
    return bool(abs(gaps[i] - usual) > usual * _EVEN + _ROUNDING_MM)


def _misplaced(slices: Sequence[Slice]) -> Iterator[Finding]:
    """Report single slices whose number does not run with their place; numbers without any order tell nothing."""
    numbers = [one.number for one in slices if one.number is not None]
    if len(numbers) < len(slices):
        return
    out = len(numbers) - max(_longest_rise(numbers), _longest_rise(numbers[::-1]))
    if 0 < out <= max(1, len(numbers) // 10):
        yield Finding(
            "misplaced_slices",
            "warn",
            f"{count(out, 'slice')} {is_are(out)} not where the numbering puts them: "
            "compare with the scanner's own order and export the series again.",
        )


def _longest_rise(numbers: Sequence[float]) -> int:
    """Return the length of the longest rising subsequence."""
    ends: list[float] = []
    for number in numbers:
        place = bisect_left(ends, number)
        ends[place : place + 1] = [number]
    return len(ends)


def _unimaged(stack: Stack, holes: dict[int, int]) -> Iterator[Finding]:
    """Report gaps wider than the slices are thick."""
    middle = (stack.thickness[:-1] + stack.thickness[1:]) / 2
    between = stack.gaps - middle
    wide = [i for i in range(len(between)) if i not in holes and between[i] > 0.1 * middle[i] + _ROUNDING_MM]
    if wide:
        most = max(float(between[i]) for i in wide)
        yield Finding(
            "unimaged_gaps",
            "warn",
            f"Up to {most:.1f} mm between neighboring slices were not imaged, so volumes are less certain: "
            "send a contiguous series if there is one.",
        )
