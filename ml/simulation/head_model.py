"""One simulated head: its size, pose and cranial cavity, and how the hematoma displaces what surrounds it.

Three coordinate systems, all LPS in mm: the patient's (DICOM), the head's (rigid: turned and moved), and the model's
(the head's divided by its size), in which the anatomy of `head_outer` and `head_brain` is written. The model's origin
lies midway between the anterior and posterior commissure; `x` there is warped so that the head is narrower in front.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ml.simulation.head_hematoma import Hematoma, place_hematoma
from ml.simulation.head_shapes import (
    EGG,
    EGG_LENGTH_MM,
    Array,
    Ellipsoid,
    Plane,
    Points,
    WaveField,
    both,
    egg,
    ellipsoid_distance,
    smooth_minimum,
)
from ml.simulation.phantom_spec import PhantomSpec, Site
from ml.simulation.phantom_stack import SliceStack

Vector = NDArray[np.float64]

DOME = Ellipsoid((0.0, 16.0, 8.0), (66.0, 83.0, 66.0))
MIDDLE_FOSSA = Ellipsoid((39.0, -3.0, -27.0), (23.0, 29.0, 22.0))
POSTERIOR_FOSSA = Ellipsoid((0.0, 50.0, -34.0), (53.0, 42.0, 34.0))
PETROUS = Ellipsoid((35.0, 24.0, -43.0), (27.0, 8.0, 11.0), yaw=35.0)
FORAMEN_MAGNUM = (0.0, 46.0, -66.0)
SEPTUM_PELLUCIDUM = (0.0, -20.0, 8.0)
HEAD_BOX = ((0.0, 4.0, -30.0), (84.0, 116.0, 125.0))
ABOVE_FOSSAE_MM = 15.0
"""Above this level of the model the lower fossae are too far off to shape the cavity's surface."""
VAULT_MM = 18.0
"""More than skull and scalp together measure anywhere over the dome."""
TAPER_MM = 25.0


@dataclass(frozen=True, eq=False)
class Displacement:
    """Smooth push of tissue along `direction`, widest at `center` (model mm) and zero at the inner table."""

    center: Vector
    direction: Vector
    amplitude: float
    width: float

    def size(self, x: Array, y: Array, z: Array, depth: Array) -> Array:
        """Return the length of the push, mm, at model points `depth` mm below the inner table."""
        c = self.center.astype(np.float32)
        r2 = (x - c[0]) ** 2 + (y - c[1]) ** 2 + (z - c[2]) ** 2
        fall = 1 + r2 * np.float32(1 / self.width**2)
        return np.clip(depth * np.float32(1 / TAPER_MM), 0, 1) * np.float32(self.amplitude) / (fall * fall)


@dataclass(frozen=True, eq=False)
class HeadModel:
    """A head drawn at random from a seed, with its hematoma."""

    spec: PhantomSpec
    rotation: Vector
    translation: Vector
    scale: Vector
    ventricle_size: float
    sulcus_mm: float
    skull_mm: float
    scalp_mm: float
    gyri: WaveField
    folia: WaveField
    texture: WaveField
    hematoma: Hematoma | None
    displacement: Displacement

    def with_hematoma(self, hematoma: Hematoma) -> "HeadModel":
        """Return the same head with another hematoma and what that displaces."""
        return replace(self, hematoma=hematoma, displacement=_displacement(self.spec, hematoma, self.scale))

    def to_head(self, patient: Vector) -> Vector:
        """Map patient points (n, 3) to the head's rigid coordinates."""
        return np.asarray((patient - self.translation) @ self.rotation)

    def to_patient(self, model: Vector) -> Vector:
        """Map model points (n, 3), not warped, to the patient's coordinates."""
        return np.asarray((model * self.scale) @ self.rotation.T + self.translation)

    def plane(self, stack: SliceStack, index: int) -> Plane:
        """Return slice `index` of a stack in model coordinates."""
        into = self.rotation / self.scale
        normal = stack.normal @ self.rotation
        return Plane(
            origin=(stack.positions[index] - self.translation) @ into,
            across=stack.row_direction @ into * stack.pixel_mm,
            down=stack.column_direction @ into * stack.pixel_mm,
            normal=normal,
            pixel=stack.pixel_mm,
            thickness=float(stack.thickness[index]),
            shape=stack.shape,
        )

    def points(self, plane: Plane) -> Points | None:
        """Return the model points of the part of a slice that can hold any of the head; None above the vertex."""
        box = plane.box(*HEAD_BOX, 4.0)
        if box is None:
            return None
        corners = [(r, c) for r in (box[0].start, box[0].stop) for c in (box[1].start, box[1].stop)]
        lowest = min(float(plane.origin[2] + r * plane.down[2] + c * plane.across[2]) for r, c in corners)
        if lowest > DOME.center[2]:
            # Above the widest level the head narrows like the dome with skull and scalp on it.
            a, b, c = (radius + VAULT_MM for radius in DOME.radii)
            part = np.sqrt(max(0.0, 1 - ((lowest - DOME.center[2]) / c) ** 2))
            box = plane.box(DOME.center, (a * part, b * part, c), 4.0)
            if box is None:
                return None
        x, y, z = plane.coordinates(box)
        return Points(egg(x, y), y, z, plane, box)

    def hematoma_ratio(self, points: Points) -> tuple[Array, Array]:
        """Return `Hematoma.ratio` at model points (the body itself lives in the head's rigid coordinates)."""
        assert self.hematoma is not None
        sx, sy, sz = self.scale.astype(np.float32)
        return self.hematoma.ratio(unwarp(points.x, points.y) * sx, points.y * sy, points.z * sz)

    def displaced(self, points: Points, cavity: Array) -> tuple[Points, Array]:
        """Return where the tissue now at `points` came from, and how far it moved (mm)."""
        push = self.displacement.size(points.x, points.y, points.z, -cavity)
        u = self.displacement.direction.astype(np.float32)
        moved = Points(points.x - u[0] * push, points.y - u[1] * push, points.z - u[2] * push, points.plane, points.box)
        return moved, push

    def depth(self, points: Vector) -> Vector:
        """Return how deep below the inner table points (n, 3) of the head's rigid coordinates lie, mm, shape (n,)."""
        return _depth(points, self.scale)

    @property
    def midline_shift_mm(self) -> float:
        """Shift of the septum pellucidum in x, mm: positive to the patient's left."""
        at = np.array(SEPTUM_PELLUCIDUM)
        for _ in range(50):
            x, y, z = (np.atleast_1d(v).astype(np.float32) for v in at)
            push = float(self.displacement.size(x, y, z, -cavity_distance(x, y, z))[0])
            at = np.array(SEPTUM_PELLUCIDUM) + push * self.displacement.direction
        return float(at[0] * self.scale[0])


