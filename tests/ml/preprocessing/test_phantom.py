"""The digital head phantom, whose true brain mask is known."""

from __future__ import annotations

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
