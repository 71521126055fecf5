"""Where a hematoma lies by its center: on phantoms, whose site is given, and on the centers of an atlas's regions."""

from __future__ import annotations

import dataclasses
import itertools
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ml.hematoma import CENTER, Landmarks, Location, center_mm, location_of
from ml.preprocessing import preprocess
from ml.simulation import PhantomSpec, Side, Site, SpacingPattern, simulate_ct
from ml.simulation.phantom_spec import MAX_VOLUME_ML
from ml.volumes import MaskError, Volume, read_series
from tests.ml.hematoma.bodies import EVEN, MIXED, ellipsoid, geometry_of

DEEP_SITES = (Site.BASAL_GANGLIA, Site.THALAMUS)
# A head in MNI152 space, LPS: the middle of the inner table's bounding box, and the foramen magnum.
ATLAS_HEAD = Landmarks(np.array([0.0, 17.0, 7.0]), np.array([0.0, 45.0, -69.0]))
# Centers of regions, right, front, up from the anterior commissure, mm: Tzourio-Mazoyer N, et al. Automated Anatomical
# Labeling of activations in SPM. NeuroImage 2002;15:273-289. The left half is left out, the regions being alike.
REGIONS = {
    "caudate": ((14, 11, 8), Location.DEEP),
    "putamen": ((27, 4, 1), Location.DEEP),
    "pallidum": ((21, -1, -1), Location.DEEP),
    "thalamus": ((13, -19, 7), Location.DEEP),
    "middle frontal": ((39, 33, 29), Location.LOBAR),
    "superior frontal": ((23, 33, 37), Location.LOBAR),
    "precentral": ((41, -10, 51), Location.LOBAR),
    "orbital": ((29, 48, -16), Location.LOBAR),
    "middle temporal": ((57, -39, -3), Location.LOBAR),
    "inferior temporal": ((53, -32, -24), Location.LOBAR),
    "temporal pole": ((44, 13, -34), Location.LOBAR),
    "fusiform": ((34, -40, -22), Location.LOBAR),
    "lingual": ((16, -68, -5), Location.LOBAR),
    "middle occipital": ((37, -81, 18), Location.LOBAR),
    "inferior occipital": ((38, -83, -9), Location.LOBAR),
    "calcarine": ((16, -74, 8), Location.LOBAR),
    "superior parietal": ((26, -60, 61), Location.LOBAR),
    "angular": ((45, -61, 37), Location.LOBAR),
    "postcentral": ((41, -27, 51), Location.LOBAR),
    "insula": ((39, 5, 1), Location.LOBAR),
    "hippocampus": ((29, -21, -12), Location.LOBAR),
    "amygdala": ((27, -1, -19), Location.LOBAR),
    "cerebellum, crus I": ((38, -68, -31), Location.INFRATENTORIAL),
    "cerebellum, crus II": ((33, -70, -41), Location.INFRATENTORIAL),
    "cerebellum, VI": ((25, -60, -25), Location.INFRATENTORIAL),
    "cerebellum, VIII": ((26, -58, -51), Location.INFRATENTORIAL),
    "cerebellum, IX": ((10, -51, -48), Location.INFRATENTORIAL),
    "vermis, IV and V": ((2, -54, -7), Location.INFRATENTORIAL),
    "vermis, VIII": ((2, -66, -35), Location.INFRATENTORIAL),
}


def truth_of(site: Site) -> Location:
    if site.infratentorial:
        return Location.INFRATENTORIAL
    return Location.DEEP if site in DEEP_SITES else Location.LOBAR


def agrees(found: Location, truth: Location) -> bool | None:
    """Whether what is found is right; None where it says nothing of the half above or below the tentorium."""
    if found is Location.NOT_CLEAR:
        return None
    if found is Location.SUPRATENTORIAL:
        return truth is not Location.INFRATENTORIAL
    return found is truth


def turned(pitch: float, roll: float, yaw: float) -> np.ndarray:
    """Rotation about x, then y, then z, degrees."""
    about = []
    for angle, (i, j) in zip(np.deg2rad([pitch, roll, yaw]), ((1, 2), (2, 0), (0, 1)), strict=True):
        turn = np.eye(3)
        turn[[i, i, j, j], [i, j, i, j]] = np.cos(angle), -np.sin(angle), np.sin(angle), np.cos(angle)
        about.append(turn)
    return about[2] @ about[1] @ about[0]


def turn_scan(volume: Volume, turn: np.ndarray, shift: np.ndarray) -> Volume:
    """The same scan of a head that lies otherwise, its slices with it."""
    return dataclasses.replace(
        volume,
        positions=volume.positions @ turn.T + shift,
        row_direction=turn @ volume.row_direction,
        column_direction=turn @ volume.column_direction,
    )


