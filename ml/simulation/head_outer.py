"""Everything outside the brain: skin, fat, muscle, face, skull base, cervical spine, head holder. Values in HU."""

import numpy as np

from ml.simulation.head_model import FORAMEN_MAGNUM, PETROUS, HeadModel
from ml.simulation.head_shapes import (
    Array,
    Ellipsoid,
    Points,
    both,
    ellipsoid_distance,
    ellipsoid_occupancy,
    occupancy,
    smooth_minimum,
)

AIR, FAT, MUSCLE, SKIN, CSF, CORD = -1000.0, -90.0, 55.0, 42.0, 8.0, 34.0
BONE, DIPLOE, DENSE_BONE = 1250.0, 650.0, 1600.0

FACE = Ellipsoid((0.0, -31.0, -62.0), (64.0, 54.0, 72.0))
NOSE = Ellipsoid((0.0, -86.0, -60.0), (11.0, 17.0, 17.0))
NECK = Ellipsoid((0.0, 38.0, -95.0), (62.0, 62.0, 85.0))

ORBIT = Ellipsoid((31.0, -52.0, -41.0), (17.0, 25.0, 16.0), yaw=-12.0)
# (shape, HU), painted in order on both sides.
_FACE_PAIRS: tuple[tuple[Ellipsoid, float], ...] = (
    (Ellipsoid((51.0, -48.0, -50.0), (6.0, 17.0, 9.0), yaw=25.0), BONE),
    (Ellipsoid((62.0, -20.0, -52.0), (2.5, 22.0, 4.0), yaw=5.0), BONE),
    (Ellipsoid((47.0, 2.0, -84.0), (4.0, 14.0, 27.0), yaw=8.0), BONE),
    (Ellipsoid((25.0, -50.0, -70.0), (17.5, 19.5, 18.5)), BONE),
    (Ellipsoid((25.0, -50.0, -70.0), (15.5, 17.5, 16.5)), AIR),
    (Ellipsoid((17.0, -10.0, -72.0), (3.0, 10.0, 15.0), yaw=-15.0), BONE),
    (ORBIT.scaled(1.13), BONE),
    (ORBIT, FAT),
    (Ellipsoid((32.0, -65.0, -41.0), (12.4, 12.4, 12.4)), 38.0),
    (Ellipsoid((32.0, -65.0, -41.0), (11.2, 11.2, 11.2)), 12.0),
    (Ellipsoid((32.0, -73.5, -41.0), (4.5, 2.2, 4.5)), 75.0),
    (Ellipsoid((26.0, -42.0, -41.0), (2.2, 18.0, 2.2), yaw=-25.0), 40.0),
    (Ellipsoid((19.5, -48.0, -41.0), (1.8, 15.0, 4.5), yaw=-6.0), 48.0),
    (Ellipsoid((41.5, -48.0, -41.0), (1.8, 15.0, 4.5), yaw=-24.0), 48.0),
    (Ellipsoid((52.0, 22.0, -47.0), (8.0, 3.5, 3.5)), AIR),
    (Ellipsoid((20.0, 37.0, -76.0), (7.0, 11.0, 8.0), yaw=-20.0), BONE),
    (Ellipsoid((23.0, 38.0, -88.0), (9.0, 10.0, 7.0)), BONE),
)
_FACE_MIDLINE: tuple[tuple[Ellipsoid, float], ...] = (
    (Ellipsoid((0.0, -44.0, -38.0), (13.5, 24.0, 14.0)), BONE),
    (Ellipsoid((0.0, -45.0, -66.0), (13.0, 31.0, 19.0)), AIR),
    (Ellipsoid((0.0, -40.0, -66.0), (1.5, 28.0, 19.0)), BONE),
    (Ellipsoid((8.0, -38.0, -70.0), (3.0, 20.0, 7.0)), 45.0),
    (Ellipsoid((-8.0, -38.0, -70.0), (3.0, 20.0, 7.0)), 45.0),
    (Ellipsoid((0.0, 5.0, -47.0), (21.0, 27.0, 14.0)), DIPLOE),
    (Ellipsoid((0.0, -12.0, -44.0), (15.0, 13.0, 10.0)), BONE),
    (Ellipsoid((0.0, -12.0, -44.0), (13.5, 11.5, 8.5)), AIR),
    (Ellipsoid((0.0, -12.0, -44.0), (0.9, 12.0, 9.0)), BONE),
    (Ellipsoid((0.0, -71.0, -20.0), (19.0, 7.5, 11.0)), BONE),
    (Ellipsoid((0.0, -71.5, -20.0), (16.5, 5.0, 9.0)), AIR),
    (Ellipsoid((0.0, -71.5, -20.0), (1.0, 6.0, 9.0)), BONE),
    (Ellipsoid((0.0, -1.0, -76.0), (11.0, 8.0, 17.0)), AIR),
    (Ellipsoid((0.0, -42.0, -91.0), (28.0, 33.0, 5.0)), BONE),
    (Ellipsoid((0.0, -40.0, -98.0), (24.0, 28.0, 8.0)), MUSCLE),
)
_MASTOID = Ellipsoid((51.0, 37.0, -52.0), (11.0, 13.0, 19.0), yaw=-10.0)
_ETHMOID = Ellipsoid((0.0, -44.0, -38.0), (12.0, 22.0, 12.5))
_ATLAS_Z, _ATLAS_HALF_HEIGHT = -92.0, 6.0
_DENS = Ellipsoid((0.0, 28.0, -92.0), (5.5, 5.5, 20.0))
_EYELID = Ellipsoid((31.5, -64.0, -41.0), (17.0, 16.0, 15.0))
_TEMPORALES = both(Ellipsoid((60.0, -20.0, -18.0), (16.0, 28.0, 34.0), yaw=-8.0))
# Shapes that join the outline of the head, and over how many mm the joint is rounded.
_OUTLINE = (
    (FACE, 6.0),
    (NECK, 6.0),
    (NOSE, 6.0),
    *((shape, 3.0) for shape in both(_EYELID)),
    *((shape, 10.0) for shape in _TEMPORALES),
)


