"""Masks as files: laid on the CT's own slices by their geometry, or refused."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk  # noqa: N813 (the name its own manual uses)

from ml.volumes.errors import MaskError
from ml.volumes.geometry import FloatArray, Geometry
from ml.volumes.mask_files import SUFFIXES, check_complete, not_a_mask, open_mask

# Well above the rounding of NIfTI's 32-bit numbers, well below half a pixel.
_SAME_POSITION_MM = 0.1
_SAME_DIRECTION = 2e-3
_SAME_SPACING = 1e-3
_SAME_SLICE_SPACING = 1e-2
_REDRAW = "draw it on this CT series and save it without resampling."


@dataclass(frozen=True)
class _Grid:
    """A file's grid in the order x, y, z of the CT: how to turn the file's axes and where the turned corners lie."""

    axes: tuple[int, int, int]
    flipped: tuple[bool, bool, bool]
    size: tuple[int, int, int]
    spacing: FloatArray
    bottom: FloatArray
    top: FloatArray


def read_mask(path: Path | str, volume: Geometry) -> npt.NDArray[np.uint8]:
    """Read a mask onto the grid of the CT it was drawn on.

    Parameters
    ----------
    path
        A file of ITK-SNAP or 3D Slicer: NIfTI (``.nii``, ``.nii.gz``), NRRD (``.nrrd``, ``.seg.nrrd`` of one layer) or
        MetaImage (``.mha``), told by its suffix. Its voxels must lie in the same file.
    volume
        The `Volume`, or its `Geometry`, on which the mask was drawn.

    Returns
    -------
    ndarray
        (z, y, x) uint8 labels, 0 is background.

    Raises
    ------
    MaskError
        ``not_a_mask``, ``mask_detached``, ``mask_shape``, ``mask_other_grid``, ``mask_incomplete``,
        ``mask_not_labels``, ``mask_empty``.

    Notes
    -----
    ITK-SNAP loads a series through ITK, which gives it one slice spacing: the distance from the first to the last
    position over the number of gaps, set along the slices' normal. For a tilted gantry or mixed gaps that grid
    misplaces slices in space, yet its slices are the CT's, one for one. A file on that grid is accepted, from either
    end of the stack, as is one with the mean distance between planes. Axes that run the other way or in another order,
    as after a change to RAS, are turned back by the directions in the file; what fits in no such way is refused.

    Coordinates that a NRRD gives in RAS or LAS are turned to LPS by ITK.
    """
    reader = open_header(path)
    grid = _match(reader, volume)
    check_complete(path, reader)
    try:
        image = reader.Execute()
    except RuntimeError:
        raise not_a_mask() from None
    # Axes beyond the third hold one voxel, see `_match`.
    labels = whole_labels(sitk.GetArrayViewFromImage(image).reshape(image.GetSize()[2::-1]))
    x, y, z = grid.axes
    turned = labels.transpose(2, 1, 0).transpose(z, y, x)
    flip = [axis for axis, flipped in enumerate(reversed(grid.flipped)) if flipped]
    return np.ascontiguousarray(np.flip(turned, tuple(flip)))


def write_mask(path: Path | str, mask: npt.ArrayLike, volume: Geometry) -> None:
    """Write a mask, compressed, with the geometry that ITK, hence ITK-SNAP, gives the DICOM series.

    Parameters
    ----------
    path
        Where to write; ends with ``.nii.gz``, ``.nii`` (not compressed), ``.nrrd`` or ``.mha``.
    mask
        (z, y, x) bool or integer labels 0 to 255 on the grid of `volume`.
    volume
        The `Volume`, or its `Geometry`, of the series.

    Raises
    ------
    MaskError
        ``mask_shape``, ``mask_not_labels``, ``not_a_mask`` (the name does not end so).

    Notes
    -----
    The header holds the grid and the type of the voxels, nothing else: no identifier and no date.
    """
    if not str(path).endswith(SUFFIXES):
        raise not_a_mask()
    array = np.asarray(mask)
    check_shape(array, volume)
    labels = whole_labels(array.astype(np.uint8) if array.dtype == np.bool_ else array, allow_empty=True)
    # GDCM sorts slices along row x column, which points to the feet when the image is mirrored.
    along = np.cross(volume.row_direction, volume.column_direction)
    upward = bool(along @ volume.normal > 0)
    image = sitk.GetImageFromArray(labels if upward else labels[::-1])
    image.SetOrigin(volume.positions[0 if upward else -1].tolist())
    image.SetSpacing([volume.pixel_spacing[1], volume.pixel_spacing[0], _itk_slice_spacing(volume)])
    image.SetDirection(np.column_stack([volume.row_direction, volume.column_direction, along]).ravel().tolist())
    sitk.WriteImage(image, str(path), useCompression=True)


def check_shape(mask: npt.NDArray[Any], volume: Geometry) -> None:
    """Refuse a (z, y, x) mask whose shape is not the volume's with MaskError ``mask_shape``."""
    if mask.shape != volume.shape:
        raise _shape_error(mask.shape[::-1], volume)


