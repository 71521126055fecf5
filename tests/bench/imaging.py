"""Imaging beside Orthanc with its DICOMweb plugin: the same scans, the same requests, in turns."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import requests

from tests.bench import imaging_many
from tests.bench.imaging_sides import FILES, FRAMES, Platform, Side, another, both_sides, head_ct, message
from tests.bench.table import Peer, show

INGESTS = 3
STUDIES = 20
VIEWERS = 16
CONNECTIONS = 6
# What OHIF asks for in its list of studies and beside an open one.
STUDY_FIELDS = "includefield=00081030,00080060,00080090,00100030"
STUDY_LIST = f"/studies?limit=101&offset=0&fuzzymatching=false&{STUDY_FIELDS}"
SERIES_FIELDS = "includefield=0008103E,00080021"


def run() -> None:
    with tempfile.TemporaryDirectory() as folder, both_sides() as (platform, ours, theirs):
        slices = head_ct(Path(folder))
        names = [f"C1-{number:04d}" for number in range(1, STUDIES + 1)]
        platform.call("enroll", study_ids=names)
        scans = {name: another(slices, name, number) for number, name in enumerate(names)}
        _ingest(platform, theirs, {name: scans[name] for name in names[:INGESTS]})
        _store(ours, theirs, [message(scans[name]) for name in names[INGESTS:]])
        ours.find_scans()
        theirs.find_scans()
        _read(ours, theirs)
        _view(ours, theirs)
    imaging_many.run()


def compare(name: str, ours: float, theirs: float, most: float, note: str = "") -> None:
    """Print a figure held against Orthanc's."""
    aim = f"target {'met' if ours <= most * theirs else 'MISSED'} (ratio {most:g})"
    show(name, ours, peer=Peer("Orthanc", theirs), note=f"{aim} {note}".rstrip())


def in_turns(ours: Callable[[int], object], theirs: Callable[[int], object], turns: int, warm: int = 2) -> list[float]:
    """Return the median seconds of both, called in turns with the number of the turn."""
    times: tuple[list[float], list[float]] = ([], [])
    for turn in range(-warm, turns):
        for side, work in enumerate((ours, theirs)):
            start = time.perf_counter()
            work(turn)
            if turn >= 0:
                times[side].append(time.perf_counter() - start)
    return [statistics.median(each) for each in times]


def _ingest(platform: Platform, theirs: Side, scans: dict[str, list[bytes]]) -> None:
    """Upload to a worker that waits; Orthanc gets the scans too, so that both list the same number."""
    times = []
    for name, files in scans.items():
        start = time.perf_counter()
        status, receipt = platform.send(name, files, more=False)
        assert status == 201, receipt
        while not platform.is_ready(name):
            time.sleep(0.02)
        times.append(time.perf_counter() - start)
        theirs.stow(message(files))
    show("CT of 28 slices, from upload to ready", statistics.median(times), target=3.0)
    assert platform.worker is not None
    platform.worker.kill()


def _store(ours: Side, theirs: Side, bodies: list[bytes]) -> None:
    warm = 2
    medians = in_turns(
        lambda turn: ours.stow(bodies[turn + warm]),
        lambda turn: theirs.stow(bodies[turn + warm]),
        len(bodies) - warm,
        warm,
    )
    compare("STOW, 28 slices (ours de-identifies)", *medians, most=2.0)


def _read(ours: Side, theirs: Side) -> None:
    for name, path, turns in (
        (f"QIDO, {STUDIES} studies as OHIF lists them", lambda side: STUDY_LIST, 40),
        ("QIDO, studies of one patient", lambda side: "/studies?PatientID=C1-0005", 40),
        ("QIDO, series of a study", lambda side: f"/studies/{side.scans[-1].study}/series?{SERIES_FIELDS}", 40),
        ("QIDO, 28 instances of a series", lambda side: f"{side.scans[-1].path}/instances", 40),
        ("metadata of a series", lambda side: f"{side.scans[-1].path}/metadata", 40),
    ):
        _compare_get(name, path, turns, ours, theirs)
    _compare_get("whole series, 28 slices", lambda side: side.scans[-1].path, 15, ours, theirs, FILES)

    def frame(side: Side, turn: int) -> bytes:
        scan = side.scans[-1]
        return side.get(f"{scan.path}/instances/{scan.instances[turn % len(scan.instances)]}/frames/1", FRAMES)

    medians = in_turns(lambda turn: frame(ours, turn), lambda turn: frame(theirs, turn), 84)
    compare("single frame", *medians, most=1.0)


def _compare_get(
    name: str, path: Callable[[Side], str], turns: int, ours: Side, theirs: Side, accept: str | None = None
) -> None:
    keywords = {} if accept is None else {"accept": accept}
    medians = in_turns(
        lambda turn: ours.get(path(ours), **keywords), lambda turn: theirs.get(path(theirs), **keywords), turns
    )
    compare(name, *medians, most=1.0)


def _view(ours: Side, theirs: Side) -> None:
    """Open a study as OHIF does, each of the viewers another one, all at once; the better of two rounds each."""
    rounds = [_open_all(side) for side in (ours, theirs, ours, theirs)]
    best = [min(rounds[0], rounds[2]), min(rounds[1], rounds[3])]
    (our_seconds, our_late), (their_seconds, their_late) = best
    compare(f"{VIEWERS} viewers at once, a study each", our_seconds, their_seconds, 1.0)
    compare("  95th percentile of a frame", our_late, their_late, 1.0)


def _open_all(side: Side) -> tuple[float, float]:
    """Return the seconds in all, and the 95th percentile of a frame's."""
    start = time.perf_counter()
    with ThreadPoolExecutor(VIEWERS) as viewers:
        found = [
            seconds for each in viewers.map(lambda number: _open(side, number), range(VIEWERS)) for seconds in each
        ]
    return time.perf_counter() - start, statistics.quantiles(found, n=20)[-1]


def _open(side: Side, number: int) -> list[float]:
    scan = side.scans[number]
    sessions = [side.new_session() for _connection in range(CONNECTIONS)]
    side.get(f"/studies?limit=101&offset=0&fuzzymatching=false&{STUDY_FIELDS}&StudyInstanceUID={scan.study}",
             session=sessions[0])  # fmt: skip
    side.get(f"/studies/{scan.study}/series?{SERIES_FIELDS}", session=sessions[0])
    side.get(f"{scan.path}/metadata", session=sessions[0])

    def frames(place: int, session: requests.Session) -> list[float]:
        times = []
        for uid in scan.instances[place::CONNECTIONS]:
            start = time.perf_counter()
            side.get(f"{scan.path}/instances/{uid}/frames/1", FRAMES, session)
            times.append(time.perf_counter() - start)
        return times

    with ThreadPoolExecutor(CONNECTIONS) as connections:
        return [seconds for times in connections.map(frames, range(CONNECTIONS), sessions) for seconds in times]
