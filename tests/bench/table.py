"""One line a benchmark: figure, target, and the ratio to a peer that did the same work in the same run."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Peer:
    """Another program's time for the same work."""

    name: str
    seconds: float


def median_seconds(work: Callable[[], object], repeats: int, warm: int = 2) -> float:
    """Return the median time of `repeats` runs after `warm` runs that do not count."""
    for _ in range(warm):
        work()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def show(name: str, seconds: float, *, target: float | None = None, peer: Peer | None = None, note: str = "") -> None:
    """Print one benchmark."""
    figure = f"{1000 * seconds:9.1f} ms" if seconds < 10 else f"{seconds:9.1f} s "
    aim = "" if target is None else f"target {'met   ' if seconds <= target else 'MISSED'} ({target:g} s)"
    ratio = "" if peer is None else f"ratio {seconds / peer.seconds:5.2f} to {peer.name} ({1000 * peer.seconds:.1f} ms)"
    print(f"{name:<52}{figure}  {aim:<24} {ratio} {note}".rstrip(), flush=True)
