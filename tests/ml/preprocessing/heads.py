"""Small geometric heads as CT volumes, with everything known in closed form."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from ml.volumes import Volume

Points = NDArray[np.float64]

BRAIN_RADII_MM = (68.0, 84.0, 66.0)  # left-right, front-back, foot-head
BRAIN_ML = 4 / 3 * np.pi * np.prod(BRAIN_RADII_MM) / 1000
SKULL_MM = 7.0
SCALP_MM = 6.0
OPENING_MM = 15.0
OPENING_AT = (0.0, 15.0)  # left-right, front-back
FORAMEN_Z_MM = -64.9  # where the axis of the opening leaves the brain's ellipsoid


@dataclass(frozen=True)
class Ball:
    """Something round in the brain."""

    center: tuple[float, float, float]
    radius: float
    hu: float

    @property
    def ml(self) -> float:
        return 4 / 3 * np.pi * self.radius**3 / 1000


@dataclass(frozen=True)
class Scan:
    """How a head is scanned: gaps (mm, along the normal), tilt (degrees), pixels, and the head's own pose."""

    gaps: tuple[float, ...] = (5.0,) * 40
    tilt: float = 0.0
    start: float = -110.0
    pixels: int = 128
    pixel_mm: float = 1.9
    pose: Rotation = field(default_factory=Rotation.identity)
    shift: tuple[float, float, float] = (0.0, 0.0, 0.0)
    noise: float = 3.0


def scan_of(shape: Callable[[Points], NDArray[np.floating]], scan: Scan = Scan()) -> Volume:
    """Sample a shape (LPS points (..., 3) in its own frame -> HU) at the voxel centers of a tilted gantry."""
    angle = np.deg2rad(scan.tilt)
    column = np.array([0.0, np.cos(angle), -np.sin(angle)])
    offsets = scan.start + np.concatenate([[0.0], np.cumsum(scan.gaps)])
    half = (scan.pixels - 1) / 2 * scan.pixel_mm
    # The table moves along z while the planes are tilted: the stack is sheared.
    corners = np.array([-half, 0, 0]) - half * column + np.outer(offsets / np.cos(angle), [0.0, 0.0, 1.0])
    empty = np.zeros((len(offsets), scan.pixels, scan.pixels), dtype=np.float32)
    volume = volume_of(empty, corners, column, scan.pixel_mm)
    z, y, x = np.ogrid[: len(offsets), : scan.pixels, : scan.pixels]
    points = scan.pose.inv().apply((volume.voxel_to_lps(z, y, x) - scan.shift).reshape(-1, 3))
    hu = shape(points).reshape(empty.shape)
    hu = hu + np.random.default_rng(7).normal(0, scan.noise, hu.shape)
    return volume_of(hu.astype(np.float32), corners, column, scan.pixel_mm)


def volume_of(hu: NDArray[np.float32], corners: Points, column: Points, pixel_mm: float) -> Volume:
    return Volume(
        hu=hu,
        positions=corners,
        row_direction=np.array([1.0, 0.0, 0.0]),
        column_direction=column,
        pixel_spacing=(pixel_mm, pixel_mm),
        sop_instance_uids=tuple(f"1.2.3.{i}" for i in range(len(hu))),
        series_instance_uid="1.2.3",
        study_instance_uid="1.2",
    )


def head(*balls: Ball, brain_hu: float = 32.0) -> Callable[[Points], NDArray[np.floating]]:
    """A brain in a closed skull with one opening below, a neck with a vertebral canal, and scalp."""

    def hu_at(points: Points) -> NDArray[np.floating]:
        z = points[:, 2]
        from_axis = np.hypot(points[:, 0] - OPENING_AT[0], points[:, 1] - OPENING_AT[1])
        hu = np.full(len(points), -1000.0)
        neck = (z < -40) & (np.hypot(points[:, 0], points[:, 1]) < 62)
        hu[neck] = 55
        hu[neck & (from_axis < 17) & (from_axis >= 10) & (np.mod(z, 16) < 11)] = 700  # vertebrae with gaps between
        hu[_inside(points, SKULL_MM + SCALP_MM)] = -60
        hu[_inside(points, SKULL_MM)] = 900
        hu[_inside(points, SKULL_MM) & (from_axis < OPENING_MM) & (z < -30)] = 20
        inside = _inside(points, 0.0)
        hu[inside] = brain_hu
        for ball in balls:
            hu[inside & (np.linalg.norm(points - np.array(ball.center), axis=1) < ball.radius)] = ball.hu
        return hu

    return hu_at


def in_brain(volume: Volume, scan: Scan) -> NDArray[np.bool_]:
    """The true brain at the volume's voxel centers."""
    z, y, x = np.ogrid[: volume.shape[0], : volume.shape[1], : volume.shape[2]]
    points = scan.pose.inv().apply((volume.voxel_to_lps(z, y, x) - scan.shift).reshape(-1, 3))
    return _inside(points, 0.0).reshape(volume.shape)


def _inside(points: Points, margin: float) -> NDArray[np.bool_]:
    scaled = points / (np.array(BRAIN_RADII_MM) + margin)
    return np.einsum("ij,ij->i", scaled, scaled) < 1
