"""Suggested outlines against the truth of phantoms: geometric heads, simulated ones, and a real head with none.

All bleeds here are made by a program. What is reached on them says nothing about real ones.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial.transform import Rotation

from ml.hematoma import Label, compare, suggest, volume_ml
from ml.preprocessing import PreprocessingError
from ml.simulation import PhantomSpec, Side, Site, SpacingPattern, simulate_ct
from ml.volumes import Volume, read_series
from tests.ml.preprocessing.heads import BRAIN_RADII_MM, Ball, Points, Scan, head, scan_of

DEEP = Ball((-30.0, 10.0, 12.0), 16.0, 62.0)
MIXED = (4.0,) * 20 + (1.08,) + (7.0,) * 17
ANY_HEAD = Scan()


def ball_in(volume: Volume, scan: Scan, *balls: Ball) -> NDArray[np.bool_]:
    z, y, x = np.ogrid[: volume.shape[0], : volume.shape[1], : volume.shape[2]]
    points = scan.pose.inv().apply((volume.voxel_to_lps(z, y, x) - scan.shift).reshape(-1, 3))
    inside = [np.linalg.norm(points - np.array(ball.center), axis=1) < ball.radius for ball in balls]
    return np.any(inside, axis=0).reshape(volume.shape)


@pytest.mark.parametrize(
    "scan",
    [
        Scan(),
        Scan(tilt=20.0, gaps=MIXED),
        Scan(tilt=-18.0, gaps=(2.5,) * 80, noise=8.0),
        Scan(gaps=MIXED, pose=Rotation.from_euler("xyz", (8, -6, 25), degrees=True), shift=(12.0, -9.0, 4.0)),
    ],
    ids=["even", "tilted, mixed", "thin, noisy", "turned"],
)
def test_a_ball_in_a_geometric_head(scan: Scan) -> None:
    volume = scan_of(head(DEEP), scan)
    found = suggest(volume)
    assert found.mask.dtype == np.uint8 and found.mask.shape == volume.shape
    assert set(np.unique(found.mask)) == {0, Label.PARENCHYMAL}
    assert compare(found.mask, ball_in(volume, scan, DEEP), volume).dice >= 0.9
    assert found.volume_ml == pytest.approx(DEEP.ml, rel=0.1)
    assert found.volume_ml == volume_ml(found.mask, volume)
    assert found.parts == ndimage.label(found.mask)[1] == 1
    assert found.brain_hu == pytest.approx(32, abs=1)
    assert found.threshold_hu is not None and found.brain_hu < found.threshold_hu < DEEP.hu


@pytest.mark.parametrize("shift", [-6.0, 8.0])
def test_the_patients_own_brain_is_the_reference(shift: float) -> None:
    """All densities higher or lower, as another tube or an anemic patient's: the same outline."""
    volume = scan_of(head(DEEP), ANY_HEAD)
    other = dataclasses.replace(volume, hu=volume.hu + np.float32(shift))
    assert compare(suggest(volume).mask, suggest(other).mask, volume).dice >= 0.98


def test_parts_are_counted_and_holes_filled() -> None:
    other = Ball((25.0, -20.0, 0.0), 10.0, 66.0)
    volume = scan_of(head(DEEP, Ball(DEEP.center, 6.0, 34.0), other), ANY_HEAD)
    found = suggest(volume)
    assert found.parts == 2
    assert compare(found.mask, ball_in(volume, ANY_HEAD, DEEP, other), volume).dice >= 0.9


HARMLESS: dict[str, tuple[Ball, ...]] = {
    "nothing": (),
    "gray matter": (Ball((-28.0, 0.0, 5.0), 14.0, 39.0),),
    "old infarct": (Ball((-28.0, 0.0, 5.0), 18.0, 12.0),),
    "pineal gland": (Ball((0.0, 20.0, 5.0), 3.5, 250.0),),
    "calcified plexus": (Ball((20.0, 35.0, 8.0), 5.0, 160.0), Ball((-20.0, 35.0, 8.0), 5.0, 160.0)),
    "vein": (Ball((0.0, 35.0, 10.0), 4.0, 65.0),),
    "sinus": (Ball((45.0, 54.0, -5.0), 6.0, 65.0),),
}