@pytest.mark.parametrize("gaps", [EVEN, MIXED])
@pytest.mark.parametrize("tilt", [20.0, 0.0])
def test_center_of_a_ball(tilt: float, gaps: list[float]) -> None:
    geometry = geometry_of(gaps, tilt)
    middle = geometry.voxel_to_lps(geometry.shape[0] // 2, 100, 120)
    found = center_mm(ellipsoid(geometry, (20.0, 20.0, 20.0)), geometry)
    assert tuple(found) == CENTER
    assert list(found.values()) == pytest.approx(middle + 0.1, abs=0.8)


def test_nothing_outlined_is_refused() -> None:
    geometry = geometry_of(EVEN)
    with pytest.raises(MaskError, match="empty"):
        center_mm(np.zeros(geometry.shape), geometry)


@pytest.mark.parametrize("size", [0.9, 1.0])
@pytest.mark.parametrize("pose", [(0, 0, 0), (12, 0, 0), (-12, 3, 0), (0, -5, 8), (8, 5, -8)], ids=str)
def test_regions_of_an_atlas(size: float, pose: tuple[float, float, float]) -> None:
    """However the head lies in the scanner, no region is taken for another."""
    turn, shift = turned(*pose), np.array([7.0, -150.0, 800.0])
    head = Landmarks(*(turn @ point * size + shift for point in (ATLAS_HEAD.middle, ATLAS_HEAD.foramen)))
    for name, (place, truth) in REGIONS.items():
        for half, volume_ml in itertools.product((1, -1), (5.0, 60.0)):
            center = turn @ (np.array(place) * [-half, -1, 1]) * size + shift
            assert agrees(location_of(center, volume_ml, head), truth) is not False, name


def test_most_regions_of_an_atlas_are_clear() -> None:
    found = [(location_of(np.array(place) * [-1, -1, 1], 5.0, ATLAS_HEAD), truth) for place, truth in REGIONS.values()]
    assert np.mean([agrees(each, truth) is True for each, truth in found]) > 0.85
    assert np.mean([each is truth for each, truth in found]) > 0.75


def test_a_large_hematoma_is_never_called_deep() -> None:
    center = np.array(REGIONS["thalamus"][0]) * [-1, -1, 1]
    assert location_of(center, 29.9, ATLAS_HEAD) is Location.DEEP
    assert location_of(center, 30.0, ATLAS_HEAD) is Location.SUPRATENTORIAL


@pytest.mark.parametrize(
    "foramen",
    [
        (0.0, 17.0, -40.0),  # too near
        (0.0, 17.0, -95.0),  # too far
        (0.0, -20.0, -60.0),  # in front
        (45.0, 45.0, -60.0),  # beside
    ],
)
def test_landmarks_of_no_head_tell_nothing(foramen: tuple[float, float, float]) -> None:
    head = Landmarks(ATLAS_HEAD.middle, np.array(foramen))
    assert location_of(np.array([30.0, 30.0, 40.0]), 5.0, head) is Location.NOT_CLEAR


def report(**changes: Any) -> dict[str, Any]:
    affine = np.diag([1.0, 1.0, 2.0, 1.0])
    affine[:3, 3] = np.array([0.0, 17.0, 7.0]) - np.array([191, 191, 2 * 79]) / 2
    whole = {"base_covered": True, "vertex_covered": True, "foramen_magnum_lps": [0, 45, -69]}
    return {"affine": affine.tolist(), **whole, **changes}


def test_landmarks_of_a_report() -> None:
    found = Landmarks.of(report())
    assert found is not None
    assert found.middle == pytest.approx(ATLAS_HEAD.middle)
    assert found.foramen == pytest.approx(ATLAS_HEAD.foramen)


@pytest.mark.parametrize(
    "given", [{}, report(base_covered=False), report(vertex_covered=False), report(foramen_magnum_lps=None)]
)
def test_a_part_of_a_head_has_no_landmarks(given: dict[str, Any]) -> None:
    assert Landmarks.of(given) is None


def locate_phantom(folder: Path, site: Site, seed: int) -> Location | None:
    """Make a phantom, every other one turned, and locate its true mask in what preprocessing finds."""
    rng = np.random.default_rng([seed, list(Site).index(site)])
    spec = PhantomSpec(
        site=site,
        side=list(Side)[seed % 2],
        volume_ml=float(np.exp(rng.uniform(0, np.log(MAX_VOLUME_ML[site])))),
        mass_effect=float(rng.uniform(0, 1.5)),
        gantry_tilt_degrees=(0.0, 20.0, -20.0)[seed % 3],
        spacing=(SpacingPattern.UNIFORM_5MM, SpacingPattern.MIXED_4_7MM)[seed // 2 % 2],
        rows=192,
        columns=192,
    )
    truth = simulate_ct(folder, spec=spec, seed=seed)
    volume = read_series(folder.iterdir())
    if seed % 2:
        turn = turned(*(rng.uniform(-1, 1, 3) * [12, 6, 8]))
        volume = turn_scan(volume, turn, np.append(rng.uniform(-20, 20, 2), 300.0))
    landmarks = Landmarks.of(preprocess(volume).report.to_dict())
    if landmarks is None:
        return None
    return location_of(list(center_mm(truth.hematoma_mask, volume).values()), truth.hematoma_ml, landmarks)


@pytest.mark.slow
@pytest.mark.parametrize("site", list(Site))
def test_phantoms(tmp_path: Path, site: Site) -> None:
    """Hematomas of 1 mL to the largest in heads that are tilted, turned and off the middle."""
    truth = truth_of(site)
    found = Counter(locate_phantom(tmp_path / str(seed), site, seed) for seed in range(4))
    wrong = {each: count for each, count in found.items() if each is not None and agrees(each, truth) is False}
    assert not wrong
    assert found[None] + found[Location.NOT_CLEAR] == 0
