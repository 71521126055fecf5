"""Phantoms whose outcome depends on volume, edema and blood in the ventricles, and where these lie in the CT."""

from __future__ import annotations

import hashlib
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from ml.preprocessing import Preprocessed, preprocess
from ml.preprocessing.box import SHAPE, VOXEL_MM
from ml.simulation import MAX_VOLUME_ML, PhantomSpec, Side, Site, simulate_ct
from ml.simulation.head_brain import paint_brain, ventricles
from ml.simulation.head_model import FORAMEN_MAGNUM, HeadModel, cavity_distance, make_head
from ml.simulation.head_shapes import egg, ellipsoid_distance, partial_volume_width
from ml.simulation.phantom_stack import SliceStack
from ml.training import Case, Manifest, write_manifest
from ml.volumes import Volume, read_series

INPUT = (32, 48, 48)
SITES = (Site.BASAL_GANGLIA, Site.THALAMUS, Site.LOBAR_FRONTAL, Site.LOBAR_TEMPORAL, Site.LOBAR_PARIETAL)


def draw_spec(rng: np.random.Generator, *, poor: bool) -> PhantomSpec:
    """Draw a head: with a poor outcome the hematoma is larger, the edema wider, blood in the ventricles usual."""
    site = SITES[rng.integers(len(SITES))]
    volume = float(np.exp(rng.normal(np.log(40 if poor else 11), 0.5)))
    return PhantomSpec(
        site=site,
        side=Side.LEFT if rng.random() < 0.5 else Side.RIGHT,
        volume_ml=float(np.clip(volume, 2, 0.8 * MAX_VOLUME_ML[site])),
        ivh=bool(rng.random() < (0.7 if poor else 0.15)),
        edema=float(rng.uniform(0.8, 2.5) if poor else rng.uniform(0.2, 1.6)),
        rows=96,
        columns=96,
    )


def write_study(folder: Path, n: int) -> Path:
    """Paint ``n`` brains straight onto the network's grid, every other one with a poor outcome."""
    cases = []
    for number in range(n):
        spec = draw_spec(np.random.default_rng((1, number)), poor=bool(number % 2))
        path = folder / f"{number}.npy"
        np.save(path, paint(spec, number))
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        case = Case(
            id=str(number), patient=str(number), center="C", label=number % 2,
            image=path.name, image_sha256=digest, clinical={},
        )  # fmt: skip
        cases.append(case)
    manifest = folder / "manifest.json"
    write_manifest(Manifest(snapshot_digest="0" * 64, features=(), cases=tuple(cases)), manifest)
    return manifest


def paint(spec: PhantomSpec, seed: int) -> NDArray[np.float16]:
    """Return a brain as preprocessing would give it, ``INPUT`` (z, y, x), without the detour over DICOM files."""
    rng = np.random.default_rng(seed)
    head = make_head(spec, rng)
    stack = _grid(head.to_patient(np.array([0.0, 16.0, 4.0])) + rng.normal(0, 1.5, 3))
    image = np.zeros(INPUT, dtype=np.float32)
    for index, hu in enumerate(image):
        plane = head.plane(stack, index)
        points = head.points(plane)
        if points is None:
            continue
        cavity = cavity_distance(points.x, points.y, points.z)
        paint_brain(hu, head, points, cavity, partial_volume_width(cavity, plane))
        hu += rng.normal(0, 1, hu.shape)
        inside = np.zeros(hu.shape, dtype=bool)
        inside[points.box] = (cavity < 0) & (points.z > FORAMEN_MAGNUM[2])
        hu[~inside] = 0
    return (image.clip(0, 90) / 90).astype(np.float16)


def _grid(middle: NDArray[np.float64]) -> SliceStack:
    """The network's grid as slices around a point, LPS mm."""
    dz, dy, dx = np.array(SHAPE) * VOXEL_MM / INPUT
    first = middle - np.array([dx, dy, dz]) * (np.array(INPUT[::-1]) - 1) / 2
    positions = first + np.outer(np.arange(INPUT[0]) * dz, [0, 0, 1])
    x, y, z = np.eye(3)
    return SliceStack(positions, x, y, z, positions[:, 2], np.full(INPUT[0], dz), dx, INPUT[1:])


@dataclass(frozen=True, eq=False)
class Scan:
    """A simulated CT, its preprocessing, and what is what in it; masks are bool on the CT's grid."""

    volume: Volume
    preprocessed: Preprocessed
    brain: NDArray[np.bool_]
    injured: NDArray[np.bool_]
    """Hematoma, edema and ventricles."""


def scan(seed: int) -> Scan:
    """Simulate the CT of a patient with a poor outcome, with DICOM files and all."""
    spec = draw_spec(np.random.default_rng((2, seed)), poor=True)
    with tempfile.TemporaryDirectory() as folder:
        truth = simulate_ct(folder, spec=spec, seed=10_000 + seed)
        volume = read_series(sorted(Path(folder).iterdir()))
    brain = truth.brain_mask.astype(bool)
    hematoma = truth.hematoma_mask.astype(bool)
    # As wide as ml.simulation.head_brain paints it, at its widest.
    rim = 1.25 * spec.edema * min(9.0, 3.0 + 0.08 * spec.volume_ml)
    away = distance_transform_edt(~hematoma, sampling=(volume.gaps[0], *volume.pixel_spacing))
    fluid = _in_ventricles(make_head(spec, np.random.default_rng(10_000 + seed)), volume)
    return Scan(volume, preprocess(volume), brain, brain & ((away <= rim) | fluid | truth.ivh_mask.astype(bool)))


def _in_ventricles(head: HeadModel, volume: Volume) -> NDArray[np.bool_]:
    z, y, x = (np.arange(size) for size in volume.shape)
    points = head.to_head(volume.voxel_to_lps(z[:, None, None], y[:, None], x).reshape(-1, 3)) / head.scale
    px, py, pz = points.T.astype(np.float32)
    px = egg(px, py)
    push = head.displacement.size(px, py, pz, -cavity_distance(px, py, pz))
    source = [at - u * push for at, u in zip((px, py, pz), head.displacement.direction, strict=True)]
    inside = np.zeros(len(points), dtype=bool)
    for shape in ventricles(head):
        inside |= ellipsoid_distance(*source, shape) < 0
    return inside.reshape(volume.shape)
