"""Preprocessing of geometric heads whose volumes and places are known in closed form."""

from __future__ import annotations

import dataclasses
import functools
import json

import numpy as np
import pytest
from scipy import ndimage
from scipy.spatial.transform import Rotation

from ml.preprocessing import PREPROCESSING_VERSION, preprocess
from tests.ml.preprocessing.heads import BRAIN_ML, FORAMEN_Z_MM, Ball, Scan, head, in_brain, scan_of

pytestmark = pytest.mark.slow

LEFT_FRONT_TOP = Ball(center=(30.0, -30.0, 20.0), radius=15.0, hu=72.0)
MIXED = (4.0,) * 25 + (1.08,) + (7.0,) * 15
SCANS = {
    "straight": Scan(),
    "tilted": Scan(tilt=18.5, start=-120.0, gaps=(5.0,) * 44),
    "tilted the other way": Scan(tilt=-20.0, start=-120.0, gaps=(5.0,) * 44),
    "mixed gaps": Scan(gaps=MIXED),
    "mixed gaps, tilted": Scan(gaps=(4.0,) * 28 + (1.08,) + (7.0,) * 15, tilt=18.5, start=-120.0),
    "rotated": Scan(pose=Rotation.from_euler("z", 25, degrees=True)),
    "nodding": Scan(pose=Rotation.from_euler("x", 12, degrees=True), gaps=(4.0,) * 50),
    "leaning": Scan(pose=Rotation.from_euler("y", 12, degrees=True), gaps=(4.0,) * 50),
    "off center": Scan(shift=(22.0, -18.0, 30.0), start=-80.0),
    "thin slices": Scan(gaps=(1.25,) * 150),
    "very thick slices": Scan(gaps=(10.0,) * 20),
}


@functools.cache
def scanned(name):
    """A scan, its volume and what preprocessing makes of it."""
    scan = SCANS[name]
    volume = scan_of(head(LEFT_FRONT_TOP), scan)
    return scan, volume, preprocess(volume)


def codes(result):
    return {finding.code for finding in result.report.findings}


@pytest.mark.parametrize("name", SCANS)
def test_brain_is_found_whole_and_alone(name):
    scan, volume, result = scanned(name)
    truth = in_brain(volume, scan)
    found = result.brain_mask
    dice = 2 * np.count_nonzero(found & truth) / (np.count_nonzero(found) + np.count_nonzero(truth))
    assert dice > 0.96
    assert result.report.brain_volume_ml == pytest.approx(BRAIN_ML, rel=0.04)
    assert ndimage.label(found, np.ones((3, 3, 3)))[1] == 1
    assert result.report.vertex_covered
    assert result.report.base_covered


@pytest.mark.parametrize("name", SCANS)
def test_foramen_magnum_is_found_at_its_height(name):
    scan, _, result = scanned(name)
    report = result.report
    point = scan.pose.inv().apply(np.array(report.foramen_magnum_lps) - scan.shift)
    # The skull is 7 mm thick there; one slice of leeway to either side.
    assert FORAMEN_Z_MM - 7 - max(scan.gaps) <= point[2] <= FORAMEN_Z_MM + max(scan.gaps)
    assert report.foramen_magnum_confidence >= 0.85


@pytest.mark.parametrize("name", SCANS)
def test_image_keeps_milliliters_and_places(name):
    scan, _, result = scanned(name)
    blood = ndimage.label(result.image > (32 + 72) / 2 / 90)
    blood = blood[0] == np.argmax(np.bincount(blood[0].ravel())[1:]) + 1
    # Two thick slices fewer or more through a ball of 30 mm are the error of sampling, not of the resampling.
    tolerance = 0.08 if max(scan.gaps) <= 5 else 0.2
    assert np.count_nonzero(blood) * 0.002 == pytest.approx(LEFT_FRONT_TOP.ml, rel=tolerance)
    z, y, x = ndimage.center_of_mass(blood)
    place = (np.array(result.report.affine) @ [x, y, z, 1.0])[:3]
    expected = scan.pose.apply(LEFT_FRONT_TOP.center) + scan.shift
    np.testing.assert_allclose(place, expected, atol=max(1.5, max(scan.gaps) / 4))


def test_image_axes_run_to_left_back_and_head():
    image = scanned("straight")[2].image
    z, y, x = ndimage.center_of_mass(image > 0.6)
    assert x > 96
    assert y < 96
    assert z > 40


def test_image_is_windowed_and_empty_outside():
    result = preprocess(scan_of(head(Ball((0, 0, 20), 12, 300.0), brain_hu=45.0), Scan(noise=0.0)))
    image = result.image
    assert image.shape == (80, 192, 192)
    assert image.dtype == np.float32
    assert image.min() == 0
    assert image.max() == 1  # 300 HU lies above the window
    # Half of the window's width, wherever the brain is far from the ball.
    low = image[20:34][image[20:34] > 0]
    np.testing.assert_allclose(np.percentile(low, [5, 50, 95]), 0.5, atol=1e-4)
    assert np.count_nonzero(image) * 0.002 == pytest.approx(result.report.brain_volume_ml, rel=0.02)


