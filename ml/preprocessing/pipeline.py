"""The steps of preprocessing in their order (reference study: doi 10.1016/j.ejrad.2023.111081, imaging pipeline)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ml.preprocessing.box import output_affine
from ml.preprocessing.errors import NOT_A_HEAD, PreprocessingError
from ml.preprocessing.findings import collect_findings
from ml.preprocessing.grids import Floats, Mask, Stack, stack_of
from ml.preprocessing.output import brain_corners, render
from ml.preprocessing.refine import Brain, refine
from ml.preprocessing.report import PreprocessingReport
from ml.preprocessing.skull import Cavity, find_cavity
from ml.preprocessing.version import PREPROCESSING_VERSION
from ml.volumes import Volume, describe_gaps

SMALLEST_BRAIN_ML = 600.0
LARGEST_BRAIN_ML = 2200.0
LEAST_ENCLOSURE = 0.6  # a large craniectomy leaves more than this
BRAIN_HU = (5.0, 60.0)  # of the median voxel: between fluid and fresh blood
SEEN = 8  # pixels between those whose median is taken
MOST_OBLIQUE = 50.0  # degrees
SMALLEST_MATRIX = 64
TOP_CM2 = 5.0  # brain cut by the last slice over more than this: the vertex is missing


@dataclass(frozen=True, eq=False)
class Preprocessed:
    """A head CT made ready for the networks.

    Attributes
    ----------
    image
        float32 (80, 192, 192) as (z, y, x): z to the head, y to the back, x to the patient's left, 2 x 1 x 1 mm; 0..1
        for 0..90 HU, 0 outside the brain.
    brain_mask
        bool, on the volume's own grid; reaches into the voxels that brain and bone share as far as 400 HU, which the
        image leaves out.
    report
        What was found.
    """

    image: Floats
    brain_mask: Mask
    report: PreprocessingReport


def preprocess(volume: Volume) -> Preprocessed:
    """Clip below the foramen magnum, strip the skull, window to 0-90 HU and resample.

    Parameters
    ----------
    volume
        A non-contrast head CT; slices may be tilted and unevenly spaced.

    Raises
    ------
    PreprocessingError
        ``not_a_head``, ``too_little_brain``, ``not_axial`` or ``small_matrix``: what is no usable axial head CT.

    Notes
    -----
    Deterministic: the same volume gives the same arrays, bit for bit, on the same machine.
    """
    _check_geometry(volume)
    stack = stack_of(volume)
    cavity = find_cavity(volume.hu, stack)
    brain = refine(cavity.brain, cavity.grid, volume.hu, stack)
    volume_ml = _mask_ml(brain, volume)
    _check_brain(volume, brain, volume_ml, cavity)
    low, high = corners = brain_corners(volume, brain)
    affine = output_affine(low, high)
    image = render(volume, brain, stack, affine, corners)
    mask = np.zeros(volume.shape, dtype=np.bool_)
    mask[brain.box] = brain.mask
    return Preprocessed(image, mask, _report(volume, stack, mask, cavity, volume_ml, affine, high - low))


def _check_geometry(volume: Volume) -> None:
    if min(volume.shape[1:]) < SMALLEST_MATRIX:
        raise PreprocessingError(
            "small_matrix",
            f"The slices are smaller than {SMALLEST_MATRIX} x {SMALLEST_MATRIX}; choose the full series.",
        )
    if np.degrees(np.arccos(min(1.0, float(volume.normal[2])))) > MOST_OBLIQUE:
        raise PreprocessingError("not_axial", "The slices are not axial; choose the axial series of the head CT.")


def _mask_ml(brain: Brain, volume: Volume) -> float:
    """Volume of the brain with each slice's own extent, mL."""
    area = volume.pixel_spacing[0] * volume.pixel_spacing[1]
    pixels = np.array([np.count_nonzero(plane) for plane in brain.mask])
    return float(pixels @ volume.slice_extents[brain.box[0]]) * area / 1000


def _check_brain(volume: Volume, brain: Brain, volume_ml: float, cavity: Cavity) -> None:
    """Refuse what has a cavity, but is no head."""
    if cavity.enclosure < LEAST_ENCLOSURE or volume_ml > LARGEST_BRAIN_ML or volume_ml == 0:
        raise PreprocessingError("not_a_head", NOT_A_HEAD)
    if volume_ml < SMALLEST_BRAIN_ML:
        raise PreprocessingError(
            "too_little_brain",
            f"The scan shows {volume_ml:.0f} mL inside the skull, less than the {SMALLEST_BRAIN_ML:.0f} mL needed; "
            "choose the series that covers the whole head.",
        )
    few = np.s_[:, ::SEEN, ::SEEN]
    if not BRAIN_HU[0] <= float(np.median(volume.hu[brain.box][few][brain.mask[few]])) <= BRAIN_HU[1]:
        raise PreprocessingError("not_a_head", NOT_A_HEAD)


def _report(
    volume: Volume, stack: Stack, mask: Mask, cavity: Cavity, volume_ml: float, affine: np.ndarray, size: np.ndarray
) -> PreprocessingReport:
    ring, grid = cavity.ring, cavity.grid
    offset = lps = index = None
    if ring is not None:
        n, v, u = (start + grid.step * c for start, c in zip(grid.start, ring.center, strict=True))
        offset = round(n, 2)
        index = round(float(np.interp(n, stack.offsets, np.arange(len(stack.offsets)))), 2)
        point = n * volume.normal + v * volume.column_direction + u * volume.row_direction
        lps = (round(float(point[0]), 2), round(float(point[1]), 2), round(float(point[2]), 2))
    pixel_cm2 = volume.pixel_spacing[0] * volume.pixel_spacing[1] / 100
    vertex_covered = bool(mask[-1].sum() * pixel_cm2 <= TOP_CM2)
    confidence = 0.0 if ring is None else round(ring.closure, 3)
    gaps = tuple(describe_gaps(volume))
    return PreprocessingReport(
        version=PREPROCESSING_VERSION,
        findings=collect_findings(
            tilt_degrees=volume.tilt_degrees,
            gaps=gaps,
            volume_ml=volume_ml,
            foramen_confidence=confidence,
            vertex_covered=vertex_covered,
            enclosure=cavity.enclosure,
            size_mm=size,
        ),
        brain_volume_ml=round(volume_ml, 2),
        foramen_magnum_z=index,
        foramen_magnum_offset_mm=offset,
        foramen_magnum_lps=lps,
        foramen_magnum_area_cm2=None if ring is None else round(ring.area_cm2, 2),
        foramen_magnum_confidence=confidence,
        tilt_degrees=round(volume.tilt_degrees, 2),
        gaps=gaps,
        base_covered=ring is not None,
        vertex_covered=vertex_covered,
        skull_enclosure=round(cavity.enclosure, 3),
        affine=tuple(tuple(float(value) for value in row) for row in affine),
    )
