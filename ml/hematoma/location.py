"""In which part of the brain a hematoma lies, by its center: a proposal that a person confirms or corrects.

Places are told in the head's own frame, which two landmarks of the skull give: the middle of the brain's bounding box
and the foramen magnum. The line between them is turned to where it runs in an atlas, and its length is the unit, so
that the height of the chin and the size of the head matter little; a head turned to the side stays turned.

The limits come from an atlas in MNI152 space (ICBM 2009c, labels of Neuromorphometrics, Inc.): the three planes and the
ellipsoid that part its labels best. Anatomically the planes are the two slopes of the tentorium, to the side and to
the back, and the front of the posterior fossa, along petrous ridge and clivus. Where the place of the head in its frame
is off by 4 degrees of nodding, 3 of tilting, 6 of turning, 4 % of size and 3 mm (standard deviations), less than 0.5 %
of the atlas's voxels come on the wrong side by more than the margins below.

That the center counts, and that a large hematoma may have begun elsewhere, is the rule of a scale for readers:
Charidimou A, et al. The Cerebral Haemorrhage Anatomical RaTing inStrument (CHARTS). J Neurol Sci 2017;372:178-183.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import numpy.typing as npt

from ml.preprocessing.box import SHAPE
from ml.volumes import Geometry, MaskError
from ml.volumes.masks import check_shape

Point = npt.NDArray[np.float64]

CENTER = ("center_x_mm", "center_y_mm", "center_z_mm")
"""Names of the numbers of `center_mm`."""


class Location(StrEnum):
    """Where a hematoma lies; the last two are what can be said where the geometry does not decide."""

    INFRATENTORIAL = "infratentorial"
    DEEP = "deep"
    LOBAR = "lobar"
    SUPRATENTORIAL = "supratentorial"
    NOT_CLEAR = "not_clear"

    @property
    def infratentorial(self) -> bool | None:
        """Whether it lies below the tentorium; None where that is not clear."""
        return None if self is Location.NOT_CLEAR else self is Location.INFRATENTORIAL


# The frame: from the middle of the brain to the foramen magnum it is so far, and so much to the back.
_LENGTH_MM, _ANGLE = 76.0, np.deg2rad(22.0)
_DOWN = np.array([0.0, np.sin(_ANGLE), -np.cos(_ANGLE)])
# Other than this, one of the landmarks is not what it is taken for.
_LENGTHS_MM, _LARGEST_TURN = (55.0, 95.0), np.deg2rad(25.0)

# Below each of these planes (normal; distance, mm) lies the posterior fossa; lateral, back, up from the brain's middle.
_FOSSA = np.array([(0.48, -0.17, 0.86, -12.0), (0.21, 0.36, 0.91, 5.4), (0.55, -0.64, 0.55, -12.5)])
_FOSSA /= np.linalg.norm(_FOSSA[:, :3], axis=1, keepdims=True)
_BELOW_MM, _ABOVE_MM = 5.0, 10.0

# Basal ganglia and thalamus. Distances from the middle of the ellipsoid, 1 on its surface.
_DEEP_MIDDLE, _DEEP_AXES = np.array([12.0, -11.0, -2.0]), np.array([22.0, 33.0, 22.0])
_DEEP, _LOBAR = 0.9, 1.55
# A larger hematoma has left the place where it began: it is never taken for deep, and for lobar farther out only.
_LARGE_ML, _LOBAR_LARGE = 30.0, 1.9


@dataclass(frozen=True, eq=False)
class Landmarks:
    """Two points of a head, (3,) LPS mm: the middle of the brain's bounding box, and the foramen magnum."""

    middle: Point
    foramen: Point

    @classmethod
    def of(cls, report: Mapping[str, Any]) -> Landmarks | None:
        """Return those of a `PreprocessingReport` as plain values; None where the scan does not show the whole brain.

        Parameters
        ----------
        report
            What `PreprocessingReport.to_dict` returns, or nothing.
        """
        foramen = report.get("foramen_magnum_lps")
        if not (foramen and report.get("affine") and report.get("base_covered") and report.get("vertex_covered")):
            return None
        affine = np.asarray(report["affine"], dtype=np.float64)
        middle = affine[:3, :3] @ ((np.array(SHAPE[::-1]) - 1) / 2) + affine[:3, 3]
        return cls(middle, np.asarray(foramen, dtype=np.float64))

    def place(self, point: Point) -> Point | None:
        """Return where a point (3,), LPS mm, lies in the head's frame; None where the landmarks are no head's.

        Returns
        -------
        ndarray
            (3,) mm of a head of usual size: away from the midline, to the back, up; from the middle of the brain.
        """
        down = self.foramen - self.middle
        length = float(np.linalg.norm(down))
        if not _LENGTHS_MM[0] <= length <= _LENGTHS_MM[1]:
            return None
        cosine = float(down @ _DOWN) / length
        if cosine < np.cos(_LARGEST_TURN):
            return None
        x, y, z = np.cross(down / length, _DOWN)
        cross = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
        # Rodrigues' formula: the least turn that brings the line between the landmarks where it belongs.
        turn = np.eye(3) + cross + cross @ cross / (1 + cosine)
        lateral, back, up = turn @ (point - self.middle) * (_LENGTH_MM / length)
        return np.array([abs(lateral), back, up])


