"""Analytic shapes sampled on a slice plane: ellipsoids with partial volume, and random wave fields for texture."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Vector = NDArray[np.float64]
Box = tuple[slice, slice]

EGG = 0.12
"""How much narrower the head is in front than behind, as a fraction of its width."""
EGG_LENGTH_MM = 83.0


@dataclass(frozen=True)
class Ellipsoid:
    """Solid ellipsoid in model coordinates (LPS, mm); `yaw` turns it about the long axis of the body, degrees."""

    center: tuple[float, float, float]
    radii: tuple[float, float, float]
    yaw: float = 0.0

    def mirrored(self) -> "Ellipsoid":
        """Return the same ellipsoid on the other side of the midline."""
        x, y, z = self.center
        return Ellipsoid((-x, y, z), self.radii, -self.yaw)

    def scaled(self, factor: float) -> "Ellipsoid":
        """Return the ellipsoid with its radii multiplied by `factor`."""
        a, b, c = self.radii
        return Ellipsoid(self.center, (a * factor, b * factor, c * factor), self.yaw)

    @cached_property
    def half_extents(self) -> tuple[float, float, float]:
        """Half the edges of the box around it, mm, with room for the egg-shaped warp."""
        a, b, c = self.radii
        cos, sin = np.cos(np.deg2rad(self.yaw)), np.sin(np.deg2rad(self.yaw))
        return 1.16 * float(np.hypot(a * cos, b * sin)) + 1.0, float(np.hypot(a * sin, b * cos)), c


def both(shape: Ellipsoid) -> tuple[Ellipsoid, Ellipsoid]:
    """Return a shape and its mirror image."""
    return shape, shape.mirrored()


@dataclass(frozen=True, eq=False)
class Plane:
    """One slice plane in model coordinates: ``origin + column * across + row * down``, mm.

    `pixel` is the in-plane sampling distance and `thickness` the slice thickness, mm; `normal` points to the head.
    """

    origin: Vector
    across: Vector
    down: Vector
    normal: Vector
    pixel: float
    thickness: float
    shape: tuple[int, int]

    def box(self, center: tuple[float, float, float], half: tuple[float, float, float], margin: float) -> Box | None:
        """Return the pixels that the axis-parallel box of model space can reach, or None where the plane misses it."""
        reach = np.asarray(half) + margin
        middle = np.array(center)
        middle[0] /= 1.0 - EGG * middle[1] / EGG_LENGTH_MM
        offset = middle - self.origin
        if abs(self.normal @ offset) > np.abs(self.normal) @ reach + self.thickness / 2:
            return None
        ranges = []
        for step, size in ((self.down, self.shape[0]), (self.across, self.shape[1])):
            dual = step / (step @ step)
            at, width = dual @ offset, np.abs(dual) @ reach + 1
            low, high = max(0, int(at - width)), min(size, int(at + width) + 2)
            if low >= high:
                return None
            ranges.append(slice(low, high))
        return ranges[0], ranges[1]

    def coordinates(self, box: Box) -> tuple[Array, Array, Array]:
        """Return x, y, z of the pixel centers in `box` as float32 arrays (rows, columns), mm, without the egg warp."""
        rows = np.arange(box[0].start, box[0].stop, dtype=np.float64)[:, None]
        columns = np.arange(box[1].start, box[1].stop, dtype=np.float64)[None, :]
        x, y, z = (
            (self.origin[i] + rows * self.down[i]).astype(np.float32) + (columns * self.across[i]).astype(np.float32)
            for i in range(3)
        )
        return x, y, z


@dataclass(frozen=True, eq=False)
class Points:
    """Model coordinates (egg-warped) of the pixels of one box of a plane, and where the box lies."""

    x: Array
    y: Array
    z: Array
    plane: Plane
    box: Box

    def crop(
        self, center: tuple[float, float, float], half: tuple[float, float, float], margin: float
    ) -> "Points | None":
        """Return the part near an axis-parallel box of model space."""
        inner = self.plane.box(center, half, margin)
        if inner is None:
            return None
        spans = []
        for span, own in zip(inner, self.box, strict=True):
            low, high = max(span.start, own.start) - own.start, min(span.stop, own.stop) - own.start
            if low >= high:
                return None
            spans.append(slice(low, high))
        return self.part((spans[0], spans[1]))

    def within(self, outer: "Points") -> Box:
        """Return where this box lies in the arrays of `outer`."""
        rows, columns = (slice(a.start - b.start, a.stop - b.start) for a, b in zip(self.box, outer.box, strict=True))
        return rows, columns

    def part(self, inner: Box) -> "Points":
        """Return the sub-box `inner`, counted from this box's own corner."""
        rows, columns = (slice(a.start + b.start, a.start + b.stop) for a, b in zip(self.box, inner, strict=True))
        return Points(self.x[inner], self.y[inner], self.z[inner], self.plane, (rows, columns))


def egg(x: Array, y: Array) -> Array:
    """Return x after the warp that makes the head narrower in front (small y) than behind."""
    return np.asarray(x * (np.float32(1) - np.float32(EGG / EGG_LENGTH_MM) * y), dtype=np.float32)


def ellipsoid_distance(x: Array, y: Array, z: Array, shape: Ellipsoid) -> Array:
    """Return the approximate signed distance to an ellipsoid, mm, negative inside.

    The first-order estimate ``k0 (k0 - 1) / k1`` with ``k0 = |p / r|``, ``k1 = |p / r^2|``; its zero set is exact.
    """
    return _distance_and_gradient(x, y, z, shape)[0]