def open_header(path: Path | str) -> sitk.ImageFileReader:
    """Open a file as far as its header."""
    try:
        return open_mask(path)
    except RuntimeError as error:
        if "orthonormal" in str(error):
            raise _grid_error("its axes are not at right angles") from None
        raise not_a_mask() from None


def _match(reader: sitk.ImageFileReader, volume: Geometry) -> _Grid:
    size = reader.GetSize()
    if len(size) < 3 or any(length != 1 for length in size[3:]):
        raise _shape_error(size, volume)
    if reader.GetNumberOfComponents() != 1:
        raise MaskError(
            "mask_not_labels", "The file is a color or vector image, not a mask: save the segmentation alone."
        )
    grid = _grid(reader, volume)
    if grid.size != volume.shape[::-1]:
        raise _shape_error(grid.size, volume)
    _check_spacing(grid, volume)
    # ITK's grid starts at one end of the stack; with a tilt or mixed gaps its other end lies elsewhere.
    distance = min(np.linalg.norm(grid.bottom - volume.positions[0]), np.linalg.norm(grid.top - volume.positions[-1]))
    if distance > _SAME_POSITION_MM:
        raise _grid_error(f"its first voxel lies {distance:.1f} mm from the CT's")
    return grid


def _grid(reader: sitk.ImageFileReader, volume: Geometry) -> _Grid:
    """Find which axis of the file is which axis of the CT, and which way it runs."""
    dimension = reader.GetDimension()
    directions = np.reshape(reader.GetDirection(), (dimension, dimension))[:3, :3].T
    if not np.isfinite(directions).all():
        raise _grid_error("its axes have no direction")
    lengths, spacings = np.array(reader.GetSize()[:3]), np.array(reader.GetSpacing()[:3])
    wanted = np.stack([volume.row_direction, volume.column_direction, volume.normal])
    cosines = wanted @ directions.T
    axes = np.argmax(np.abs(cosines), axis=1)
    flipped = cosines[range(3), axes] < 0
    turned = np.where(flipped[:, None], -directions[axes], directions[axes])
    if sorted(axes) != [0, 1, 2] or np.any(np.linalg.norm(turned - wanted, axis=1) > _SAME_DIRECTION):
        angle = np.degrees(np.arccos(np.clip(np.abs(cosines[2]).max(), 0, 1)))
        raise _grid_error(f"its slices do not lie as the CT's do (the planes differ by {angle:.1f} degrees)")
    size, spacing = lengths[axes], spacings[axes]
    edges = (size - 1) * spacing
    bottom = np.array(reader.GetOrigin()[:3]) - np.where(flipped, edges, 0) @ turned
    return _Grid(
        axes=(int(axes[0]), int(axes[1]), int(axes[2])),
        flipped=(bool(flipped[0]), bool(flipped[1]), bool(flipped[2])),
        size=(int(size[0]), int(size[1]), int(size[2])),
        spacing=spacing,
        bottom=bottom,
        top=bottom + edges[2] * turned[2],
    )


def _check_spacing(grid: _Grid, volume: Geometry) -> None:
    for found, wanted in zip(grid.spacing, volume.pixel_spacing[::-1], strict=False):
        if abs(found - wanted) > _SAME_SPACING * wanted:
            raise _grid_error(f"its pixels measure {found:.3f} mm, the CT's {wanted:.3f} mm")
    mean_gap = float(np.mean(volume.gaps))
    accepted = (_itk_slice_spacing(volume), mean_gap)
    if all(abs(grid.spacing[2] - spacing) > _SAME_SLICE_SPACING * spacing for spacing in accepted):
        raise _grid_error(f"its slices are {grid.spacing[2]:.2f} mm apart, the CT's {mean_gap:.2f} mm on average")


def _itk_slice_spacing(volume: Geometry) -> float:
    return float(np.linalg.norm(volume.positions[-1] - volume.positions[0])) / (len(volume.positions) - 1)


def whole_labels(array: npt.NDArray[Any], *, allow_empty: bool = False) -> npt.NDArray[np.uint8]:
    """Return whole numbers from 0 to 255 as uint8."""
    whole = array.dtype.kind in "iu" or (array.dtype.kind == "f" and bool(np.all(array == np.rint(array))))
    if not whole or array.min() < 0 or array.max() > np.iinfo(np.uint8).max:
        raise MaskError(
            "mask_not_labels",
            "The mask holds other values than whole labels from 0 to 255: save the segmentation, not the image.",
        )
    if not allow_empty and not array.any():
        raise MaskError("mask_empty", "The mask is empty: outline the hematoma and save the mask again.")
    return array.astype(np.uint8)


def _shape_error(size: tuple[int, ...], volume: Geometry) -> MaskError:
    found, wanted = (" x ".join(str(length) for length in lengths) for lengths in (size, volume.shape[::-1]))
    return MaskError("mask_shape", f"The mask has {found} voxels, the CT {wanted} (columns, rows, slices): {_REDRAW}")


def _grid_error(difference: str) -> MaskError:
    return MaskError("mask_other_grid", f"The mask does not lie on this CT: {difference}; {_REDRAW}")
