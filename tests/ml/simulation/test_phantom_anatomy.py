"""What is in the picture: attenuation, ventricular blood, edema, displacement, foramen magnum."""

from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import binary_dilation, binary_erosion
from scipy.stats import norm

from ml.errors import MLError
from ml.hematoma import volume_ml
from ml.simulation import MAX_VOLUME_ML, PhantomSpec, PhantomTruth, Side, Site, simulate_ct
from ml.simulation.head_model import make_head
from ml.volumes import Volume, read_series

pytestmark = pytest.mark.slow

BASE = {"rows": 160, "columns": 160, "volume_ml": 30.0}


def simulate(folder: Path, seed: int = 11, **changes: object) -> tuple[Volume, PhantomTruth]:
    truth = simulate_ct(folder, spec=PhantomSpec(**{**BASE, **changes}), seed=seed)
    return read_series(folder.iterdir()), truth


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> tuple[Volume, PhantomTruth]:
    return simulate(tmp_path_factory.mktemp("plain"))


@pytest.fixture(scope="module")
def bloody(tmp_path_factory: pytest.TempPathFactory) -> tuple[Volume, PhantomTruth]:
    return simulate(tmp_path_factory.mktemp("bloody"), ivh=True)


def test_attenuation_of_the_tissues(plain: tuple[Volume, PhantomTruth]) -> None:
    volume, truth = plain
    clot = volume.hu[truth.hematoma_mask == 1]
    assert 55 < np.median(clot) < 75
    brain = volume.hu[(truth.brain_mask == 1) & (truth.hematoma_mask == 0)]
    assert 27 < np.median(brain) < 38
    assert 0.02 < np.mean(brain < 16) < 0.25  # fluid
    assert 1150 < truth.brain_mask.sum() * np.prod(volume.pixel_spacing) * 5 / 1000 < 1750  # intracranial volume, mL
    assert np.mean(volume.hu > 600) > 0.02
    air = volume.hu[:, :12, :12]
    assert air.mean() == pytest.approx(-1000, abs=1)
    assert air.std() == pytest.approx(3.5, rel=0.05)


def test_hematoma_lies_in_the_brain_on_its_side(tmp_path: Path) -> None:
    for side, sign in ((Side.LEFT, 1), (Side.RIGHT, -1)):
        volume, truth = simulate(tmp_path / side, side=side)
        assert not np.any((truth.hematoma_mask == 1) & (truth.brain_mask == 0))
        columns = np.argwhere(truth.hematoma_mask)[:, 2]
        x = volume.positions[0, 0] + columns.mean() * volume.pixel_spacing[1]
        assert sign * (x - truth.foramen_magnum[0]) > 10


@pytest.mark.parametrize("seed", range(3))
def test_the_picture_shows_blood_exactly_where_the_mask_says(tmp_path: Path, seed: int) -> None:
    volume, truth = simulate(tmp_path, seed=seed, volume_ml=12.0, edema=0.0, noise_hu=0.0, spacing="mixed_4_7mm")
    mask = truth.hematoma_mask == 1
    assert volume.hu[binary_erosion(mask, np.ones((3, 3, 3)))].min() > 50
    shell = binary_dilation(mask, np.ones((3, 15, 15))) & ~binary_dilation(mask, np.ones((3, 7, 7)))
    assert np.mean(volume.hu[shell] > 50) < 0.001


def test_ventricular_blood_replaces_fluid_and_nothing_else(
    plain: tuple[Volume, PhantomTruth], bloody: tuple[Volume, PhantomTruth]
) -> None:
    (before, _), (after, truth) = plain, bloody
    blood = truth.ivh_mask == 1
    np.testing.assert_array_equal(before.hu[~blood], after.hu[~blood])
    assert not np.any(blood & (truth.hematoma_mask == 1))
    assert np.percentile(before.hu[blood], 50) < 15
    assert np.mean(before.hu[blood] < 30) > 0.9
    assert 50 < np.median(after.hu[blood]) < 66
    assert truth.ivh_ml > 1
    assert volume_ml(truth.ivh_mask, after) == pytest.approx(truth.ivh_ml, rel=0.08)