def blend(image: Array, points: Points, filled: Array, hu: Array | float) -> None:
    """Mix `hu` into the pixels of `points`, in place, by the part of each voxel that is filled."""
    view = image[points.box]
    view += filled * (np.asarray(hu, dtype=np.float32) - view)


def paint_shape(
    image: Array, points: Points, shape: Ellipsoid, hu: float, soften: float = 0.0, margin: float = 3.0
) -> None:
    """Paint one ellipsoid; `margin` is how far beyond its own box to look, mm."""
    near = points.crop(shape.center, shape.half_extents, margin)
    if near is not None:
        blend(image, near, ellipsoid_occupancy(near, shape, soften), hu)


def paint_outer(image: Array, head: HeadModel, points: Points, cavity: Array, width: Array) -> None:
    """Paint soft tissue, face, skull and spine.

    `cavity` is the distance to the inner table (mm, negative inside), `width` how many mm partial volume blurs it.
    """
    skull = skull_thickness(head, points)
    texture = head.texture.on(points)
    _paint_soft_tissue(image, head, points, cavity - skull, width, texture)
    low = float(points.z.min()) < 5
    if low:
        _paint_face(image, head, points)
    outer = occupancy(cavity - skull, width)
    middle = np.abs(cavity - np.float32(0.52) * skull)
    bone = np.float32(BONE) - np.float32(BONE - DIPLOE) * occupancy(middle - np.float32(0.24) * skull, 2.0)
    bone += np.float32(90) * texture
    if low:
        bone = np.where(points.z < -15, np.maximum(bone, np.float32(900)), bone)
        outer *= 1 - _nothing_below(points, width)
    blend(image, points, outer, bone)
    if low:
        _paint_skull_base(image, head, points)


def skull_thickness(head: HeadModel, points: Points) -> Array:
    """Return the thickness of the skull, mm: thick at frontal and occipital bone, thin at the temporal squama."""
    y = (points.y - 16) * np.float32(1 / 83)
    vault = np.float32(head.skull_mm) + np.float32(2.5) * y * y
    squama = np.clip((8 - points.z) * np.float32(1 / 40), 0, 1) * np.clip(np.abs(points.x) * np.float32(1 / 55), 0, 1)
    base = np.clip((-12 - points.z) * np.float32(1 / 15), 0, 1)
    return vault - np.float32(2.0) * squama - np.float32(1.8) * base * (1 + np.float32(0.6) * (points.y < -25))


def _nothing_below(points: Points, width: Array) -> Array:
    """Occupancy of what lies below the skull base, where the shell around the cavity ends."""
    return occupancy(points.z + np.float32(76), width)


def _paint_soft_tissue(
    image: Array, head: HeadModel, points: Points, outside_skull: Array, width: Array, texture: Array
) -> None:
    skin = outside_skull - np.float32(head.scalp_mm)
    edge: Array = width
    low = float(points.z.min()) < 25
    if low:
        edge = np.minimum(width, np.float32(2.5 * points.plane.pixel))
        _add_face_and_neck(skin, points, outside_skull - np.float32(head.scalp_mm + 3.5))
    fat = occupancy(skin + np.float32(2.4), 1.5) * occupancy(np.float32(1.2) - outside_skull, 1.5)
    tissue = np.float32(SKIN) + fat * np.float32(FAT - SKIN)
    if low:
        planes = occupancy(np.abs(head.gyri.on(points)) - np.float32(0.1), 0.3)
        planes *= np.clip(texture + np.float32(0.4), 0, 1)
        muscle = np.float32(MUSCLE) + planes * np.float32(FAT - MUSCLE)
        deep = occupancy(skin + np.float32(6), 2.5) * occupancy(points.z + np.float32(22), 8.0)
        tissue += deep * (muscle - tissue)
        _add_temporalis(tissue, points, skin)
    blend(image, points, occupancy(skin, edge), tissue)


