"""Numbers that describe the shape and the density of a hematoma."""

import math

import numpy as np
import numpy.typing as npt
from scipy.ndimage import generate_binary_structure, label
from scipy.spatial import ConvexHull
from scipy.spatial.distance import pdist

from ml.hematoma.density import density_features
from ml.hematoma.planimetry import abc2_ml, row_ends, volume_ml
from ml.hematoma.surface import surface_mm2
from ml.volumes import Geometry, MaskError, Volume
from ml.volumes.masks import check_shape

FEATURES_VERSION = 2
"""A change of numbers raises it, or of what is measured with them."""

FEATURES = (
    "volume_ml",
    "abc2_ml",
    "surface_mm2",
    "sphericity",
    "major_axis_mm",
    "minor_axis_mm",
    "least_axis_mm",
    "elongation",
    "flatness",
    "largest_diameter_mm",
    "parts",
    "slices",
    "density_mean_hu",
    "density_sd_hu",
    "density_p10_hu",
    "density_median_hu",
    "density_p90_hu",
    "density_skewness",
    "density_kurtosis",
    "density_entropy_bits",
)

_FACES = np.concatenate([np.eye(3), -np.eye(3)]) / 2


def hematoma_features(mask: npt.ArrayLike, volume: Volume) -> dict[str, float]:
    """Measure the shape and the density of a hematoma on the acquired slices.

    Parameters
    ----------
    mask
        (z, y, x) bool or labels on the grid of `volume`; whatever is not 0 is hematoma.
    volume
        The CT.

    Returns
    -------
    dict
        A number for each name in `FEATURES`, in that order:

        - ``volume_ml``, ``abc2_ml``: see `volume_ml` and `abc2_ml`; ``surface_mm2``: see `surface_mm2`
        - ``sphericity``: surface of a ball of this volume over the surface, 1 for a ball
        - ``major_axis_mm``, ``minor_axis_mm``, ``least_axis_mm``: 4 standard deviations along each principal axis, 0.89
          of an ellipsoid's own axis
        - ``elongation``, ``flatness``: minor over major axis, least over major axis; smaller is longer and flatter
        - ``largest_diameter_mm``: largest distance between the middles of two voxels' faces
        - ``parts``: number of parts that touch in no corner; ``slices``: number of slices with hemorrhage
        - ``density_...``: see `density_features`

    Raises
    ------
    MaskError
        ``mask_shape``: the mask is not on the grid of `volume`. ``mask_empty``: nothing is outlined.

    Notes
    -----
    Sphericity, axes, elongation, flatness and largest diameter are IBSI's morphological features (Zwanenburg A et al.
    The Image Biomarker Standardization Initiative. Radiology 2020;295:328-338), but for the axes: IBSI takes them from
    the centers of the voxels, here the voxels are bodies with a size of their own, so that a hematoma on one slice has
    a height.
    """
    array = np.asarray(mask)
    check_shape(array, volume)
    hematoma = array.astype(np.bool_, copy=False)
    if not hematoma.any():
        raise MaskError("mask_empty", "The mask is empty: outline the hematoma and save the mask again.")
    milliliters, surface = volume_ml(hematoma, volume), surface_mm2(hematoma, volume)
    major, minor, least = _axes(hematoma, volume)
    measured = {
        "volume_ml": milliliters,
        "abc2_ml": abc2_ml(hematoma, volume),
        "surface_mm2": surface,
        "sphericity": math.cbrt(36 * math.pi * (1000 * milliliters) ** 2) / surface,
        "major_axis_mm": major,
        "minor_axis_mm": minor,
        "least_axis_mm": least,
        "elongation": minor / major,
        "flatness": least / major,
        "largest_diameter_mm": _diameter(hematoma, volume),
        "parts": float(label(hematoma, generate_binary_structure(3, 3))[1]),
        "slices": float(np.count_nonzero(hematoma.any(axis=(1, 2)))),
        **density_features(hematoma, volume),
    }
    return {name: measured[name] for name in FEATURES}


def _axes(hematoma: npt.NDArray[np.bool_], volume: Geometry) -> tuple[float, float, float]:
    """Four standard deviations along the principal axes, mm, the longest first."""
    z, y, x = np.nonzero(hematoma)
    weights = volume.slice_extents[z]
    spread = np.cov(volume.voxel_to_lps(z, y, x), rowvar=False, aweights=weights, ddof=0)
    # Along each of its edges a voxel itself has a variance of the length squared over 12.
    height = (volume.voxel_to_lps(z + 0.5, 0, 0) - volume.voxel_to_lps(z - 0.5, 0, 0)) * np.sqrt(weights)[:, None]
    row = volume.pixel_spacing[1] * volume.row_direction
    column = volume.pixel_spacing[0] * volume.column_direction
    spread += (height.T @ height / weights.sum() + np.outer(row, row) + np.outer(column, column)) / 12
    least, minor, major = 4 * np.sqrt(np.linalg.eigvalsh(spread))
    return float(major), float(minor), float(least)


def _diameter(hematoma: npt.NDArray[np.bool_], volume: Geometry) -> float:
    voxels = np.concatenate(
        [np.insert(row_ends(hematoma[z]), 0, z, axis=1) for z in np.flatnonzero(hematoma.any(axis=(1, 2)))]
    )
    faces = (voxels[:, None] + _FACES).reshape(-1, 3)
    places = volume.voxel_to_lps(*faces.T)
    return float(pdist(places[ConvexHull(places).vertices]).max())
