"""The contents of the cranial cavity: brain, fluid, falx and tentorium, hematoma, edema, blood in the ventricles."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from ml.simulation.head_model import FORAMEN_MAGNUM, HeadModel
from ml.simulation.head_outer import blend, paint_shape
from ml.simulation.head_shapes import (
    Array,
    Ellipsoid,
    Points,
    both,
    ellipsoid_distance,
    ellipsoid_occupancy,
    occupancy,
    partial_volume_width,
)
from ml.simulation.phantom_spec import Side

Mask = NDArray[np.bool_]

CSF, WHITE, GREY, STEM, FALX, EDEMA, IVH, CALCIUM = 8.0, 28.5, 37.5, 32.0, 46.0, 20.0, 58.0, 140.0
LIQUID_DROP = 24.0
"""How much darker than clot blood is that has not set, HU; about half of the body can be."""

_LATERAL: tuple[Ellipsoid, ...] = (
    Ellipsoid((8.0, -24.0, 7.0), (4.8, 15.0, 8.5), yaw=-18.0),
    Ellipsoid((11.0, 2.0, 17.0), (7.5, 27.0, 6.0), yaw=8.0),
    Ellipsoid((19.0, 27.0, 16.0), (6.0, 14.0, 8.0), yaw=-24.0),
    Ellipsoid((26.0, 42.0, 8.0), (6.5, 11.0, 11.0), yaw=-12.0),
    Ellipsoid((25.0, 59.0, 5.0), (3.6, 15.0, 5.0), yaw=6.0),
    Ellipsoid((34.0, 18.0, -15.0), (2.8, 15.0, 4.0), yaw=-8.0),
)
_THIRD = Ellipsoid((0.0, 10.0, -2.0), (2.4, 15.0, 10.0))
_AQUEDUCT = Ellipsoid((0.0, 33.0, -12.0), (1.2, 2.0, 12.0))
_FOURTH = Ellipsoid((0.0, 43.0, -33.0), (8.0, 6.0, 11.0))
_GREY_PAIRS: tuple[Ellipsoid, ...] = (
    Ellipsoid((15.0, -18.0, 8.0), (5.5, 9.0, 9.0), yaw=-15.0),
    Ellipsoid((25.5, -1.0, 2.0), (6.5, 19.0, 10.0), yaw=-14.0),
    Ellipsoid((10.5, 17.0, 6.0), (7.5, 14.0, 9.0), yaw=-20.0),
    Ellipsoid((38.0, -3.0, 3.0), (2.4, 19.0, 14.0), yaw=-6.0),
)
_SYLVIAN: tuple[Ellipsoid, ...] = (
    Ellipsoid((41.0, -4.0, 2.0), (1.3, 17.0, 12.0), yaw=-6.0),
    Ellipsoid((52.0, -8.0, 2.0), (11.0, 2.4, 9.0), yaw=18.0),
)
_CISTERNS: tuple[Ellipsoid, ...] = (
    Ellipsoid((0.0, -4.0, -19.0), (13.0, 7.0, 6.0)),
    Ellipsoid((9.0, -12.0, -19.0), (14.0, 2.2, 5.0), yaw=-28.0),
    Ellipsoid((-9.0, -12.0, -19.0), (14.0, 2.2, 5.0), yaw=28.0),
    Ellipsoid((0.0, 22.0, -12.0), (20.0, 16.0, 11.0)),
    Ellipsoid((0.0, 39.0, -5.0), (11.0, 5.0, 8.0)),
    Ellipsoid((0.0, 9.0, -34.0), (15.0, 7.0, 20.0)),
    Ellipsoid((22.0, 27.0, -38.0), (9.0, 4.0, 7.0), yaw=20.0),
    Ellipsoid((-22.0, 27.0, -38.0), (9.0, 4.0, 7.0), yaw=-20.0),
    Ellipsoid((0.0, 70.0, -60.0), (12.0, 11.0, 7.0)),
    Ellipsoid((0.0, 44.0, -62.0), (15.0, 15.0, 9.0)),
)
_STEM: tuple[Ellipsoid, ...] = (
    Ellipsoid((0.0, 24.0, -12.0), (16.0, 12.0, 13.0)),
    Ellipsoid((0.0, 24.0, -31.0), (16.5, 14.0, 14.0)),
    Ellipsoid((0.0, 40.0, -58.0), (8.5, 8.0, 22.0)),
    Ellipsoid((17.0, 40.0, -34.0), (10.0, 9.0, 8.0), yaw=-30.0),
    Ellipsoid((-17.0, 40.0, -34.0), (10.0, 9.0, 8.0), yaw=30.0),
)
_CALCIFIED: tuple[Ellipsoid, ...] = (
    Ellipsoid((0.0, 31.0, -1.0), (2.2, 2.4, 2.4)),
    Ellipsoid((25.0, 40.0, 11.0), (1.8, 4.0, 2.5), yaw=-12.0),
    Ellipsoid((-25.0, 40.0, 11.0), (1.8, 4.0, 2.5), yaw=12.0),
)
_INNER = Ellipsoid((0.0, 10.0, 6.0), (40.0, 45.0, 27.0))


def paint_brain(image: Array, head: HeadModel, points: Points, cavity: Array, width: Array) -> Mask:
    """Paint the inside of the cranial cavity in place; `cavity` and `width` as in `head_outer.paint_outer`.

    Returns
    -------
    Where blood lies in the ventricles, bool, of the image's shape.
    """
    ventricular_blood = np.zeros(image.shape, dtype=bool)
    inner = _box_of(cavity < 2)
    if inner is None:
        return ventricular_blood
    points, cavity, width = points.part(inner), cavity[inner], width[inner]
    source, push = head.displaced(points, cavity)
    tissue = np.empty_like(image)
    tissue[points.box] = _parenchyma(head, points, source, cavity, push)
    _paint_midline(tissue, head, source)
    _paint_inner_structures(tissue, head, source)
    if head.spec.ivh:
        ventricular_blood[points.box] = blood_in_ventricles(head, points, source)
        blood = ventricular_blood[points.box].astype(np.float32)
        blend(tissue, points, blood, np.float32(IVH) + np.float32(1.5) * head.folia.on(points))
    _paint_hematoma(tissue, head, points)
    blend(image, points, occupancy(cavity, width) * _above_foramen(points), tissue[points.box])
    return ventricular_blood


def _box_of(mask: Mask) -> tuple[slice, slice] | None:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not rows.size:
        return None
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def _above_foramen(points: Points) -> Array:
    return occupancy(np.float32(FORAMEN_MAGNUM[2] - 4) - points.z, 3.0)


def tentorium(points: Points) -> Array:
    """Return the height above the tentorium, mm; positive in the cerebral hemispheres."""
    behind = np.clip(points.y - 40, 0, None)
    sheet = np.float32(2) - np.float32(0.52) * np.abs(points.x) - np.float32(0.22) * behind
    front = np.clip(26 - points.y, 0, None) * np.float32(3)
    return (points.z - sheet + front) * np.float32(0.85)


def _parenchyma(head: HeadModel, points: Points, source: Points, cavity: Array, push: Array) -> Array:
    """Return grey and white matter, sulci, fissures and the fluid around the brain, HU."""
    depth = -cavity
    above = tentorium(source)
    cerebrum = occupancy(-above, 2.0)
    gyri = np.abs(head.gyri.on(points)) * np.float32(3.1)
    gyri += np.maximum(depth - 15, 0) * np.float32(0.6)
    cortex = np.maximum(occupancy(gyri - np.float32(3.0), 2.2), occupancy(depth - np.float32(4.2), 2.2))
    cerebral = np.float32(WHITE) + np.float32(GREY - WHITE) * cortex
    folia = np.float32(35.5) + np.float32(1.6) * head.folia.on(points)
    tissue = folia + cerebrum * (cerebral - folia)
    tight = np.float32(head.sulcus_mm) * np.clip(1 - push * np.float32(0.22), 0.05, 1)
    fluid = occupancy(gyri - tight, 1.6) * cerebrum
    fluid = np.maximum(fluid, occupancy(depth - np.float32(0.9) - tight, 1.4))
    tissue += fluid * (np.float32(CSF + 4) - tissue)
    sheet = occupancy(np.abs(above + 1) - np.float32(1.3), 1.6) * occupancy(np.float32(26) - source.y, 4.0)
    tissue += sheet * (np.float32(17) - tissue)
    dura = occupancy(np.abs(above) - np.float32(0.5), 1.2) * occupancy(np.float32(26) - source.y, 4.0)
    tissue += dura * (np.float32(40) - tissue)
    return tissue


def _paint_midline(tissue: Array, head: HeadModel, source: Points) -> None:
    near = source.crop((0.0, 16.0, 20.0), (6.0, 85.0, 90.0), head.displacement.amplitude)
    if near is None:
        return
    keep = occupancy(-tentorium(near), 2.0) * (1 - ellipsoid_occupancy(near, _INNER, 1.0))
    aside = np.abs(near.x)
    fissure = occupancy(aside - np.float32(0.9 + 0.6 * head.sulcus_mm), 1.4)
    blend(tissue, near, keep * fissure, CSF + 4)
    blend(tissue, near, keep * occupancy(aside - np.float32(0.6), 1.2), FALX)


def _paint_inner_structures(tissue: Array, head: HeadModel, source: Points) -> None:
    margin = 3.0 + head.displacement.amplitude

    def paint(shapes: Iterable[Ellipsoid], hu: float, soften: float = 0.5) -> None:
        for shape in shapes:
            paint_shape(tissue, source, shape, hu, soften, margin)

    paint(_CISTERNS, CSF + 3)
    paint(_STEM, STEM, 1.0)
    paint((each for shape in _GREY_PAIRS for each in both(shape)), GREY, 2.0)
    paint((each for shape in _SYLVIAN for each in both(shape)), CSF + 6, 1.0)
    paint(ventricles(head), CSF)
    if head.spec.calcification:
        paint(_CALCIFIED, CALCIUM)


def ventricles(head: HeadModel) -> tuple[Ellipsoid, ...]:
    """Return the ventricular system of a head as ellipsoids in (displaced) model coordinates."""
    lateral = [_wider(each, head.ventricle_size) for shape in _LATERAL for each in both(shape)]
    return (*lateral, _wider(_THIRD, head.ventricle_size), _AQUEDUCT, _FOURTH)


def _wider(shape: Ellipsoid, factor: float) -> Ellipsoid:
    a, b, c = shape.radii
    return Ellipsoid(shape.center, (a * factor, b, c * factor), shape.yaw)


def blood_in_ventricles(head: HeadModel, points: Points, source: Points) -> Mask:
    """Return which points lie in ventricular blood outside the hematoma; `source` as from `HeadModel.displaced`."""
    inside = np.zeros(points.x.shape, dtype=bool)
    if not head.spec.ivh:
        return inside
    for shape in ventricles(head):
        near = source.crop(shape.center, shape.half_extents, 1.0 + head.displacement.amplitude)
        if near is not None:
            inside[near.within(source)] |= ellipsoid_distance(near.x, near.y, near.z, shape) < 0
    side = np.float32(1 if head.spec.side is Side.LEFT else -1)
    # The ventricle of the bleeding side fills; elsewhere blood settles in what lies lowest in a patient on the back.
    inside &= (source.x * side > -2.5) | (source.y > 46) | (source.z < -8)
    if head.hematoma is not None:
        inside &= head.hematoma_ratio(points)[0] >= 1
    return inside


def _paint_hematoma(tissue: Array, head: HeadModel, points: Points) -> None:
    if head.hematoma is None:
        return
    center = tuple(float(v) for v in head.displacement.center)
    rim = head.spec.edema * min(9.0, 3.0 + 0.08 * head.spec.volume_ml)
    reach = head.hematoma.reach_mm * 1.15 + 1.3 * rim
    near = points.crop((center[0], center[1], center[2]), (reach, reach, reach), 2.0)
    if near is None:
        return
    _, distance = head.hematoma_ratio(near)
    texture = head.texture.on(near)
    if rim:
        parenchyma = np.clip((tissue[near.box] - 14) * np.float32(1 / 8), 0, 1)
        edge = occupancy(distance - np.float32(rim) * (1 + np.float32(0.25) * texture), 3.0)
        blend(tissue, near, edge * parenchyma * np.float32(0.9), EDEMA)
    width = partial_volume_width(distance, near.plane)
    clot = np.float32(head.hematoma.attenuation_hu) + np.float32(1.8) * texture
    if head.spec.liquid:
        clot -= np.float32(LIQUID_DROP * head.spec.liquid) * occupancy(-texture, 0.5)
    blend(tissue, near, occupancy(distance, width), clot)
