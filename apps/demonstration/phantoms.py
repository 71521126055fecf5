"""The demonstration's head CTs, drawn in processes of their own while the patients before them are entered."""

import signal
import tempfile
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from ml.simulation import PhantomSpec, SpacingPattern, phantom_of, simulate_ct
from ml.volumes import read_geometry, write_mask

MATRIX = 256
# One scanner a center: its tilt and the distances between its slices.
SCANNERS: dict[str, tuple[float, SpacingPattern]] = {
    "C1": (0.0, SpacingPattern.UNIFORM_5MM),
    "C2": (18.0, SpacingPattern.MIXED_4_7MM),
    "C3": (-15.0, SpacingPattern.UNIFORM_5MM),
    "C4": (10.0, SpacingPattern.UNIFORM_5MM),
    "C5": (20.0, SpacingPattern.MIXED_4_7MM),
}
# To draw a CT takes about twice as long as to preprocess it, and to enter it hardly any time.
DRAWERS = 2
# Enough that the drawing never waits, few enough that the memory holds them.
DRAWN_AHEAD = 2 * DRAWERS


@dataclass(frozen=True)
class Phantom:
    """A simulated CT as a hospital sends it: DICOM files, and the hematoma's mask as NIfTI."""

    files: list[bytes]
    mask: bytes


def draw_phantoms(rows: Sequence[dict[str, Any]], seeds: Sequence[int]) -> Iterator[Phantom]:
    """Yield the phantom of each row, in order; a row and its seed always give the same bytes."""
    waiting: deque[Future[Phantom]] = deque()
    # Not forked: this process has database connections and threads. Ctrl-C is this process's to handle.
    pool = ProcessPoolExecutor(
        DRAWERS, mp_context=get_context("spawn"), initializer=signal.signal, initargs=(signal.SIGINT, signal.SIG_IGN)
    )
    try:
        for row, seed in zip(rows, seeds, strict=True):
            waiting.append(pool.submit(draw_phantom, row, seed))
            if len(waiting) > DRAWN_AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def draw_phantom(row: dict[str, Any], seed: int) -> Phantom:
    """Draw the head that a simulated form describes."""
    with tempfile.TemporaryDirectory(prefix="ichor-phantom-") as name:
        folder = Path(name)
        truth = simulate_ct(folder, spec=scanned(row), seed=seed, patient_tags=_identity(row, seed))
        files = sorted(folder.iterdir())
        mask = folder / "mask.nii.gz"
        write_mask(mask, truth.hematoma_mask, read_geometry(files))
        return Phantom([file.read_bytes() for file in files], mask.read_bytes())


def _identity(row: dict[str, Any], seed: int) -> dict[str, str]:
    """Return what the header says of a simulated person, in agreement with his form."""
    return {
        "PatientID": f"SIMULATED-{seed}",
        "PatientBirthDate": "",
        "PatientAge": f"{int(row['age']):03d}Y",
        "PatientSex": "M" if row["sex"] == "male" else "F",
        "StudyDate": row["study_date"],
    }


def scanned(row: dict[str, Any]) -> PhantomSpec:
    """Return a simulated patient's head, as his center's scanner takes it."""
    tilt, spacing = SCANNERS[row["center"]]
    head = phantom_of(row, row["imaging_severity"])
    return replace(head, rows=MATRIX, columns=MATRIX, gantry_tilt_degrees=tilt, spacing=spacing)
