"""A real head CT: gantry tilted by 18.5 degrees, 4 mm and 7 mm slices in one series, head rolled, an old infarct."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy import ndimage

from ml.preprocessing import preprocess
from ml.volumes import read_series

pytestmark = pytest.mark.slow

DENSE_HU = 200.0


@pytest.fixture(scope="module")
def paths(shared_data):
    folder = shared_data / "head-ct-tilted" / "dicom"
    if not folder.is_dir():
        pytest.skip("the real head CT is absent; set ICHOR_TEST_DATA")
    return sorted(folder.iterdir())


@pytest.fixture(scope="module")
def volume(paths):
    return read_series(paths)


@pytest.fixture(scope="module")
def result(volume):
    return preprocess(volume)


def dice(a, b):
    return 2 * np.count_nonzero(a & b) / (np.count_nonzero(a) + np.count_nonzero(b))


def test_volume_is_that_of_an_adult(result):
    # Contents of the adult skull: about 1100 to 1700 mL.
    assert 1100 < result.report.brain_volume_ml < 1700
    assert np.count_nonzero(result.image) * 0.002 == pytest.approx(result.report.brain_volume_ml, rel=0.05)


def test_tilt_and_gaps_are_those_of_the_headers(result):
    assert result.report.gaps == ((13, 4.0), (1, 1.08), (13, 7.0))
    assert result.report.tilt_degrees == pytest.approx(18.5, abs=0.01)


def test_nothing_needs_a_warning(result):
    assert [f.code for f in result.report.findings if f.level == "warn"] == []
    assert result.report.base_covered
    assert result.report.vertex_covered


def test_foramen_magnum_lies_where_a_reader_puts_it(result):
    # Read by eye: the third slice (index 2) shows the condyles and an open ring, index 5 the cerebellar hemispheres.
    assert 2.0 < result.report.foramen_magnum_z < 4.5


def test_mask_is_one_part_without_skull(volume, result):
    mask = result.brain_mask
    assert ndimage.label(mask)[1] == 1
    # Voxels that brain and bone share, up to two thirds brain, are a rim; denser is calcified plexus and pineal gland.
    assert np.mean(volume.hu[mask] > DENSE_HU) < 0.04
    assert np.mean(volume.hu[mask] > 400) < 5e-4
    # Neither fat nor air: some dark streaks between the petrous bones at most.
    assert np.mean(volume.hu[mask] < -30) < 5e-4


def test_mask_has_skull_before_behind_and_beside_it(volume, result):
    """No face, scalp or neck: from nearly every voxel, bone is met in all four directions of its slice."""
    dense = volume.hu > DENSE_HU
    enclosed = np.ones_like(dense)
    for axis in (1, 2):
        enclosed &= np.maximum.accumulate(dense, axis=axis)
        enclosed &= np.flip(np.maximum.accumulate(np.flip(dense, axis), axis=axis), axis)
    # The olfactory groove lies between ethmoid cells whose walls are too thin to be dense everywhere.
    assert np.mean(enclosed[result.brain_mask]) > 0.999


@pytest.mark.parametrize(
    ("index", "row", "column"),
    [(8, 130, 143), (8, 135, 290), (8, 215, 255)],
    ids=["right eye", "left orbit", "sphenoid sinus"],
)
def test_eyes_and_sinuses_are_out(result, index, row, column):
    assert not result.brain_mask[index, row - 6 : row + 6, column - 6 : column + 6].any()


@pytest.mark.parametrize(
    ("index", "row", "column"),
    [(6, 330, 270), (7, 210, 320), (8, 135, 210), (16, 275, 210), (20, 170, 250), (26, 325, 240)],
    ids=["cerebellum", "left temporal pole", "straight gyri", "thalamus", "frontal lobe", "vertex"],
)
def test_brain_is_in(volume, result, index, row, column):
    patch = np.s_[index, row - 4 : row + 4, column - 4 : column + 4]
    assert 0 < volume.hu[patch].mean() < 100
    assert result.brain_mask[patch].all()


def test_old_infarct_is_kept(volume, result):
    patch = np.s_[16, 335:360, 308:333]
    assert result.brain_mask[patch].all()
    assert volume.hu[patch].mean() < np.median(volume.hu[result.brain_mask]) - 5


def test_order_of_the_files_does_not_matter(paths, result):
    shuffled = [paths[i] for i in np.random.default_rng(5).permutation(len(paths))]
    again = preprocess(read_series(shuffled))
    np.testing.assert_array_equal(again.image, result.image)
    np.testing.assert_array_equal(again.brain_mask, result.brain_mask)
    assert again.report == result.report


@pytest.mark.parametrize("degrees", [-20, 35])
def test_head_turned_in_the_plane(volume, result, degrees):
    def turn(array, order, cval):
        return ndimage.rotate(array, degrees, axes=(1, 2), reshape=False, order=order, cval=cval)

    turned = preprocess(dataclasses.replace(volume, hu=turn(volume.hu, 1, -1000)))
    expected = turn(result.brain_mask.astype(np.float32), 1, 0) > 0.5
    assert dice(turned.brain_mask, expected) > 0.98
    assert turned.report.brain_volume_ml == pytest.approx(result.report.brain_volume_ml, rel=0.02)


def test_shifted_head_gives_the_same_brain(volume, result):
    shifted = preprocess(dataclasses.replace(volume, hu=np.roll(volume.hu, (17, -23), axis=(1, 2))))
    assert dice(shifted.brain_mask, np.roll(result.brain_mask, (17, -23), axis=(1, 2))) > 0.99


def test_half_the_head_is_still_preprocessed(volume, result):
    upper = slice(9, None)
    part = preprocess(
        dataclasses.replace(
            volume,
            hu=volume.hu[upper],
            positions=volume.positions[upper],
            sop_instance_uids=volume.sop_instance_uids[upper],
        )
    )
    assert not part.report.base_covered
    assert dice(part.brain_mask, result.brain_mask[upper]) > 0.98