@pytest.mark.parametrize("hu", [50.0, 95.0])
@pytest.mark.parametrize("center", [(60.0, 0.0, 5.0), (0.0, -78.0, 0.0), (0.0, 0.0, 60.0), (20.0, 50.0, -40.0)])
def test_blood_that_touches_the_skull_stays(hu, center):
    scan = Scan(noise=6.0)
    ball = Ball(center, 18.0, hu)
    volume = scan_of(head(ball), scan)
    z, y, x = np.ogrid[: volume.shape[0], : volume.shape[1], : volume.shape[2]]
    blood = np.linalg.norm(volume.voxel_to_lps(z, y, x) - np.array(center), axis=-1) < ball.radius
    blood &= in_brain(volume, scan)
    assert np.count_nonzero(preprocess(volume).brain_mask & blood) > 0.985 * np.count_nonzero(blood)


@pytest.mark.parametrize("hu", [-5.0, 8.0, 500.0])
def test_what_lies_deep_in_the_brain_stays(hu):
    scan = Scan()
    ball = Ball((10.0, 5.0, 10.0), 9.0, hu)
    volume = scan_of(head(ball), scan)
    z, y, x = np.ogrid[: volume.shape[0], : volume.shape[1], : volume.shape[2]]
    inside = np.linalg.norm(volume.voxel_to_lps(z, y, x) - np.array(ball.center), axis=-1) < ball.radius
    assert preprocess(volume).brain_mask[inside].all()


def test_missing_vertex_is_said():
    result = preprocess(scan_of(head(), Scan(gaps=(5.0,) * 28)))  # ends at z = 30 mm
    assert "vertex_missing" in codes(result)
    assert not result.report.vertex_covered
    assert result.brain_mask[-1].any()


def test_missing_base_is_said_and_nothing_clipped():
    scan = Scan(start=-40.0, gaps=(5.0,) * 25)
    volume = scan_of(head(), scan)
    result = preprocess(volume)
    assert "foramen_magnum_not_found" in codes(result)
    assert result.report.foramen_magnum_z is None
    assert result.report.foramen_magnum_confidence == 0
    truth = in_brain(volume, scan)
    assert np.count_nonzero(result.brain_mask[0] & truth[0]) > 0.95 * np.count_nonzero(truth[0])


def test_couch_and_head_holder_are_no_skull():
    plain = head()

    def on_couch(points):
        hu = plain(points)
        behind = points[:, 1] - 97.0  # the scalp's back
        hu[(np.abs(points[:, 0]) < 90) & (behind >= 0) & (behind < 12)] = -900  # cushion
        hu[(np.abs(points[:, 0]) < 90) & (behind >= 12) & (behind < 16)] = 350
        holder = np.hypot(points[:, 0], points[:, 1])
        hu[(holder >= 100) & (holder < 104) & (points[:, 1] > 0)] = 250
        return hu

    scan = Scan()
    bare, couched = preprocess(scan_of(plain, scan)), preprocess(scan_of(on_couch, scan))
    np.testing.assert_array_equal(couched.brain_mask, bare.brain_mask)


def test_opened_skull_is_said_and_the_scalp_left_out():
    plain = head()

    def after_craniectomy(points):
        hu = plain(points)
        flap = np.linalg.norm(points - np.array([72.0, 0.0, 15.0]), axis=1) < 45
        hu[flap & (hu == 900)] = -60
        return hu

    scan = Scan()
    volume = scan_of(after_craniectomy, scan)
    result = preprocess(volume)
    assert "skull_open" in codes(result)
    truth = in_brain(volume, scan)
    assert np.count_nonzero(result.brain_mask & ~truth) < 0.01 * np.count_nonzero(truth)
    assert np.count_nonzero(result.brain_mask & truth) > 0.97 * np.count_nonzero(truth)


def test_tilt_and_gaps_are_reported():
    report = scanned("mixed gaps, tilted")[2].report
    assert report.gaps == ((28, 4.0), (1, 1.08), (15, 7.0))
    assert abs(report.tilt_degrees) == pytest.approx(18.5, abs=0.01)
    assert {"tilted", "mixed_gaps"} <= {finding.code for finding in report.findings}


def test_wide_gap_is_said():
    assert "wide_gap" in codes(preprocess(scan_of(head(), Scan(gaps=(12.0,) * 17))))


def test_report_survives_json():
    report = scanned("straight")[2].report
    as_read = json.loads(json.dumps(report.to_dict()))
    assert as_read["version"] == PREPROCESSING_VERSION
    assert set(as_read) == {f.name for f in dataclasses.fields(report)}
    assert len(as_read["affine"]) == 4


def test_rows_and_columns_may_run_the_other_way():
    _, volume, straight = scanned("mixed gaps, tilted")
    last = volume.voxel_to_lps(np.arange(len(volume.hu)), volume.shape[1] - 1, volume.shape[2] - 1)
    turned = dataclasses.replace(
        volume,
        hu=np.ascontiguousarray(volume.hu[:, ::-1, ::-1]),
        positions=last,
        row_direction=-volume.row_direction,
        column_direction=-volume.column_direction,
    )
    reversed_ = preprocess(turned)
    a, b = straight.brain_mask, reversed_.brain_mask[:, ::-1, ::-1]
    assert 2 * np.count_nonzero(a & b) / (np.count_nonzero(a) + np.count_nonzero(b)) > 0.995
    assert np.abs(straight.image - reversed_.image).mean() < 0.005


def test_same_volume_gives_the_same_bits():
    _, volume, first = scanned("mixed gaps, tilted")
    before = volume.hu.copy()
    second = preprocess(volume)
    np.testing.assert_array_equal(first.image, second.image)
    np.testing.assert_array_equal(first.brain_mask, second.brain_mask)
    assert first.report == second.report
    np.testing.assert_array_equal(volume.hu, before)