def _distance_and_gradient(
    x: Array, y: Array, z: Array, shape: Ellipsoid
) -> tuple[Array, tuple[Array, Array, Array], Array]:
    """Return the distance, the gradient of k0^2 / 2 in the ellipsoid's own axes, and the gradient's length."""
    px, py = x - np.float32(shape.center[0]), y - np.float32(shape.center[1])
    pz = z - np.float32(shape.center[2])
    if shape.yaw:
        cos, sin = np.float32(np.cos(np.deg2rad(shape.yaw))), np.float32(np.sin(np.deg2rad(shape.yaw)))
        px, py = cos * px + sin * py, cos * py - sin * px
    gradient, squares = [], []
    for p, radius in ((px, shape.radii[0]), (py, shape.radii[1]), (pz, shape.radii[2])):
        g = p * np.float32(1 / radius**2)
        gradient.append(g)
        p *= g
        g2 = g * g
        squares.append((p, g2))
    k0, k1 = squares[0]
    for p, g2 in squares[1:]:
        k0 += p
        k1 += g2
    k0, k1 = np.sqrt(k0, out=k0), np.sqrt(k1, out=k1)
    k1 += np.float32(1e-6)
    distance = k0 - 1
    distance *= k0
    distance /= k1
    return distance, (gradient[0], gradient[1], gradient[2]), k1


def ellipsoid_occupancy(points: Points, shape: Ellipsoid, soften: float = 0.0) -> Array:
    """Return how much of each voxel the ellipsoid fills, 0 to 1: partial volume in the plane and through the slice."""
    d, (gx, gy, gz), k1 = _distance_and_gradient(points.x, points.y, points.z, shape)
    plane = points.plane
    n = plane.normal
    if shape.yaw:
        cos, sin = np.cos(np.deg2rad(shape.yaw)), np.sin(np.deg2rad(shape.yaw))
        n = np.array([cos * n[0] + sin * n[1], cos * n[1] - sin * n[0], n[2]])
    n = (n * plane.thickness).astype(np.float32)
    through = (gx * n[0] + gy * n[1] + gz * n[2]) / k1
    through *= through
    through += np.float32((1.2 * plane.pixel + soften) ** 2)
    return occupancy(d, np.sqrt(through, out=through))


def occupancy(distance: Array, width: Array | np.float32 | float) -> Array:
    """Return the filled part of a voxel `width` mm deep whose center lies `distance` mm outside a surface."""
    filled = np.divide(distance, np.asarray(width, dtype=np.float32), dtype=np.float32)
    np.subtract(np.float32(0.5), filled, out=filled)
    return np.clip(filled, 0, 1, out=filled)


def partial_volume_width(distance: Array, plane: Plane) -> Array:
    """Return over how many mm of distance a surface is blurred by pixel size and slice thickness.

    The gradient of a distance field has length 1; what is missing of it in the plane points through the slice.
    """
    if min(distance.shape) < 2:  # no gradient to be had from a line of pixels
        return np.full_like(distance, np.hypot(plane.thickness, 1.2 * plane.pixel))
    rows, columns = (np.asarray(part) for part in np.gradient(distance, np.float32(plane.pixel)))
    rows *= rows
    columns *= columns
    rows += columns
    through = np.clip(np.subtract(1, rows, out=rows), 0, 1, out=rows)
    through *= np.float32(plane.thickness**2)
    through += np.float32((1.2 * plane.pixel) ** 2)
    return np.sqrt(through, out=through)


def smooth_minimum(a: Array, b: Array, k: float) -> Array:
    """Return the minimum of two distance fields, rounded over `k` mm (polynomial smooth minimum)."""
    h = np.subtract(a, b)
    np.abs(h, out=h)
    np.subtract(np.float32(k), h, out=h)
    np.maximum(h, 0, out=h)
    h *= h
    h *= np.float32(0.25 / k)
    return np.subtract(np.minimum(a, b), h, out=h)


class WaveField:
    """Random field of one wavelength: a sum of plane waves in random directions, of unit variance.

    On a plane each wave is a product of a row term and a column term, so that a slice costs one matrix product. The
    zero set of such a field is a labyrinth of even width: seen in a slice it looks like gyri and sulci.
    """

    def __init__(self, rng: np.random.Generator, wavelength_mm: float, waves: int = 20) -> None:
        directions = rng.normal(size=(waves, 3))
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
        self._k = directions * (2 * np.pi / wavelength_mm) * rng.uniform(0.85, 1.15, size=(waves, 1))
        self._phase = rng.uniform(0, 2 * np.pi, waves)
        self._scale = np.sqrt(2.0 / waves)

    def on(self, points: Points) -> Array:
        """Return the field at the pixels of `points`, float32."""
        plane, (rows, columns) = points.plane, points.box
        down = np.outer(np.arange(rows.start, rows.stop), self._k @ plane.down)
        down += self._phase + self._k @ plane.origin
        across = np.outer(self._k @ plane.across, np.arange(columns.start, columns.stop))
        left = np.concatenate([np.cos(down), np.sin(down)], axis=1) * self._scale
        right = np.concatenate([np.cos(across), -np.sin(across)], axis=0)
        return left.astype(np.float32) @ right.astype(np.float32)