def center_mm(mask: npt.ArrayLike, volume: Geometry) -> dict[str, float]:
    """Return the center of a hematoma's volume.

    Parameters
    ----------
    mask
        (z, y, x) bool or labels on the grid of `volume`; whatever is not 0 is hematoma.
    volume
        The CT's `Volume` or `Geometry`.

    Returns
    -------
    dict
        x, y, z of LPS in mm, by the names in `CENTER`.

    Raises
    ------
    MaskError
        ``mask_shape``: the mask is not on the grid of `volume`. ``mask_empty``: nothing is outlined.
    """
    hematoma = np.asarray(mask)
    check_shape(hematoma, volume)
    z, y, x = np.nonzero(hematoma)
    if not z.size:
        raise MaskError("mask_empty", "The mask is empty: outline the hematoma and save the mask again.")
    center = np.average(volume.voxel_to_lps(z, y, x), axis=0, weights=volume.slice_extents[z])
    return dict(zip(CENTER, center.tolist(), strict=True))


def location_of(center: npt.ArrayLike, volume_ml: float, landmarks: Landmarks) -> Location:
    """Return where a hematoma lies, as far as its center tells.

    It is infratentorial if its center lies at least 5 mm within the posterior fossa, and supratentorial if at least
    10 mm outside it. A supratentorial one is deep if its center lies well within the ellipsoid around basal ganglia and
    thalamus (0.9 of its radius), lobar if far outside (1.55); one of 30 mL or more is never taken for deep, and for
    lobar from 1.9 on.

    Parameters
    ----------
    center
        (3,) LPS mm, see `center_mm`.
    volume_ml
        Volume of the hematoma, mL.
    landmarks
        Of the same head, in the same coordinates.
    """
    place = landmarks.place(np.asarray(center, dtype=np.float64))
    if place is None:
        return Location.NOT_CLEAR
    within = float((_FOSSA[:, 3] - _FOSSA[:, :3] @ place).min())
    if within >= _BELOW_MM:
        return Location.INFRATENTORIAL
    if within > -_ABOVE_MM:
        return Location.NOT_CLEAR
    distance = float(np.linalg.norm((place - _DEEP_MIDDLE) / _DEEP_AXES))
    large = volume_ml >= _LARGE_ML
    if distance >= (_LOBAR_LARGE if large else _LOBAR):
        return Location.LOBAR
    return Location.DEEP if distance <= _DEEP and not large else Location.SUPRATENTORIAL
