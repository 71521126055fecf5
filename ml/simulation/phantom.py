"""A digital head phantom as a CT series: the DICOM files, the true masks and the true volumes."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from scipy.ndimage import gaussian_filter

from ml.simulation.dicom import series_header, write_slice
from ml.simulation.head_brain import blood_in_ventricles, paint_brain
from ml.simulation.head_hematoma import MARGIN_MM, fits
from ml.simulation.head_model import (
    DOME,
    FORAMEN_MAGNUM,
    HeadModel,
    cavity_distance,
    cavity_ellipsoids,
    make_head,
)
from ml.simulation.head_outer import AIR, paint_head_holder, paint_outer
from ml.simulation.head_shapes import EGG, EGG_LENGTH_MM, Array, Plane, Points, egg, partial_volume_width
from ml.simulation.phantom_spec import PhantomSpec
from ml.simulation.phantom_stack import SliceStack, stack_slices

Mask = NDArray[np.uint8]

BELOW_FORAMEN_MM = 20.0
ABOVE_VERTEX_MM = 6.0
IMAGE_CENTER_Y_MM = 6.0
CLOSE_ENOUGH = 0.003
"""Relative difference between planimetry at the slice planes and the true volume that ends the search for a place."""


@dataclass(frozen=True, eq=False)
class PhantomTruth:
    """What is known of a simulated CT.

    Masks are uint8 (z, y, x) on the series' own grid, slices from foot to head, judged at voxel centers.

    Attributes
    ----------
    hematoma_mask
        Parenchymal hematoma, without blood in the ventricles.
    ivh_mask
        Blood in the ventricles.
    brain_mask
        Contents of the skull above the foramen magnum: brain, fluid, hematoma.
    hematoma_ml
        Volume of the parenchymal hematoma in closed form, mL: independent of slices and voxels.
    ivh_ml
        Volume of blood in the ventricles, mL, integrated on a 1.5 mm grid independent of the slices.
    midline_shift_mm
        Displacement of the septum pellucidum in the head's own frame, mm; positive to the patient's left.
    gaps_mm
        (z - 1,) distances between slice planes along their normal, foot to head.
    tilt_degrees
        Gantry/Detector Tilt.
    foramen_magnum
        Its center, patient LPS mm, shape (3,).
    """

    hematoma_mask: Mask
    ivh_mask: Mask
    brain_mask: Mask
    hematoma_ml: float
    ivh_ml: float
    midline_shift_mm: float
    gaps_mm: NDArray[np.float64]
    tilt_degrees: float
    foramen_magnum: NDArray[np.float64]


def simulate_ct(
    directory: Path | str, *, spec: PhantomSpec, seed: int, patient_tags: Mapping[str, str] | None = None
) -> PhantomTruth:
    """Write a simulated head CT as DICOM files and return its truth.

    Parameters
    ----------
    directory
        Folder for the files; made where absent. File names are random and in no order.
    spec
        What to draw and how it is scanned.
    seed
        0 or more: head size, pose, shape, texture and noise. Same `spec`, `seed` and `patient_tags`: same bytes.
    patient_tags
        DICOM keywords and values that replace or add to `ml.simulation.dicom.ARTIFICIAL_IDENTITY`.

    Raises
    ------
    MLError
        ``hematoma_does_not_fit``, ``unknown_dicom_keyword``.

    Notes
    -----
    The hematoma is moved along the slices' normal by at most one slice, to the nearest place where sampling at slice
    centers integrates it within 0.3 %. Elsewhere the same hematoma cut into 5 to 7 mm slices can be off by several
    percent whatever reads it, which would say nothing about the reader.
    """
    rng = np.random.default_rng(seed)
    head = make_head(spec, rng)
    stack = _scan(head)
    head = _settle_hematoma(head, stack)
    header = series_header(stack, spec, seed, patient_tags)
    folder = Path(directory)
    folder.mkdir(parents=True, exist_ok=True)
    masks = _write_slices(folder, head, stack, header, rng)
    return _truth(head, stack, masks)


def _truth(head: HeadModel, stack: SliceStack, masks: Mask) -> PhantomTruth:
    return PhantomTruth(
        hematoma_mask=masks[0],
        ivh_mask=masks[1],
        brain_mask=masks[2],
        hematoma_ml=head.hematoma.volume_ml if head.hematoma else 0.0,
        ivh_ml=_ivh_ml(head),
        midline_shift_mm=head.midline_shift_mm,
        gaps_mm=stack.gaps,
        tilt_degrees=head.spec.gantry_tilt_degrees,
        foramen_magnum=head.to_patient(np.array(FORAMEN_MAGNUM)),
    )


def _write_slices(folder: Path, head: HeadModel, stack: SliceStack, header: Dataset, rng: np.random.Generator) -> Mask:
    """Draw and write every slice; return the masks of hematoma, ventricular blood and brain, (3, z, y, x)."""
    names = rng.permutation(np.arange(10_000, 100_000))[: len(stack.offsets)]
    masks = np.zeros((3, len(names), *stack.shape), dtype=np.uint8)
    for index, name in enumerate(names):
        hu, masks[:, index] = _draw_slice(head, stack, index, rng)
        number = len(names) - index if head.spec.descending else index + 1
        write_slice(folder / f"IM{name}.dcm", header, stack, index=index, number=number, hu=hu)
    return masks


def _scan(head: HeadModel) -> SliceStack:
    """Lay slices from the upper neck to above the vertex."""
    angle = np.deg2rad(head.spec.gantry_tilt_degrees)
    normal = np.array([0.0, np.sin(angle), np.cos(angle)])
    lowest = [float(head.to_patient(np.array(FORAMEN_MAGNUM)) @ normal)]
    in_model = normal @ head.rotation * head.scale
    for shape in cavity_ellipsoids():
        middle = float(head.to_patient(np.array(shape.center)) @ normal)
        lowest.append(middle - float(np.linalg.norm(in_model * shape.radii)))
    highest = float(head.to_patient(np.array(DOME.center)) @ normal) + float(np.linalg.norm(in_model * DOME.radii))
    return stack_slices(
        head.spec,
        low=min(lowest) - BELOW_FORAMEN_MM,
        high=highest + head.skull_mm + 2 + head.scalp_mm + ABOVE_VERTEX_MM,
        center=np.array([0.0, IMAGE_CENTER_Y_MM, 0.0]),
    )


def _settle_hematoma(head: HeadModel, stack: SliceStack) -> HeadModel:
    """Move the hematoma along the normal, by at most a slice, to where its slices add up to its volume."""
    if head.hematoma is None:
        return head
    body, normal = head.hematoma, stack.normal @ head.rotation
    middle = head.to_patient(body.center / head.scale) @ stack.normal
    reach = float(stack.extents[np.abs(stack.offsets - middle).argmin()])
    best, least = head, np.inf
    for shift in sorted(np.linspace(-reach, reach, 41), key=abs):
        moved = head.with_hematoma(body.moved(shift * normal))
        if shift and not fits(body.moved(shift * normal), head.spec, head.depth, margin=MARGIN_MM / 2):
            continue
        error = abs(_sliced_ml(moved, stack) / body.volume_ml - 1)
        if error < least:
            best, least = moved, error
        if error < CLOSE_ENOUGH:
            break
    return best


def _sliced_ml(head: HeadModel, stack: SliceStack) -> float:
    """Add up the hematoma's areas at the slice planes, each times its slice's extent, on pixels of about 0.75 mm."""
    stride = 1 if head.spec.volume_ml < 20 else max(1, round(0.75 / stack.pixel_mm))
    shape = (stack.shape[0] // stride, stack.shape[1] // stride)
    coarse = replace(stack, pixel_mm=stack.pixel_mm * stride, shape=shape)
    total = 0.0
    for index, extent in enumerate(stack.extents):
        points = _around_hematoma(head, head.plane(coarse, index))
        if points is not None:
            total += float(np.count_nonzero(head.hematoma_ratio(points)[0] < 1)) * extent
    return total * coarse.pixel_mm**2 / 1000


def _around_hematoma(head: HeadModel, plane: Plane) -> Points | None:
    """Return the points of a slice that can lie in the hematoma."""
    if head.hematoma is None:
        return None
    x, y, z = head.hematoma.center / head.scale
    reach = head.hematoma.reach_mm * 1.15
    box = plane.box((x * (1 - EGG * y / EGG_LENGTH_MM), y, z), (reach, reach, reach), 1.0)
    if box is None:
        return None
    px, py, pz = plane.coordinates(box)
    return Points(egg(px, py), py, pz, plane, box)


def _draw_slice(
    head: HeadModel, stack: SliceStack, index: int, rng: np.random.Generator
) -> tuple[Array, NDArray[np.bool_]]:
    plane = head.plane(stack, index)
    image = np.full(stack.shape, AIR, dtype=np.float32)
    truth = np.zeros((3, *stack.shape), dtype=bool)
    points = head.points(plane)
    if points is not None:
        cavity = cavity_distance(points.x, points.y, points.z)
        width = partial_volume_width(cavity, plane)
        paint_outer(image, head, points, cavity, width)
        truth[1] = paint_brain(image, head, points, cavity, width)
        truth[2][points.box] = (cavity < 0) & (points.z > FORAMEN_MAGNUM[2])
        near = _around_hematoma(head, plane)
        if near is not None:
            truth[0][near.box] = head.hematoma_ratio(near)[0] < 1
    _paint_couch(image, stack)
    _add_noise(image, head.spec.noise_hu, rng)
    return image, truth


def _paint_couch(image: Array, stack: SliceStack) -> None:
    rows, columns = (((np.arange(n) - (n - 1) / 2) * stack.pixel_mm).astype(np.float32) for n in stack.shape)
    paint_head_holder(image, rows[:, None], columns[None, :])


def _add_noise(image: Array, noise_hu: float, rng: np.random.Generator) -> None:
    """Add Gaussian noise with the short-range correlation of a smooth kernel."""
    if not noise_hu:
        return
    noise = gaussian_filter(rng.standard_normal(image.shape, dtype=np.float32), 0.6, mode="wrap", truncate=3.0)
    image += noise * np.float32(noise_hu / _SMOOTHED_SD)


def _kernel_sd(sigma: float) -> float:
    impulse = np.zeros((15, 15))
    impulse[7, 7] = 1
    return float(np.sqrt((gaussian_filter(impulse, sigma, truncate=3.0) ** 2).sum()))


_SMOOTHED_SD = _kernel_sd(0.6)


def _ivh_ml(head: HeadModel) -> float:
    """Integrate the blood in the ventricles on a grid of the model's own, 1.5 mm apart."""
    if not head.spec.ivh:
        return 0.0
    step = 1.5
    total = 0
    box = (slice(0, 107), slice(0, 80))
    for z in np.arange(-60.0, 45.0, step):
        plane = Plane(
            origin=np.array([-60.0, -60.0, z]), across=np.array([step, 0.0, 0.0]), down=np.array([0.0, step, 0.0]),
            normal=np.array([0.0, 0.0, 1.0]), pixel=step, thickness=step, shape=(107, 80),
        )  # fmt: skip
        x, y, height = plane.coordinates(box)
        points = Points(egg(x, y), y, height, plane, box)
        source, _ = head.displaced(points, cavity_distance(points.x, points.y, points.z))
        total += int(np.count_nonzero(blood_in_ventricles(head, points, source)))
    return total * step**3 * float(np.prod(head.scale)) / 1000