@pytest.mark.parametrize("name", HARMLESS)
def test_what_is_no_bleed(name: str) -> None:
    found = suggest(scan_of(head(*HARMLESS[name]), ANY_HEAD))
    assert not found.mask.any()
    assert (found.threshold_hu, found.parts, found.volume_ml) == (None, 0, 0)


@pytest.mark.parametrize("gaps", [ANY_HEAD.gaps, MIXED], ids=["even", "mixed"])
def test_dura_is_no_bleed(gaps: tuple[float, ...]) -> None:
    """A falx and a sloping tentorium 2 mm thick, as dense as blood."""

    def hu_at(points: Points) -> NDArray[np.floating]:
        hu = head()(points)
        brain = np.einsum("ij,ij->i", points / BRAIN_RADII_MM, points / BRAIN_RADII_MM) < 1
        tentorium = np.abs(points[:, 2] + 15 + 0.5 * np.abs(points[:, 0])) < np.hypot(1, 0.5)
        falx = (np.abs(points[:, 0]) < 1) & (points[:, 2] > -15)
        hu[brain & (falx | tentorium & (points[:, 1] > 15))] = 60
        return hu

    assert not suggest(scan_of(hu_at, Scan(pixels=256, pixel_mm=0.95, gaps=gaps))).mask.any()


def test_what_is_no_head_is_refused() -> None:
    volume = scan_of(head(), ANY_HEAD)
    with pytest.raises(PreprocessingError) as caught:
        suggest(dataclasses.replace(volume, hu=np.full_like(volume.hu, -1000)))
    assert caught.value.code == "not_a_head"


PHANTOMS = {
    "basal ganglia": PhantomSpec(volume_ml=30.0, calcification=True),
    "frontal, small": PhantomSpec(
        site=Site.LOBAR_FRONTAL, side=Side.RIGHT, volume_ml=6.0, noise_hu=6.0, gantry_tilt_degrees=18.5,
        spacing=SpacingPattern.MIXED_4_7MM,
    ),
    "parietal, large": PhantomSpec(
        site=Site.LOBAR_PARIETAL, volume_ml=80.0, mass_effect=1.5, edema=2.0, gantry_tilt_degrees=-15.0
    ),
    "cerebellum": PhantomSpec(
        site=Site.CEREBELLUM, side=Side.RIGHT, volume_ml=15.0, noise_hu=8.0, spacing=SpacingPattern.UNIFORM_2_5MM
    ),
    "temporal, half liquid": PhantomSpec(site=Site.LOBAR_TEMPORAL, volume_ml=25.0, liquid=0.6, edema=0.3),
    "brainstem": PhantomSpec(
        site=Site.BRAINSTEM, volume_ml=8.0, gantry_tilt_degrees=10.0, spacing=SpacingPattern.MIXED_4_7MM
    ),
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Simulated:
    volume: Volume
    hematoma: NDArray[np.bool_]
    ventricular: NDArray[np.bool_]


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[PhantomSpec, int], Simulated]]:
    def simulate(spec: PhantomSpec, seed: int) -> Simulated:
        folder = tmp_path_factory.mktemp("phantom")
        truth = simulate_ct(folder, spec=dataclasses.replace(spec, rows=256, columns=256), seed=seed)
        return Simulated(read_series(folder.iterdir()), truth.hematoma_mask > 0, truth.ivh_mask > 0)

    yield simulate


@pytest.mark.slow
def test_outlines_of_phantoms(simulated: Callable[[PhantomSpec, int], Simulated]) -> None:
    dice = {}
    for seed, (name, spec) in enumerate(PHANTOMS.items()):
        phantom = simulated(spec, 300 + seed)
        dice[name] = compare(suggest(phantom.volume).mask, phantom.hematoma, phantom.volume).dice
    assert min(dice.values()) >= 0.85, dice
    assert np.mean(list(dice.values())) >= 0.92, dice


