"""The digital head phantom, whose true brain mask is known."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from ml.preprocessing import preprocess
from ml.simulation import PhantomSpec, Site, SpacingPattern, simulate_ct
from ml.volumes import read_series

SITES = (Site.BASAL_GANGLIA, Site.CEREBELLUM, Site.LOBAR_TEMPORAL)


@pytest.mark.slow
@pytest.mark.parametrize("tilt", [-18.5, 0.0, 18.5])
@pytest.mark.parametrize("pattern", list(SpacingPattern))
def test_brain_mask_equals_the_truth(tmp_path, pattern, tilt):
    number = list(SpacingPattern).index(pattern)
    spec = PhantomSpec(
        site=SITES[number],
        volume_ml=45.0,
        ivh=True,
        calcification=True,
        rows=256,
        columns=256,
        gantry_tilt_degrees=tilt,
        spacing=pattern,
    )
    truth = simulate_ct(tmp_path, spec=spec, seed=100 + number)
    result = preprocess(read_series(tmp_path.iterdir()))
    found, brain = result.brain_mask, truth.brain_mask > 0
    assert 2 * np.count_nonzero(found & brain) / (np.count_nonzero(found) + np.count_nonzero(brain)) >= 0.95
    blood = brain & ((truth.hematoma_mask > 0) | (truth.ivh_mask > 0))
    assert np.count_nonzero(found & blood) >= 0.98 * np.count_nonzero(blood)
    assert abs(result.report.foramen_magnum_lps[2] - truth.foramen_magnum[2]) <= 7.0  # the widest gap


BLEEDS = {
    "deep, into the ventricles": {"site": Site.THALAMUS, "volume_ml": 40.0, "ivh": True},
    "large, at the skull": {"site": Site.LOBAR_PARIETAL, "volume_ml": 100.0, "mass_effect": 1.5},
    "below the tentorium": {"site": Site.CEREBELLUM, "volume_ml": 40.0, "calcification": True},
    "brainstem, noisy": {"site": Site.BRAINSTEM, "volume_ml": 10.0, "noise_hu": 10.0},
}


@pytest.mark.slow
@pytest.mark.parametrize("tilt", [-25.0, -10.0, 0.0, 10.0, 25.0])
@pytest.mark.parametrize("name", BLEEDS)
def test_brain_mask_over_bleeds_and_tilts(tmp_path, name, tilt):
    """Slices of 2.5 mm: in thicker ones the edge of the brain is lost in voxels that are half bone."""
    spec = PhantomSpec(
        **BLEEDS[name], rows=320, columns=320, gantry_tilt_degrees=tilt, spacing=SpacingPattern.UNIFORM_2_5MM
    )
    truth = simulate_ct(tmp_path, spec=spec, seed=round(tilt) + 50)
    volume = read_series(tmp_path.iterdir())
    found, brain = preprocess(volume).brain_mask, truth.brain_mask > 0
    assert dice(found, brain) >= 0.97
    blood = brain & ((truth.hematoma_mask > 0) | (truth.ivh_mask > 0))
    assert np.count_nonzero(found & blood) >= 0.99 * np.count_nonzero(blood)


@pytest.mark.slow
@pytest.mark.parametrize(("every", "tilt"), [(1, -25.0), (1, 25.0), (2, 0.0), (2, 15.0), (4, 0.0)])
def test_brain_mask_of_thick_slices_lacks_only_voxels_with_bone(tmp_path, every, tilt):
    """Every voxel of brain that is not for a sixth part bone (200 HU), in slices of 2.5, 5 and 10 mm."""
    spec = PhantomSpec(rows=320, columns=320, gantry_tilt_degrees=tilt, spacing=SpacingPattern.UNIFORM_2_5MM)
    truth = simulate_ct(tmp_path, spec=spec, seed=7)
    volume = read_series(tmp_path.iterdir())
    volume = dataclasses.replace(
        volume,
        hu=volume.hu[::every],
        positions=volume.positions[::every],
        sop_instance_uids=volume.sop_instance_uids[::every],
    )
    soft = (truth.brain_mask[::every] > 0) & (volume.hu < 200)
    assert dice(preprocess(volume).brain_mask, soft) >= 0.98


def dice(a, b):
    return 2 * np.count_nonzero(a & b) / (np.count_nonzero(a) + np.count_nonzero(b))
