"""A map brought to the CT."""

import tempfile
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import binary_erosion

from ml.errors import MLError
from ml.explanation import map_on_ct
from ml.preprocessing import Preprocessed, preprocess
from ml.simulation import PhantomSpec, SpacingPattern, simulate_ct
from ml.volumes import Volume, read_series


@pytest.fixture(scope="module")
def tilted() -> tuple[Volume, Preprocessed]:
    """Slices at an angle, 4 and 7 mm apart."""
    spec = PhantomSpec(
        volume_ml=40, rows=128, columns=128, gantry_tilt_degrees=18, spacing=SpacingPattern.MIXED_4_7MM, noise_hu=1
    )
    with tempfile.TemporaryDirectory() as folder:
        simulate_ct(folder, spec=spec, seed=4)
        volume = read_series(sorted(Path(folder).iterdir()))
    return volume, preprocess(volume)


@pytest.mark.parametrize("shape", [(80, 192, 192), (32, 48, 48), (20, 33, 29)])
def test_a_ramp_through_the_head_stays_a_ramp(tilted: tuple[Volume, Preprocessed], shape: tuple[int, int, int]) -> None:
    """A linear function of the place in the patient, sampled at the middle of the map's voxels, is itself on the CT."""
    volume, preprocessed = tilted
    affine = np.array(preprocessed.report.affine)
    slope = np.array([0.3, -0.7, 1.1])
    # Middles of voxels that divide the box of 80 x 192 x 192 voxels evenly, edge to edge.
    z, y, x = ((np.arange(n) + 0.5) * full / n - 0.5 for n, full in zip(shape, (80, 192, 192), strict=True))
    z, y, x = np.meshgrid(z, y, x, indexing="ij")
    ramp = (np.stack([x, y, z], axis=-1) @ affine[:3, :3].T + affine[:3, 3]) @ slope

    found = map_on_ct(ramp, affine, volume)

    places = volume.voxel_to_lps(*np.ogrid[tuple(slice(n) for n in volume.shape)])
    box = (places - affine[:3, 3]) @ np.linalg.inv(affine[:3, :3]).T
    size = np.array([192, 192, 80])
    inside = ((box > 192 / 29) & (box < size - 1 - 192 / 29)).all(axis=-1)
    assert inside.mean() > 0.3
    np.testing.assert_allclose(found[inside], (places @ slope)[inside], atol=0.02)
    outside = ((box < -0.51) | (box > size - 0.49)).any(axis=-1)
    assert outside.any()
    assert not found[outside].any()


def test_the_networks_input_comes_back_to_where_it_was_taken(tilted: tuple[Volume, Preprocessed]) -> None:
    """Away from bone, which the image leaves out, it is the scan again; a shift by one voxel lowers 0.98 to 0.87."""
    volume, preprocessed = tilted
    found = map_on_ct(preprocessed.image, preprocessed.report.affine, volume)
    deep = np.stack([binary_erosion(plane, iterations=4) for plane in preprocessed.brain_mask])
    assert np.corrcoef(found[deep], volume.hu[deep].clip(0, 90))[0, 1] > 0.95
    assert np.median(found[deep] * 90 - volume.hu[deep]) == pytest.approx(0, abs=0.5)


@pytest.mark.parametrize(
    ("shape", "affine"), [((4, 4), np.eye(4)), ((4, 4, 4), np.eye(3)), ((4, 4, 4), np.ones((4, 4)))]
)
def test_what_is_no_map_is_refused(
    tilted: tuple[Volume, Preprocessed], shape: tuple[int, ...], affine: np.ndarray
) -> None:
    with pytest.raises(MLError) as caught:
        map_on_ct(np.zeros(shape), affine, tilted[0])
    assert caught.value.code == "bad_map"
