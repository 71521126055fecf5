"""Which images of a series are the slices of one volume; the others are left out, each with its reason."""

import re
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from ml.volumes.geometry import slice_normal
from ml.volumes.headers import MIN_SLICES
from ml.volumes.report.findings import Finding, Level, count, is_are
from ml.volumes.report.slices import Slice

# Half of what `sorted_geometry` lets pass, measured from one slice of the group: no two of a group are too far apart.
_SAME_SPACING_MM = 5e-5
_SAME_DIRECTION = 5e-4
_SAME_PLACE_MM = 0.05
# No table feeds this far.
_FARTHEST_MM = 1e5
# A set that holds this share of all places in the body counts as whole.
_WHOLE = 0.9


class NoVolumeError(Exception):
    """The slices make no volume; the finding says why."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.code)
        self.finding = finding


@dataclass
class Parting:
    """The slices that are kept, what was left out, and what is to be said of it."""

    kept: list[Slice]
    left_out: dict[str, str] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    def leave_out(self, slices: Iterable[Slice], code: str) -> int:
        """Take slices out of those kept; return how many there were."""
        out = list(slices)
        gone = {id(one) for one in out}
        self.kept = [one for one in self.kept if id(one) not in gone]
        staying = {one.uid for one in self.kept}
        self.left_out.update({one.uid: code for one in out if one.uid and one.uid not in staying})
        return len(out)

    def say(self, code: str, level: Level, sentence: str) -> None:
        self.findings.append(Finding(code, level, sentence))


def part(parting: Parting) -> None:
    """Leave out what is no slice of the volume. Raises NoVolumeError where no volume is left."""
    _check_kind(parting)
    _check_identity(parting)
    _check_attributes(parting)
    _keep_majority(parting, "matrix", "matrix size", lambda one: one.matrix, 0.0)
    _keep_majority(parting, "spacing", "pixel size", lambda one: one.spacing, _SAME_SPACING_MM)
    _keep_majority(parting, "orientation", "direction", lambda one: one.directions, _SAME_DIRECTION)
    _leave_out_duplicates(parting)
    _part_acquisitions(parting)
    if len(parting.kept) < MIN_SLICES:
        raise _fail(
            "too_few_slices",
            f"The series has {count(len(parting.kept), 'slice')}, at least {MIN_SLICES} are needed: "
            "send the whole series.",
        )


def _fail(code: str, sentence: str) -> NoVolumeError:
    return NoVolumeError(Finding(code, "fail", sentence))


def _check_kind(parting: Parting) -> None:
    """Leave out what is no single CT slice."""
    if not parting.kept:
        raise _fail("no_slices", "The series holds no image: send the DICOM files of the head CT.")
    foreign = [one for one in parting.kept if one.modality != "CT"]
    modality = foreign[0].modality if foreign else ""
    if parting.leave_out(foreign, "not_ct"):
        # Only a well-formed code is repeated: the field of a damaged file could hold anything.
        found = f"of modality {modality}" if re.fullmatch(r"[A-Z]{2,6}", modality) else "of no stated modality"
        if not parting.kept:
            raise _fail("not_ct", f"The images are {found}, not CT: send the head CT series.")
        parting.say(
            "not_ct", "warn", f"{count(len(foreign), 'image')} of another modality than CT left out: check the export."
        )
    scouts = parting.leave_out([one for one in parting.kept if "LOCALIZER" in one.image_type], "localizer")
    if scouts:
        parting.say("localizer", "info", f"{count(scouts, 'scout view')} left out; nothing needs to be done.")
    several = parting.leave_out([one for one in parting.kept if one.frames not in ("", "1")], "multi_frame")
    if several:
        raise _fail(
            "multi_frame", "The series is an enhanced multi-frame CT: export it again as single-frame CT images."
        )
    if not parting.kept:
        raise _fail("no_slices", "The series holds scout views alone: send the slices of the head CT.")


def _check_identity(parting: Parting) -> None:
    if any(not one.uid or not one.series for one in parting.kept):
        raise _fail("missing_identity", "Images lack their DICOM unique identifiers: export the series again.")
    if len({one.series for one in parting.kept}) > 1:
        raise _fail("mixed_series", "The images belong to different series: send one series alone.")


def _check_attributes(parting: Parting) -> None:
    """Leave out slices whose place or scale is unknown."""
    nowhere = [one for one in parting.kept if not _has_place(one)]
    total = len(parting.kept)
    if not parting.leave_out(nowhere, "missing_geometry"):
        return
    finding = Finding(
        "missing_geometry",
        "fail",
        f"{len(nowhere)} of {count(total, 'slice')} do not say where they lie or how large their pixels are: "
        "export the original CT series again.",
    )
    if not parting.kept:
        raise NoVolumeError(finding)
    parting.findings.append(finding)


def _has_place(one: Slice) -> bool:
    lengths = (len(one.matrix), len(one.spacing), len(one.directions), len(one.position))
    return lengths == (2, 2, 6, 3) and min(one.spacing) > 0 and max(map(abs, one.position)) < _FARTHEST_MM


def _keep_majority(
    parting: Parting, name: str, words: str, value: Callable[[Slice], tuple[float, ...]], tolerance: float
) -> None:
    """Keep the slices that agree in one attribute with more than two thirds of all."""
    groups = _groups(parting.kept, value, tolerance)
    largest = max(groups, key=len)
    others = [one for group in groups if group is not largest for one in group]
    if not others:
        return
    code, total = f"not_one_{name}", len(parting.kept)
    if 3 * len(largest) <= 2 * total:
        raise _fail(
            code,
            f"The slices differ in {words}, and no more than {len(largest)} of {total} agree: "
            "send one reconstruction alone.",
        )
    parting.leave_out(others, f"other_{name}")
    parting.say(
        code,
        "warn",
        f"{len(others)} of {total} slices left out, their {words} is not that of the rest: "
        "check that all slices of the head are there.",
    )


def _groups(
    slices: Sequence[Slice], value: Callable[[Slice], tuple[float, ...]], tolerance: float
) -> list[list[Slice]]:
    """Gather slices whose values lie within a tolerance of the first one of their group."""
    groups: list[tuple[tuple[float, ...], list[Slice]]] = []
    for one in slices:
        mine = value(one)
        for first, group in groups:
            if all(abs(a - b) <= tolerance for a, b in zip(first, mine, strict=True)):
                group.append(one)
                break
        else:
            groups.append((mine, [one]))
    return [group for _, group in groups]


def _leave_out_duplicates(parting: Parting) -> None:
    """Leave out files of a picture that is there already: same place and same pixels."""
    extra = []
    for cluster in _places(parting.kept):
        seen: set[tuple[object, ...]] = set()
        for one in cluster:
            if one.content in seen:
                extra.append(one)
            seen.add(one.content)
    if parting.leave_out(extra, "duplicate"):
        parting.say(
            "duplicate_slices",
            "warn",
            f"{count(len(extra), 'slice')} came twice and {is_are(len(extra))} used once: check the export.",
        )
    uids = [one.uid for one in parting.kept]
    if len(set(uids)) < len(uids):
        raise _fail(
            "repeated_identifiers",
            f"{len(uids) - len(set(uids))} of {len(uids)} slices bear the unique identifier of another slice: "
            "export the original CT series again.",
        )


def _places(slices: Sequence[Slice]) -> list[list[Slice]]:
    """Gather parallel slices that lie in the same plane, from foot to head; within a plane in the slices' own order."""
    row, column = np.array(slices[0].directions[:3]), np.array(slices[0].directions[3:])
    if not 0.9 < float(np.linalg.norm(np.cross(row, column))) < 1.1:
        return [[one] for one in slices]  # no plane at all, which `sorted_geometry` finds out
    offsets = np.array([one.position for one in slices]) @ slice_normal(row, column)
    places: list[list[int]] = []
    for index in np.argsort(offsets, kind="stable").tolist():
        if places and offsets[index] - offsets[places[-1][0]] < _SAME_PLACE_MM:
            places[-1].append(index)
        else:
            places.append([index])
    return [[slices[index] for index in sorted(place)] for place in places]


