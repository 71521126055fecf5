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
    assert 2 * np.count_nonzero(found & brain) / (np.count_nonzero(found) + np.count_nonzero(brain)) >= 0.98
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
def test_brain_mask_of_slices_with_gaps_between(tmp_path, every, tilt):
    """Thin slices 2.5, 5 and 10 mm apart."""
    volume, brain = thin_slices(tmp_path, tilt)
    volume = dataclasses.replace(
        volume,
        hu=volume.hu[::every],
        positions=volume.positions[::every],
        sop_instance_uids=volume.sop_instance_uids[::every],
    )
    assert dice(preprocess(volume).brain_mask, brain[::every]) >= 0.97


@pytest.mark.slow
@pytest.mark.parametrize(("thin", "tilt", "least"), [(2, 0.0, 0.97), (2, -15.0, 0.97), (4, 0.0, 0.95), (4, 15.0, 0.95)])
def test_brain_mask_of_thick_slices(tmp_path, thin, tilt, least):
    """Slices of 5 and 10 mm, each the mean of thin ones: a voxel is brain where half of it is."""
    volume, brain = thin_slices(tmp_path, tilt)
    count = len(volume.hu) // thin
    volume = dataclasses.replace(
        volume,
        hu=volume.hu[: count * thin].reshape(count, thin, *volume.shape[1:]).mean(axis=1),
        positions=volume.positions[: count * thin].reshape(count, thin, 3).mean(axis=1),
        sop_instance_uids=volume.sop_instance_uids[:count],
    )
    half = brain[: count * thin].reshape(count, thin, *brain.shape[1:]).mean(axis=1) >= 0.5
    assert dice(preprocess(volume).brain_mask, half) >= least


def thin_slices(folder, tilt):
    spec = PhantomSpec(rows=320, columns=320, gantry_tilt_degrees=tilt, spacing=SpacingPattern.UNIFORM_2_5MM)
    truth = simulate_ct(folder, spec=spec, seed=7)
    return read_series(folder.iterdir()), truth.brain_mask > 0


def dice(a, b):
    return 2 * np.count_nonzero(a & b) / (np.count_nonzero(a) + np.count_nonzero(b))