def _add_face_and_neck(skin: Array, points: Points, beyond_scalp: Array) -> None:
    """Widen the distance to the skin, in place, by face, nose, neck, eyelids and the temporal muscles."""
    for shape, rounding in _OUTLINE:
        near = points.crop(shape.center, shape.half_extents, 12.0)
        if near is None:
            continue
        inner = near.within(points)
        distance = ellipsoid_distance(near.x, near.y, near.z, shape)
        if shape in _TEMPORALES:
            distance = np.maximum(distance - 2, beyond_scalp[inner])
        skin[inner] = smooth_minimum(skin[inner], distance, rounding)


def _add_temporalis(tissue: Array, points: Points, skin: Array) -> None:
    for shape in _TEMPORALES:
        near = points.crop(shape.center, shape.half_extents, 2.0)
        if near is not None:
            inner = near.within(points)
            deep = occupancy(skin[inner] + np.float32(3.5), 2.0)
            tissue[inner] += deep * ellipsoid_occupancy(near, shape) * (np.float32(MUSCLE) - tissue[inner])


def _paint_face(image: Array, head: HeadModel, points: Points) -> None:
    for shape, hu in _FACE_MIDLINE:
        paint_shape(image, points, shape, hu)
    _paint_cells(image, head, points, _ETHMOID)
    for shape, hu in _FACE_PAIRS:
        for each in both(shape):
            paint_shape(image, points, each, hu)


def _paint_cells(image: Array, head: HeadModel, points: Points, shape: Ellipsoid) -> None:
    """Paint bone with air cells."""
    near = points.crop(shape.center, shape.half_extents, 3.0)
    if near is None:
        return
    cells = np.clip(np.abs(head.folia.on(near)) * 3, 0, 1)
    blend(image, near, ellipsoid_occupancy(near, shape), np.float32(700) - np.float32(1500) * cells)


def _paint_skull_base(image: Array, head: HeadModel, points: Points) -> None:
    for shape in both(PETROUS):
        paint_shape(image, points, shape, DENSE_BONE)
    for shape in both(_MASTOID):
        paint_shape(image, points, shape, BONE)
        _paint_cells(image, head, points, shape.scaled(0.85))
    for shape in both(Ellipsoid((43.0, 23.0, -44.0), (7.0, 2.5, 3.0), yaw=35.0)):
        paint_shape(image, points, shape, -600.0)
    _paint_spine(image, points)


def _paint_spine(image: Array, points: Points) -> None:
    """Paint atlas, dens and the canal that opens through the foramen magnum, with dura, CSF and cord."""
    cx, cy, cz = FORAMEN_MAGNUM
    near = points.crop((cx, cy, cz - 30), (30.0, 34.0, 45.0), 2.0)
    if near is None:
        return
    x, y, z = near.x, near.y, near.z
    down = np.clip((np.float32(cz + 2) - z) * np.float32(1 / 18), 0, 1)
    radial = np.hypot(x, (y - np.float32(cy)) * np.float32(0.92)) - (np.float32(15.5) - 3 * down)
    edge = np.float32(1.5 * points.plane.pixel)
    level = np.abs(z - np.float32(_ATLAS_Z)) - np.float32(_ATLAS_HALF_HEIGHT)
    ring = np.maximum(radial - 6, level)
    blend(image, near, occupancy(ring, edge + 1), BONE)
    paint_shape(image, points, _DENS, BONE)
    open_below = occupancy(z - np.float32(cz + 3.5), 3.0)
    blend(image, near, occupancy(radial, edge) * open_below, 25.0)
    blend(image, near, occupancy(radial + np.float32(1.5), edge) * open_below, CSF)
    cord = np.hypot(x, (y - np.float32(cy - 1)) * np.float32(1.2)) - (np.float32(7.5) - down)
    blend(image, near, occupancy(cord, edge) * open_below, CORD)


def paint_head_holder(image: Array, rows_mm: Array, columns_mm: Array) -> None:
    """Paint the curved holder and its pad under the occiput, in place.

    `rows_mm` (rows, 1) and `columns_mm` (1, columns) are distances from the middle of the image.
    """
    lower = int(np.searchsorted(rows_mm[:, 0], np.float32(40)))
    rows_mm, image = rows_mm[lower:], image[lower:]
    radius = np.hypot(columns_mm, rows_mm - np.float32(12)) - np.float32(102)
    for inner, outer, hu in ((0.0, 5.0, -890.0), (5.0, 8.0, -120.0)):
        layer = occupancy(np.abs(radius - np.float32((inner + outer) / 2)) - np.float32((outer - inner) / 2), 1.0)
        image += layer * np.maximum(np.float32(hu) - image, 0)