def _part_acquisitions(parting: Parting) -> None:
    """Where pictures differ in one place, keep the one whole set, if there is one that is clearly the largest."""
    places = _places(parting.kept)
    doubled = sum(len(place) > 1 for place in places)
    if not doubled:
        return
    for sets in _partings(parting.kept, places):
        first, *rest = sorted(sets, key=len, reverse=True)
        if (
            rest
            and len(first) > 2 * len(rest[0])
            and len(_places(first)) == len(first)
            and len(first) >= _WHOLE * len(places)
        ):
            keep = {id(one) for one in first}
            out = parting.leave_out([one for one in parting.kept if id(one) not in keep], "other_acquisition")
            parting.say(
                "repeated_positions",
                "warn",
                f"{count(out, 'slice')} of a second acquisition or reconstruction left out, the complete one with "
                f"{len(first)} slices is used: check that it is the right one.",
            )
            return
    raise _fail(
        "repeated_positions",
        f"In {doubled} of {count(len(places), 'place')} several different slices lie, as in several acquisitions or "
        "reconstructions: send each as a series of its own.",
    )


def _partings(slices: Sequence[Slice], places: Sequence[Sequence[Slice]]) -> Iterator[list[list[Slice]]]:
    """Return the ways in which slices may fall into sets, the surest first."""
    keys: tuple[Callable[[Slice], Hashable], ...] = (
        lambda one: one.kernel,
        lambda one: one.image_type,
        lambda one: one.kvp,
        lambda one: one.thickness,
        lambda one: one.acquisition,
        lambda one: one.time,
    )
    for key in keys:
        sets: dict[Hashable, list[Slice]] = defaultdict(list)
        for one in slices:
            sets[key(one)].append(one)
        yield list(sets.values())
    yield _passes(slices, places)


def _passes(slices: Sequence[Slice], places: Sequence[Sequence[Slice]]) -> list[list[Slice]]:
    """Part slices, in the order of their numbers, wherever the scanner comes to a place a second time."""
    place_of = {id(one): index for index, place in enumerate(places) for one in place}
    passes: list[list[Slice]] = [[]]
    seen: set[int] = set()
    for one in slices:
        if place_of[id(one)] in seen:
            passes.append([])
            seen = set()
        seen.add(place_of[id(one)])
        passes[-1].append(one)
    return passes
