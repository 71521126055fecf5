"""Slices lie where the specification says, and the true volume is what planimetry of the true mask finds."""

from itertools import product
from pathlib import Path

import numpy as np
import pytest

from ml.hematoma import volume_ml
from ml.simulation import PhantomSpec, Site, SpacingPattern, simulate_ct
from ml.simulation.head_model import make_head
from ml.volumes import describe_gaps, read_series

pytestmark = pytest.mark.slow

TILTS = (-20.0, 0.0, 20.0)
PATTERNS = tuple(SpacingPattern)
SITES = tuple(Site)


@pytest.mark.parametrize(("tilt", "pattern"), list(product(TILTS, PATTERNS)))
def test_series_is_read_back_as_specified(tmp_path: Path, tilt: float, pattern: SpacingPattern) -> None:
    case = TILTS.index(tilt) * len(PATTERNS) + PATTERNS.index(pattern)
    spec = PhantomSpec(
        site=SITES[case % 7],
        volume_ml=15.0 + 3 * case,
        gantry_tilt_degrees=tilt,
        spacing=pattern,
        descending=bool(case % 2),
        rows=256,
        columns=256,
    )
    truth = simulate_ct(tmp_path, spec=spec, seed=case)
    volume = read_series(tmp_path.iterdir())

    runs = [(count, round(gap, 3)) for count, gap in describe_gaps(volume)]
    if pattern is SpacingPattern.MIXED_4_7MM:
        assert runs[:2] == [(13, 4.0), (1, 1.08)]
        assert len(runs) == 3
        assert runs[2][1] == 7.0
    else:
        assert [gap for _, gap in runs] == [5.0 if pattern is SpacingPattern.UNIFORM_5MM else 2.5]
    np.testing.assert_allclose(volume.gaps, truth.gaps_mm, atol=1e-4)
    assert abs(volume.tilt_degrees) == pytest.approx(abs(tilt), abs=1e-4)
    assert volume.pixel_spacing == pytest.approx((240 / 256, 240 / 256))
    # As scanners write it: with a positive tilt the posterior end of a slice lies nearer the feet.
    assert np.sign(round(volume.column_direction[2], 6)) == -np.sign(tilt)
    # The table moves along the patient's z: the stack of a tilted gantry is sheared.
    np.testing.assert_allclose(volume.positions[:, :2], np.tile(volume.positions[0, :2], (len(volume.positions), 1)))

    assert truth.hematoma_mask.shape == volume.shape
    assert truth.hematoma_ml == pytest.approx(spec.volume_ml, rel=1e-9)
    assert volume_ml(truth.hematoma_mask, volume) == pytest.approx(truth.hematoma_ml, rel=0.01)


@pytest.mark.slow
@pytest.mark.parametrize("pattern", PATTERNS)
def test_volume_holds_for_many_heads(tmp_path: Path, pattern: SpacingPattern) -> None:
    rng = np.random.default_rng(7)
    for seed in range(6):
        site = SITES[seed % len(SITES)]
        spec = PhantomSpec(
            site=site,
            side="left" if seed % 3 else "right",
            volume_ml=16.0 if site.infratentorial else float(rng.uniform(15, 90 if "lobar" in site else 60)),
            gantry_tilt_degrees=TILTS[seed % 3],
            spacing=pattern,
            rows=192,
            columns=192,
        )
        folder = tmp_path / str(seed)
        truth = simulate_ct(folder, spec=spec, seed=100 + seed)
        assert volume_ml(truth.hematoma_mask, read_series(folder.iterdir())) == pytest.approx(spec.volume_ml, rel=0.01)


@pytest.mark.parametrize("lobulated", [False, True])
def test_closed_form_volume_equals_a_count_of_fine_voxels(lobulated: bool) -> None:
    head = make_head(PhantomSpec(volume_ml=20, lobulated=lobulated), np.random.default_rng(2))
    body = head.hematoma
    assert body is not None
    if not lobulated:
        assert body.volume_ml == pytest.approx(4 / 3 * np.pi * np.prod(body.radii) / 1000, rel=1e-12)
    step = 0.4
    axes = [np.arange(c - body.reach_mm, c + body.reach_mm, step, dtype=np.float32) for c in body.center]
    x, y, z = np.meshgrid(*axes, indexing="ij", copy=False)
    counted = np.count_nonzero(body.ratio(x, y, z)[0] < 1) * step**3 / 1000
    assert counted == pytest.approx(20, rel=0.002)


def test_scan_reaches_from_the_neck_to_above_the_vertex(tmp_path: Path) -> None:
    for tilt in TILTS:
        spec = PhantomSpec(rows=96, columns=96, gantry_tilt_degrees=tilt)
        truth = simulate_ct(tmp_path / str(tilt), spec=spec, seed=8)
        volume = read_series((tmp_path / str(tilt)).iterdir())
        brain_slices = np.flatnonzero(truth.brain_mask.any(axis=(1, 2)))
        below = volume.normal @ truth.foramen_magnum - volume.offsets[0] - volume.normal @ volume.positions[0]
        assert below > 15
        assert brain_slices[0] >= 3
        # Nothing but air (with its noise) in the last slice but the head holder at the back of the image.
        assert volume.hu[-1, :48].max() < -900
