"""A scan that ends before the brain does is told from a whole one, and by how much."""

from __future__ import annotations

import dataclasses
import re
import time
from pathlib import Path

import numpy as np
import pytest

from ml.preprocessing import preprocess
from ml.preprocessing.coverage import coverage_findings
from ml.preprocessing.report import Finding
from ml.simulation import PhantomSpec, simulate_ct
from ml.volumes import Volume, read_series

pytestmark = pytest.mark.slow


def cut(volume: Volume, kept: slice) -> Volume:
    return dataclasses.replace(
        volume, hu=volume.hu[kept], positions=volume.positions[kept], sop_instance_uids=volume.sop_instance_uids[kept]
    )


def findings_of(volume: Volume) -> tuple[Finding, ...]:
    return coverage_findings(volume, preprocess(volume))


def told_mm(sentence: str) -> float:
    found = re.search(r"about (\d+) mm", sentence)
    assert found, sentence
    return float(found[1])


@pytest.fixture(scope="module")
def phantom(tmp_path_factory: pytest.TempPathFactory) -> tuple[Volume, float, float]:
    """A whole head in slices of 5 mm, with the heights of its foramen magnum and of the top of its brain."""
    folder = tmp_path_factory.mktemp("ct")
    truth = simulate_ct(folder, spec=PhantomSpec(rows=192, columns=192), seed=4)
    volume = read_series(folder.iterdir())
    top = volume.offsets[np.flatnonzero(truth.brain_mask.any(axis=(1, 2)))[-1]]
    return volume, truth.foramen_magnum[2], float(top)


def test_a_whole_head_lacks_nothing(phantom: tuple[Volume, float, float]) -> None:
    assert findings_of(phantom[0]) == ()


def test_a_foramen_that_was_not_found_on_a_whole_head_is_to_be_checked(phantom: tuple[Volume, float, float]) -> None:
    prepared = preprocess(phantom[0])
    blind = dataclasses.replace(prepared, report=dataclasses.replace(prepared.report, base_covered=False))
    assert [finding.code for finding in coverage_findings(phantom[0], blind)] == ["base_unsure"]


@pytest.mark.parametrize("lower_mm", [5.0, 15.0])
def test_a_head_cut_at_the_top(phantom: tuple[Volume, float, float], lower_mm: float) -> None:
    volume, _, top = phantom
    part = cut(volume, slice(None, int(np.searchsorted(volume.offsets, top - lower_mm + 0.1))))
    (finding,) = findings_of(part)
    assert (finding.code, finding.level) == ("vertex_missing", "warn")
    assert abs(told_mm(finding.sentence) - lower_mm) <= 10


@pytest.mark.parametrize("higher_mm", [5.0, 20.0])
def test_a_head_cut_at_the_bottom(phantom: tuple[Volume, float, float], higher_mm: float) -> None:
    volume, foramen, _ = phantom
    part = cut(volume, slice(int(np.searchsorted(volume.offsets, foramen + higher_mm)), None))
    (finding,) = findings_of(part)
    assert (finding.code, finding.level) == ("base_missing", "warn")
    assert abs(told_mm(finding.sentence) - (part.offsets[0] - foramen)) <= 10


def test_half_a_head_tells_no_exact_height(phantom: tuple[Volume, float, float]) -> None:
    volume, foramen, _ = phantom
    part = cut(volume, slice(int(np.searchsorted(volume.offsets, foramen + 45)), None))
    (finding,) = findings_of(part)
    assert "more than 30 mm above" in finding.sentence


def test_the_real_head_is_whole_and_its_parts_are_not(shared_data: Path) -> None:
    volume = read_series((shared_data / "head-ct-tilted" / "dicom").iterdir())
    prepared = preprocess(volume)
    assert coverage_findings(volume, prepared) == ()
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        coverage_findings(volume, prepared)
        seconds.append(time.perf_counter() - start)
    assert min(seconds) < 0.020
    # The foramen magnum lies between slices 2 and 4; brain is still seen in slice 26 of 0 to 27.
    assert [finding.code for finding in findings_of(cut(volume, slice(6, None)))] == ["base_missing"]
    assert [finding.code for finding in findings_of(cut(volume, slice(None, -2)))] == ["vertex_missing"]