def test_without_ivh_there_is_none(plain: tuple[Volume, PhantomTruth]) -> None:
    assert plain[1].ivh_ml == 0
    assert not plain[1].ivh_mask.any()


def test_edema_darkens_the_rim(plain: tuple[Volume, PhantomTruth], tmp_path: Path) -> None:
    dry, _ = simulate(tmp_path, edema=0.0)
    volume, truth = plain
    changed = np.abs(volume.hu - dry.hu) > 2
    assert not np.any(changed & (truth.brain_mask == 0))
    assert np.median(volume.hu[changed]) < np.median(dry.hu[changed]) - 5


def test_no_hemorrhage(tmp_path: Path) -> None:
    volume, truth = simulate(tmp_path, volume_ml=0.0)
    assert (truth.hematoma_ml, truth.midline_shift_mm) == (0, 0)
    assert not truth.hematoma_mask.any()
    inner = binary_erosion(truth.brain_mask, np.ones((5, 5, 5)))
    assert np.percentile(volume.hu[inner], 99) < 60


@pytest.mark.parametrize("site", [Site.BASAL_GANGLIA, Site.THALAMUS, Site.LOBAR_PARIETAL, Site.LOBAR_FRONTAL])
def test_midline_shifts_away_from_the_bleed_and_with_its_size(site: Site) -> None:
    for side, sign in ((Side.LEFT, -1), (Side.RIGHT, 1)):
        shifts = [
            make_head(PhantomSpec(site=site, side=side, volume_ml=v), np.random.default_rng(4)).midline_shift_mm * sign
            for v in (5, 25, 60)
        ]
        assert 0 < shifts[0] < shifts[1] < shifts[2] < 15


def test_ventricles_are_drawn_where_the_shift_puts_them(tmp_path: Path) -> None:
    _, still = simulate(tmp_path / "still", ivh=True, mass_effect=0.0, volume_ml=40.0)
    volume, pushed = simulate(tmp_path / "pushed", ivh=True, mass_effect=1.0, volume_ml=40.0)
    assert still.midline_shift_mm == 0
    upper = slice(np.flatnonzero(pushed.hematoma_mask.any(axis=(1, 2)))[0], None)

    def mean_x(truth: PhantomTruth) -> float:
        return float(np.argwhere(truth.ivh_mask[upper])[:, 2].mean() * volume.pixel_spacing[1])

    assert mean_x(pushed) < mean_x(still) - 1  # the bleed is on the left, which has the larger column numbers


@pytest.mark.parametrize("site", [Site.CEREBELLUM, Site.BRAINSTEM])
def test_infratentorial_bleeds_leave_the_septum_alone(site: Site) -> None:
    head = make_head(PhantomSpec(site=site, volume_ml=12), np.random.default_rng(1))
    assert abs(head.midline_shift_mm) < 0.7


def test_calcification_is_bright_and_small(plain: tuple[Volume, PhantomTruth], tmp_path: Path) -> None:
    volume, _ = simulate(tmp_path, calcification=True)
    changed = volume.hu - plain[0].hu > 50
    assert 0 < changed.sum() * np.prod(volume.pixel_spacing) * 5 / 1000 < 1


def test_foramen_magnum_is_an_opening_in_bone(plain: tuple[Volume, PhantomTruth]) -> None:
    volume, truth = plain
    index = int(np.argmin(np.abs(volume.positions @ volume.normal - truth.foramen_magnum @ volume.normal)))
    relative = truth.foramen_magnum - volume.positions[index]
    row = int(relative @ volume.column_direction / volume.pixel_spacing[0])
    column = int(relative @ volume.row_direction / volume.pixel_spacing[1])
    assert 0 < volume.hu[index, row - 2 : row + 3, column - 2 : column + 3].mean() < 60
    reach = int(34 / volume.pixel_spacing[1])
    assert volume.hu[index, row, column : column + reach].max() > 600
    assert volume.hu[index, row, column - reach : column].max() > 600
    assert not truth.brain_mask[: max(0, index - 3)].any()


