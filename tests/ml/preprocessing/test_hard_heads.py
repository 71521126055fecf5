"""Heads as hospitals send them: turned, beside the middle, cut, operated on, with metal, on uneven slices."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from ml.preprocessing import preprocess
from tests.ml.preprocessing.heads import Ball, Scan, head, in_brain, scan_of

pytestmark = pytest.mark.slow

BLEED = Ball((30.0, -20.0, 20.0), 18.0, 72.0)
ONE_TO_TEN = (1.0, 2.0, 3.0, 5.0, 7.0, 10.0, 8.0, 4.0) * 5
WIDE = Scan(pixels=160)
SCANS = {
    "turned by 20 degrees": Scan(pose=Rotation.from_euler("z", 20, degrees=True)),
    "turned, leaning and nodding": dataclasses.replace(
        WIDE, pose=Rotation.from_euler("zyx", [20, 10, 8], degrees=True), gaps=(3.0,) * 70
    ),
    "40 mm to the left": dataclasses.replace(WIDE, shift=(40.0, 0.0, 0.0)),
    "40 mm to the back": dataclasses.replace(WIDE, shift=(0.0, 40.0, 0.0)),
    "gaps of 1 to 10 mm": Scan(gaps=ONE_TO_TEN),
    "gaps of 1 to 10 mm, tilted by 25 degrees": Scan(gaps=ONE_TO_TEN, tilt=25.0, start=-125.0, pixels=160),
    "tilted by -25 degrees": Scan(tilt=-25.0, start=-125.0, gaps=(4.0,) * 60, pixels=160),
    "1 mm slices": Scan(gaps=(1.0,) * 180),
    "missing vertex": Scan(gaps=(5.0,) * 29),
    "missing base": Scan(start=-40.0, gaps=(5.0,) * 25),
    "noisy": Scan(noise=15.0),
    "small field": Scan(pixels=256, pixel_mm=0.8, gaps=(5.0,) * 36),
}


def dice(a, b):
    return 2 * np.count_nonzero(a & b) / (np.count_nonzero(a) + np.count_nonzero(b))


@pytest.mark.parametrize("name", SCANS)
def test_the_brain_is_found(name):
    scan = SCANS[name]
    volume = scan_of(head(BLEED), scan)
    result = preprocess(volume)
    truth = in_brain(volume, scan)
    if name == "missing base":
        truth[0] = result.brain_mask[0]  # the opening, too, is open there
    assert dice(result.brain_mask, truth) >= 0.97


def with_shell(change):
    """A head whose skull (and what else ``change(points, hu, depth)`` chooses) is altered."""
    plain = head(BLEED)

    def hu_at(points):
        hu = plain(points)
        change(points, hu)
        return hu

    return hu_at


def craniotomy(points, hu):
    """A bone flap put back: a gap of 3 mm around it, three burr holes of 12 mm under titanium plates."""
    from_middle = np.hypot(points[:, 1] - 5, points[:, 2] - 20)
    left = (points[:, 0] > 30) & (hu == 900)
    hu[left & (np.abs(from_middle - 30) < 1.5)] = 30
    for angle in (0.0, 2.1, 4.2):
        y, z = 5 + 30 * np.cos(angle), 20 + 30 * np.sin(angle)
        hole = np.hypot(points[:, 1] - y, points[:, 2] - z) < 6
        hu[hole & left] = 30
        hu[hole & (points[:, 0] > 30) & (hu == -60)] = 3000


def clip_with_streaks(points, hu):
    """An aneurysm clip at the skull base, and the dark and bright bands that it leaves in its slices."""
    near = np.abs(points[:, 2] + 30) < 3
    soft = near & (np.abs(hu) < 100)
    angle = np.arctan2(points[:, 1] + 20, points[:, 0] - 10)
    far = np.hypot(points[:, 1] + 20, points[:, 0] - 10)
    hu[soft] += (60 * np.sign(np.sin(8 * angle)) * np.exp(-far / 20))[soft]
    hu[np.linalg.norm(points - np.array([10.0, -20.0, -30.0]), axis=1) < 4] = 3071


def calcification(points, hu):
    """Plexus and pineal gland, a calcified falx in the midline, and a meningioma of lime at the vault."""
    for center, radius in (((15, 35, 5), 5), ((-15, 35, 5), 5), ((0, 25, 2), 4), ((-58, 0, 25), 9)):
        hu[(np.linalg.norm(points - np.array(center), axis=1) < radius) & (np.abs(hu) < 100)] = 400
    falx = (np.abs(points[:, 0]) < 1.5) & (points[:, 1] < -30) & (points[:, 2] > 0)
    hu[falx & (np.abs(hu) < 100)] = 300


def couch(points, hu):
    """A curved head holder of carbon that touches the scalp, its foam, and a blanket."""
    around = np.hypot(points[:, 0], points[:, 1])
    hu[(around >= 98) & (around < 101) & (points[:, 1] > 0)] = 150
    hu[(around >= 101) & (around < 106) & (points[:, 1] > 0)] = -850
    hu[(np.abs(points[:, 1] - 112) < 3) & (np.abs(points[:, 0]) < 110)] = 600
    hu[(np.abs(points[:, 1] + 108) < 6) & (np.abs(points[:, 0]) < 60) & (points[:, 2] < -20)] = -40


@pytest.mark.parametrize("change", [craniotomy, clip_with_streaks, calcification, couch])
@pytest.mark.parametrize("gap", [2.5, 5.0])
def test_what_is_odd_changes_little(change, gap):
    scan = Scan(gaps=(gap,) * round(200 / gap), noise=5.0)
    volume = scan_of(with_shell(change), scan)
    result = preprocess(volume)
    assert dice(result.brain_mask, in_brain(volume, scan)) >= 0.97
    assert result.report.base_covered
    assert result.report.vertex_covered


@functools.cache
def plain():
    scan = Scan()
    volume = scan_of(head(BLEED), scan)
    return scan, volume, preprocess(volume)


def test_blood_along_the_skull_stays():
    """A layer of 10 mm beside the whole right hemisphere, and a cast of the ventricles."""
    plainly = head()

    def bleeding(points):
        hu = plainly(points)
        scaled = points / np.array([58.0, 74.0, 56.0])
        layer = (hu == 32) & (np.einsum("ij,ij->i", scaled, scaled) > 1) & (points[:, 0] < -10) & (points[:, 2] > -30)
        hu[layer] = 68
        for side in (-1, 1):
            hu[np.linalg.norm((points - [side * 12, 0, 12]) / [7, 35, 10], axis=1) < 1] = 75
        return hu

    scan = Scan(noise=5.0)
    volume = scan_of(bleeding, scan)
    truth = in_brain(volume, scan)
    result = preprocess(volume)
    blood = truth & (volume.hu > 55)
    assert dice(result.brain_mask, truth) >= 0.97
    assert np.count_nonzero(result.brain_mask & blood) > 0.985 * np.count_nonzero(blood)


def test_rows_may_run_obliquely():
    """The same voxels with all directions turned: the same mask, and the image as if the patient had turned."""
    scan, volume, straight = plain()
    turn = Rotation.from_euler("z", 12, degrees=True)
    turned = dataclasses.replace(
        volume,
        positions=turn.apply(volume.positions),
        row_direction=turn.apply(volume.row_direction),
        column_direction=turn.apply(volume.column_direction),
    )
    result = preprocess(turned)
    np.testing.assert_array_equal(result.brain_mask, straight.brain_mask)
    bright = result.image > (32 + 72) / 2 / 90
    assert np.count_nonzero(bright) * 0.002 == pytest.approx(BLEED.ml, rel=0.08)
    place = np.array(result.report.affine) @ [*np.argwhere(bright).mean(axis=0)[::-1], 1.0]
    np.testing.assert_allclose(place[:3], turn.apply(BLEED.center) + scan.shift, atol=1.5)
    assert np.count_nonzero(result.image) * 0.002 == pytest.approx(result.report.brain_volume_ml, rel=0.02)


def test_a_hair_of_obliquity_changes_nothing_that_matters():
    """The image's lines are then no longer those of the slices, and are sampled point by point."""
    _, volume, straight = plain()
    turn = Rotation.from_euler("z", 0.02, degrees=True)
    turned = dataclasses.replace(volume, row_direction=turn.apply(volume.row_direction))
    assert np.abs(preprocess(turned).image - straight.image).mean() < 0.002


def test_a_head_larger_than_the_field_of_view():
    scan = Scan(pixels=100)
    volume = scan_of(head(BLEED), scan)
    result = preprocess(volume)
    assert dice(result.brain_mask, in_brain(volume, scan)) >= 0.97
