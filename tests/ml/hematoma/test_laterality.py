"""On which side of the head a hematoma lies."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import brentq

from ml.hematoma import lateral_extent_mm, side_of
from ml.preprocessing import lateral_middle_mm, preprocess
from ml.simulation import PhantomSpec, Side, Site, simulate_ct
from ml.volumes import MaskError, read_series
from tests.ml.hematoma.bodies import EVEN, MIXED, ellipsoid, geometry_of


@pytest.mark.parametrize("tilt", [20.0, 0.0, -20.0])
@pytest.mark.parametrize("gaps", [EVEN, MIXED])
def test_parts_of_a_balls_volume(tilt: float, gaps: list[float]) -> None:
    """Below the height u of a ball of radius 1 lie (2 + 3u - u^3) / 4 of its volume."""
    geometry = geometry_of(gaps, tilt)
    radius = 20.0
    middle = geometry.voxel_to_lps(geometry.shape[0] // 2, 100, 120)[0] + 0.1
    height = radius * brentq(lambda u: (2 + 3 * u - u**3) / 4 - 0.95, 0, 1)
    found = lateral_extent_mm(ellipsoid(geometry, (radius, radius, radius)), geometry)
    assert found == pytest.approx((middle - height, middle, middle + height), abs=0.5)


def test_thick_slices_count_for_what_they_stand_for() -> None:
    """Of two voxels the one on the slice that stands for more decides where half of the volume is."""
    geometry = geometry_of([1.0] * 5 + [9.0] * 5)
    mask = np.zeros(geometry.shape, dtype=np.uint8)
    mask[2, 100, 60], mask[8, 100, 180] = 1, 1
    thin, thick = (geometry.voxel_to_lps(z, 100, x)[0] for z, x in ((2, 60), (8, 180)))
    assert lateral_extent_mm(mask, geometry) == pytest.approx((thin, thick, thick))
    assert geometry.slice_extents[8] / geometry.slice_extents[2] == pytest.approx(9)


def test_nothing_outlined_is_refused() -> None:
    geometry = geometry_of(EVEN)
    with pytest.raises(MaskError, match="empty"):
        lateral_extent_mm(np.zeros(geometry.shape), geometry)


@pytest.mark.parametrize(
    ("extent", "side"),
    [
        ((5.0, 25.0, 40.0), "left"),
        ((-40.0, -25.0, -5.0), "right"),
        ((-2.0, 25.0, 40.0), None),  # over the middle
        ((1.0, 9.0, 20.0), None),  # near the middle
        ((-8.0, 0.0, 8.0), None),
    ],
)
@pytest.mark.parametrize("middle", [0.0, -31.5])
def test_what_is_clearly_on_one_side(extent: tuple[float, float, float], side: str | None, middle: float) -> None:
    low, half, high = extent
    assert side_of((low + middle, half + middle, high + middle), middle) == side


@pytest.mark.slow
@pytest.mark.parametrize(
    ("site", "sides"),
    [
        (Site.BASAL_GANGLIA, True),
        (Site.LOBAR_TEMPORAL, True),
        (Site.CEREBELLUM, True),
        (Site.BRAINSTEM, False),
    ],
)
@pytest.mark.parametrize("side", list(Side))
def test_the_side_of_a_phantom(tmp_path: Path, site: Site, sides: bool, side: Side) -> None:
    """The middle is that of the brain as preprocessing finds it."""
    spec = PhantomSpec(site=site, side=side, volume_ml=8.0, rows=256, columns=256, gantry_tilt_degrees=15.0)
    truth = simulate_ct(tmp_path, spec=spec, seed=11)
    volume = read_series(tmp_path.iterdir())
    middle = lateral_middle_mm(preprocess(volume).report.affine)
    assert side_of(lateral_extent_mm(truth.hematoma_mask, volume), middle) == (side.value if sides else None)