def unwarp(x: Array, y: Array) -> Array:
    """Undo `egg`."""
    return np.asarray(x / (1 - np.float32(EGG / EGG_LENGTH_MM) * y), dtype=np.float32)


def cavity_distance(x: Array, y: Array, z: Array) -> Array:
    """Return the signed distance to the inner table of the skull, mm, negative inside the cranial cavity."""
    base = np.float32(-26) - np.float32(0.28) * (y + 35) - z
    dome = -smooth_minimum(-ellipsoid_distance(x, y, z, DOME), -base * np.float32(0.96), 6.0)
    if float(z.min()) > ABOVE_FOSSAE_MM:
        return dome
    middle = ellipsoid_distance(np.abs(x), y, z, MIDDLE_FOSSA)
    cavity = smooth_minimum(dome, middle, 5.0)
    cavity = smooth_minimum(cavity, ellipsoid_distance(x, y, z, POSTERIOR_FOSSA), 5.0)
    return np.maximum(cavity, -ellipsoid_distance(np.abs(x), y, z, PETROUS))


def make_head(spec: PhantomSpec, rng: np.random.Generator) -> HeadModel:
    """Draw a head: size, pose, atrophy, skull, texture and hematoma, all from `rng`."""
    scale = np.clip(rng.normal(0.97, 0.025) + rng.normal(0, 0.015, 3), 0.88, 1.06)
    angles = np.deg2rad(np.clip(rng.normal(0, 2.5, 3), -6, 6))
    translation = np.append(np.clip(rng.normal(0, 4, 2), -8, 8), rng.uniform(-60, 60))
    atrophy = rng.uniform(0, 1)
    # Drawn in this order, which is part of what a seed means.
    skull_mm, scalp_mm = float(rng.uniform(5.0, 7.5)), float(rng.uniform(4.5, 7.0))
    gyri, folia, texture = WaveField(rng, 19.0), WaveField(rng, 5.5), WaveField(rng, 9.0)

    hematoma = place_hematoma(spec, rng, scale, lambda points: _depth(points, scale))
    return HeadModel(
        spec=spec,
        rotation=_euler(*angles),
        translation=translation,
        scale=scale,
        ventricle_size=0.9 + 0.3 * atrophy,
        sulcus_mm=0.35 + 0.75 * atrophy,
        hematoma=hematoma,
        displacement=_displacement(spec, hematoma, scale),
        skull_mm=skull_mm,
        scalp_mm=scalp_mm,
        gyri=gyri,
        folia=folia,
        texture=texture,
    )


def _depth(points: Vector, scale: Vector) -> Vector:
    x, y, z = (points / scale).astype(np.float32).T
    return np.asarray(-cavity_distance(egg(x, y), y, z), dtype=np.float64)


def _displacement(spec: PhantomSpec, hematoma: Hematoma | None, scale: Vector) -> Displacement:
    if hematoma is None:
        return Displacement(np.zeros(3), np.array([1.0, 0.0, 0.0]), 0.0, 40.0)
    center = hematoma.center / scale
    center[0] *= 1 - EGG * center[1] / EGG_LENGTH_MM
    side = np.sign(center[0]) or 1.0
    if spec.site is Site.BRAINSTEM:
        direction, most, width = np.array([0.0, 1.0, 0.0]), 4.0, 18.0
    elif spec.site is Site.CEREBELLUM:
        direction, most, width = np.array([-0.7 * side, -0.7, 0.0]), 8.0, 22.0
    else:
        direction, most, width = np.array([-side, 0.0, 0.0]), 26.0, 42.0
    amplitude = spec.mass_effect * most * (1 - np.exp(-spec.volume_ml / (2.7 * most)))
    return Displacement(center, direction, float(amplitude), width)


def _euler(pitch: float, roll: float, yaw: float) -> Vector:
    cx, sx, cy, sy, cz, sz = (f(a) for a in (pitch, roll, yaw) for f in (np.cos, np.sin))
    about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    return np.asarray(about_z @ about_y @ about_x)


def cavity_ellipsoids() -> tuple[Ellipsoid, ...]:
    """Return the fossae whose lowest points bound the brain from below."""
    return (*both(MIDDLE_FOSSA), POSTERIOR_FOSSA)
