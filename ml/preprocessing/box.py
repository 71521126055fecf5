"""Where the network's input lies: a box of fixed size in millimeters around the brain.

The box is 192 mm (left-right) x 192 mm (front-back) x 160 mm (height) around the middle of the brain, so one voxel is
1 x 1 x 2 mm = 2 uL. A box fitted to each brain would fill the grid better, but would hide how large a hematoma is: the
same 30 mL would cover more voxels in a small head. An adult skull's cavity is at most about 190 mm long and, from the
vertex to the foramen magnum, about 155 mm high; a brain that does not fit is named in the report.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

SHAPE = (80, 192, 192)
VOXEL_MM = (2.0, 1.0, 1.0)


def output_affine(low: NDArray[np.float64], high: NDArray[np.float64]) -> NDArray[np.float64]:
    """Where the output grid lies: (4, 4), from indices (x, y, z) to LPS mm, around the middle of a bounding box.

    The axes are the patient's: x to the left, y to the back, z to the head, whatever the tilt of the slices.
    """
    steps = np.array(VOXEL_MM[::-1])
    affine = np.diag([*steps, 1.0])
    affine[:3, 3] = (low + high) / 2 - steps * (np.array(SHAPE[::-1]) - 1) / 2
    return affine


def lateral_middle_mm(affine: Sequence[Sequence[float]]) -> float:
    """Return x of LPS in mm in the middle of the output grid, which is the middle of the brain's bounding box.

    Parameters
    ----------
    affine
        That of the report: four rows of four, from indices (x, y, z) to LPS mm.
    """
    return affine[0][3] + affine[0][0] * (SHAPE[2] - 1) / 2
