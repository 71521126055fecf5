"""From a simulated patient to the description of his head."""

import numpy as np
import pandas as pd
import pytest

from ml.simulation import MAX_VOLUME_ML, PhantomSpec, Side, SimulatedStudy, Site, phantom_of, simulate_study

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def study() -> SimulatedStudy:
    return simulate_study(3000, seed=12)


@pytest.fixture(scope="module")
def specs(study: SimulatedStudy) -> list[PhantomSpec]:
    rows = zip(study.forms.to_dict("records"), study.truth["imaging_severity"], strict=True)
    return [phantom_of(row, severity) for row, severity in rows]


def test_the_head_is_what_the_form_says(study: SimulatedStudy, specs: list[PhantomSpec]) -> None:
    for row, spec in zip(study.forms.itertuples(), specs, strict=True):
        assert (spec.site, spec.volume_ml, spec.ivh) == (row.bleed_site, row.hematoma_volume_ml, row.ivh)
        assert row.bleed_side == "midline" or spec.side == row.bleed_side
    assert {spec.side for spec in specs} == set(Side)


def test_each_sign_rises_with_severity_over_the_whole_range(study: SimulatedStudy, specs: list[PhantomSpec]) -> None:
    order = np.argsort(study.truth["imaging_severity"])
    for name, highest in (("edema", 3.0), ("mass_effect", 1.5), ("liquid", 1.0)):
        values = pd.Series([getattr(specs[place], name) for place in order])
        assert (values.diff().dropna() > 0).all(), "no two patients of different severity look the same"
        assert values.between(0, highest).all()
        thirds = pd.cut(values, [0, highest / 3, 2 * highest / 3, highest]).value_counts(normalize=True)
        assert thirds.min() > 0.2, "the whole range is used"


def test_a_volume_that_the_anatomy_does_not_hold_is_cut() -> None:
    row = {"bleed_site": "brainstem", "bleed_side": "midline", "hematoma_volume_ml": 40.0, "ivh": False}
    assert phantom_of(row, 0.0).volume_ml == MAX_VOLUME_ML[Site.BRAINSTEM]
    assert phantom_of(row | {"hematoma_volume_ml": 0.1}, 0.0).volume_ml == 0.3