@pytest.mark.parametrize("site", list(Site))
def test_the_largest_volume_fits_at_each_site(site: Site) -> None:
    for seed in range(6):
        head = make_head(PhantomSpec(site=site, volume_ml=MAX_VOLUME_ML[site]), np.random.default_rng(seed))
        assert head.hematoma is not None
        assert head.depth(head.hematoma.surface()).min() > 1.9


def test_any_site_and_size_can_be_drawn(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for case in range(16):
        site = list(Site)[case % 8]
        _, truth = simulate(
            tmp_path / str(case),
            seed=case,
            site=site,
            side=list(Side)[case % 2],
            volume_ml=0.3 if case == 8 else float(rng.uniform(0.5, MAX_VOLUME_ML[site])),
            ivh=bool(case % 3),
            rows=64,
            columns=72,
            gantry_tilt_degrees=float(rng.uniform(-25, 25)),
            mass_effect=1.5,
        )
        assert not np.any((truth.hematoma_mask == 1) & (truth.brain_mask == 0))
        assert truth.hematoma_mask.any()


@pytest.mark.parametrize(
    "wrong",
    [
        {"site": "spleen"},
        {"side": "up"},
        {"spacing": "uniform"},
        {"volume_ml": -1.0},
        {"volume_ml": float("nan")},
        {"volume_ml": 500.0},
        {"site": "brainstem", "volume_ml": 30.0},
        {"rows": 8},
        {"gantry_tilt_degrees": 45.0},
        {"noise_hu": -1.0},
        {"pixel_spacing_mm": 0.0},
    ],
)
def test_impossible_phantom_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(MLError) as refused:
        PhantomSpec(**wrong)
    assert refused.value.code == "bad_phantom"


def test_values_may_be_given_as_plain_text() -> None:
    assert PhantomSpec(site="thalamus", side="right").site is Site.THALAMUS


def test_liquid_blood_darkens_patches_of_the_clot_and_moves_nothing(
    plain: tuple[Volume, PhantomTruth], tmp_path: Path
) -> None:
    volume, truth = plain
    inside = binary_erosion(truth.hematoma_mask, iterations=2).astype(bool)
    means, spreads = [volume.hu[inside].mean()], [volume.hu[inside].std()]
    for liquid in (0.5, 1.0):
        other, known = simulate(tmp_path / f"{liquid}", liquid=liquid)
        assert np.array_equal(known.hematoma_mask, truth.hematoma_mask)
        assert known.hematoma_ml == truth.hematoma_ml
        # The noise is the same too: nothing differs outside but for the blur of the edge.
        far = ~binary_dilation(truth.hematoma_mask, iterations=3)
        assert np.array_equal(other.hu[far], volume.hu[far])
        means.append(other.hu[inside].mean())
        spreads.append(other.hu[inside].std())
    # About half of the body is 24 HU darker: 12 HU on the mean. The patches follow the clot's texture t, normal, which
    # itself is worth 1.8 HU: var(1.8 t - 24 clip(2 t + 1/2)) by numbers, with the noise beside it.
    t = norm.ppf((np.arange(100_000) + 0.5) / 100_000)
    noise = spreads[0] ** 2 - 1.8**2
    expected = np.sqrt(np.var(1.8 * t - 24 * np.clip(2 * t + 0.5, 0, 1)) + noise)
    assert means[0] - means[2] == pytest.approx(12, abs=3)
    assert means[0] - means[1] == pytest.approx(6, abs=2)
    assert spreads[2] == pytest.approx(expected, rel=0.1)
