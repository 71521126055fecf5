"""The hematoma: a star-shaped body whose volume is known in closed form, and where it lies for each site."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ml.errors import MLError
from ml.simulation.head_shapes import Array
from ml.simulation.phantom_spec import PhantomSpec, Side, Site

Vector = NDArray[np.float64]

_POWER = 12
"""Exponent of a lobe: the radius is a polynomial on the sphere, of degree 12, its cube of degree 36."""
_POLAR, _AZIMUTHS = 24, 48
"""Nodes of the product Gauss rule; exact to degree 47."""

# Center on the patient's left (LPS mm, model coordinates) and relative semi-axes.
_SITES: dict[Site, tuple[tuple[float, float, float], tuple[float, float, float]]] = {
    Site.BASAL_GANGLIA: ((29.0, 0.0, 4.0), (0.80, 1.35, 1.0)),
    Site.THALAMUS: ((13.0, 17.0, 7.0), (0.85, 1.15, 1.0)),
    Site.LOBAR_FRONTAL: ((27.0, -35.0, 26.0), (0.95, 1.15, 1.0)),
    Site.LOBAR_TEMPORAL: ((44.0, 8.0, -20.0), (0.75, 1.35, 0.95)),
    Site.LOBAR_PARIETAL: ((32.0, 48.0, 36.0), (0.95, 1.1, 1.0)),
    Site.LOBAR_OCCIPITAL: ((26.0, 72.0, 10.0), (0.9, 1.15, 1.0)),
    Site.CEREBELLUM: ((22.0, 60.0, -38.0), (1.0, 1.0, 0.9)),
    Site.BRAINSTEM: ((1.5, 24.0, -30.0), (0.95, 0.9, 1.2)),
}
# Where a body that does not fit is moved to, step by step.
_ROOM: dict[Site, tuple[float, float, float]] = {
    Site.CEREBELLUM: (12.0, 52.0, -34.0),
    Site.BRAINSTEM: (0.0, 34.0, -29.0),
}
_ROOM_SUPRATENTORIAL = (27.0, 14.0, 13.0)

MARGIN_MM = 2.0
"""Least depth of the hematoma below the inner table where it is placed."""
BEYOND_MIDLINE_MM = 4.0
BEYOND_MIDLINE_MM_PER_ML = 0.09
"""How far a supratentorial hematoma may reach over the undisplaced midline: a large one pushes the falx before it."""


@dataclass(frozen=True, eq=False)
class Hematoma:
    """Body ``|p - center| <= r(direction)`` in the head's own rigid coordinates (LPS, mm).

    `lobes` (k, 3) are unit vectors in the body's normalized space, `heights` (k,) their relative heights.
    """

    center: Vector
    radii: Vector
    rotation: Vector
    lobes: Vector
    heights: Vector
    attenuation_hu: float

    def ratio(self, x: Array, y: Array, z: Array) -> tuple[Array, Array]:
        """Return |p - c| / r (below 1 inside) and the approximate signed distance to the surface in mm."""
        p = [v - np.float32(c) for v, c in zip((x, y, z), self.center, strict=True)]
        m = (self.rotation / self.radii[:, None]).astype(np.float32)
        q = [m[i, 0] * p[0] + m[i, 1] * p[1] + m[i, 2] * p[2] for i in range(3)]
        k0 = np.sqrt(q[0] ** 2 + q[1] ** 2 + q[2] ** 2) + np.float32(1e-6)
        ratio = k0 / self._outline([v / k0 for v in q])
        distance = np.sqrt(p[0] ** 2 + p[1] ** 2 + p[2] ** 2) * (1 - 1 / ratio)
        return ratio, distance

    def _outline(self, u: list[Array]) -> Array:
        rho = np.ones_like(u[0])
        for (a, b, c), height in zip(self.lobes.astype(np.float32), self.heights.astype(np.float32), strict=True):
            half = a * u[0] + b * u[1] + c * u[2]
            half += 1
            cube = half * half
            cube *= half
            cube *= cube
            cube *= cube
            cube *= height * np.float32(0.5**_POWER)
            rho += cube
        return rho

    @property
    def volume_ml(self) -> float:
        """Exact volume, mL: the integral of r^3 / 3 over the sphere by a product Gauss rule exact for this outline."""
        nodes, weights = np.polynomial.legendre.leggauss(_POLAR)
        azimuth = np.arange(_AZIMUTHS, dtype=np.float64) * (2 * np.pi / _AZIMUTHS)
        u = _directions(nodes, azimuth)
        rho = self._outline64(u)
        integral = float((rho**3).reshape(_POLAR, _AZIMUTHS).sum(axis=1) @ weights) * (2 * np.pi / _AZIMUTHS) / 3
        return integral * float(np.prod(self.radii)) / 1000

    def _outline64(self, u: Vector) -> Vector:
        return 1 + (((1 + u @ self.lobes.T) / 2) ** _POWER) @ self.heights

    def surface(self) -> Vector:
        """Return 384 points of the surface, (n, 3), LPS mm."""
        u = _directions(np.linspace(-1, 1, 16), np.arange(24, dtype=np.float64) * (2 * np.pi / 24))
        return self.center + (u * self._outline64(u)[:, None] * self.radii) @ self.rotation

    @property
    def reach_mm(self) -> float:
        """Radius of a sphere around the center that holds the body, mm."""
        return float(self.radii.max() * (1 + self.heights.sum()))

    def moved(self, by: Vector) -> "Hematoma":
        """Return the same body elsewhere."""
        return replace(self, center=self.center + by)


def _directions(cosines: Vector, azimuth: Vector) -> Vector:
    sines = np.sqrt(np.clip(1 - cosines**2, 0, None))
    x, y = np.outer(sines, np.cos(azimuth)), np.outer(sines, np.sin(azimuth))
    return np.stack([x, y, np.repeat(cosines[:, None], len(azimuth), axis=1)], axis=-1).reshape(-1, 3)


def place_hematoma(
    spec: PhantomSpec, rng: np.random.Generator, scale: Vector, depth: Callable[[Vector], Vector]
) -> Hematoma | None:
    """Return the hematoma of `spec`, of exactly its volume and wholly inside the brain; None for a volume of 0.

    Parameters
    ----------
    scale
        Head size relative to the model, per axis.
    depth
        Maps points (n, 3) in the head's coordinates to their depth below the inner table, mm.

    Raises
    ------
    MLError
        ``hematoma_does_not_fit``: no place at this site holds the volume.
    """
    if spec.volume_ml == 0:
        return None
    side = np.array([1.0 if spec.side is Side.LEFT else -1.0, 1.0, 1.0])
    center, axes = (np.asarray(v) for v in _SITES[spec.site])
    start = (center + rng.normal(0, 2.0, 3) * (0.4 if spec.site.infratentorial else 1.0)) * side * scale
    room = np.asarray(_ROOM.get(spec.site, _ROOM_SUPRATENTORIAL)) * side * scale
    body = _body(spec, rng, axes, start)
    for step in np.linspace(0, 1, 26):
        # A body too long for its place also becomes rounder and smoother on the way.
        shape = replace(body, radii=body.radii ** (1 - step), heights=body.heights * (1 - step))
        candidate = replace(_with_volume(shape, spec.volume_ml), center=start + step * (room - start))
        if fits(candidate, spec, depth):
            return candidate
    raise MLError(
        "hematoma_does_not_fit",
        f"A hematoma of {spec.volume_ml:g} mL does not fit at this site in this head; choose a smaller volume.",
    )


def fits(body: Hematoma, spec: PhantomSpec, depth: Callable[[Vector], Vector], margin: float = MARGIN_MM) -> bool:
    """Return whether a body lies wholly inside the cranial cavity and on its own side."""
    surface = body.surface()
    inside = bool(depth(surface).min() >= margin)
    if spec.site.infratentorial:
        return inside
    sign = 1.0 if spec.side is Side.LEFT else -1.0
    beyond = BEYOND_MIDLINE_MM + BEYOND_MIDLINE_MM_PER_ML * spec.volume_ml
    return inside and float((surface[:, 0] * sign).min()) > -beyond


def _body(spec: PhantomSpec, rng: np.random.Generator, axes: Vector, center: Vector) -> Hematoma:
    sign = 1.0 if spec.side is Side.LEFT else -1.0
    yaw, pitch = np.deg2rad(rng.normal(0, 8, 2)) + np.array([np.deg2rad(12) * sign, 0])
    lobes = rng.normal(size=(4, 3))
    lobes /= np.linalg.norm(lobes, axis=1, keepdims=True)
    heights = rng.uniform(0.15, 0.5, 4) if spec.lobulated else np.zeros(4)
    attenuation = float(rng.uniform(59, 69))
    return Hematoma(center, axes / np.prod(axes) ** (1 / 3), _rotation(yaw, pitch), lobes, heights, attenuation)


def _with_volume(body: Hematoma, volume_ml: float) -> Hematoma:
    return replace(body, radii=body.radii * (volume_ml / body.volume_ml) ** (1 / 3))


def _rotation(yaw: float, pitch: float) -> Vector:
    c, s, cp, sp = np.cos(yaw), np.sin(yaw), np.cos(pitch), np.sin(pitch)
    return np.array([[c, s, 0], [-s, c, 0], [0, 0, 1]]) @ np.array([[1, 0, 0], [0, cp, sp], [0, -sp, cp]])