@pytest.mark.slow
def test_blood_in_the_ventricles_is_outlined_as_parenchymal(simulated: Callable[[PhantomSpec, int], Simulated]) -> None:
    phantom = simulated(PhantomSpec(site=Site.THALAMUS, volume_ml=15.0, ivh=True, edema=0.0), 310)
    found, blood = suggest(phantom.volume), phantom.hematoma | phantom.ventricular
    assert compare(found.mask, blood, phantom.volume).dice >= 0.8
    assert np.mean(found.mask[phantom.hematoma] == Label.PARENCHYMAL) >= 0.9
    assert set(np.unique(found.mask)) == {0, Label.PARENCHYMAL}


@pytest.mark.slow
@pytest.mark.parametrize("pattern", [SpacingPattern.UNIFORM_5MM, SpacingPattern.MIXED_4_7MM])
def test_a_phantom_without_a_bleed(simulated: Callable[[PhantomSpec, int], Simulated], pattern: SpacingPattern) -> None:
    spec = PhantomSpec(volume_ml=0.0, calcification=True, noise_hu=6.0, gantry_tilt_degrees=12.0, spacing=pattern)
    assert not suggest(simulated(spec, 320).volume).mask.any()


@pytest.fixture(scope="module")
def real(shared_data: Path) -> Volume:
    """Gantry tilted by 18.5 degrees, 4 mm and 7 mm slices, an old infarct, calcified plexus, no hemorrhage."""
    folder = shared_data / "head-ct-tilted" / "dicom"
    if not folder.is_dir():
        pytest.skip("the real head CT is absent; set ICHOR_TEST_DATA")
    return read_series(sorted(folder.iterdir()))


def changed(volume: Volume, name: str) -> Volume:
    noise = np.random.default_rng(1).normal(0, 10, volume.shape).astype(np.float32)
    turned = ndimage.rotate(volume.hu, 35, axes=(1, 2), reshape=False, order=1, cval=-1000)
    kept = slice(None, -3)
    return {
        "as it is": volume,
        "noisier": dataclasses.replace(volume, hu=volume.hu + noise),
        "turned": dataclasses.replace(volume, hu=turned),
        "without its vertex": dataclasses.replace(
            volume, hu=volume.hu[kept], positions=volume.positions[kept],
            sop_instance_uids=volume.sop_instance_uids[kept],
        ),
    }[name]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", ["as it is", "noisier", "turned", "without its vertex"])
def test_a_real_head_without_a_bleed(real: Volume, name: str) -> None:
    assert not suggest(changed(real, name)).mask.any()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("place", "radius"),
    [((16, 275, 215), 12.0), ((19, 160, 200), 17.0), ((11, 215, 150), 14.0), ((8, 340, 290), 11.0)],
    ids=["thalamus", "frontal lobe", "temporal lobe", "cerebellum"],
)
def test_a_ball_of_blood_in_the_real_head(real: Volume, place: tuple[int, int, int], radius: float) -> None:
    """Real brain, real noise, real bone; only the blood is made."""
    around = tuple(slice(index - 60, index + 60) for index in place[1:])
    z, y, x = np.ogrid[: real.shape[0], around[0], around[1]]
    away = real.voxel_to_lps(z, y, x) - real.voxel_to_lps(*place)
    # A voxel is as dense as it is filled, and as thick as its slice.
    parts = [
        np.linalg.norm(away + (part * real.slice_extents)[:, None, None, None] * real.normal, axis=-1) < radius
        for part in (-0.4, -0.2, 0.0, 0.2, 0.4)
    ]
    hu = real.hu[:, *around]
    # Neither the bone nor its partial volume bleeds.
    filled = np.mean(parts, axis=0) * (hu < 100)
    bled, truth = real.hu.copy(), np.zeros(real.shape, dtype=bool)
    bled[:, *around] += (filled * (60 - ndimage.gaussian_filter(np.clip(hu, 0, 60), (0, 4, 4)))).astype(np.float32)
    truth[:, *around] = filled >= 0.5
    assert compare(suggest(dataclasses.replace(real, hu=bled)).mask, truth, real).dice >= 0.8
