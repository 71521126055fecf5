"""A CT series in Hounsfield units."""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from ml.volumes.geometry import Geometry


@dataclass(frozen=True, eq=False, kw_only=True)
class Volume(Geometry):
    """The voxels of a CT series together with their geometry.

    Parameters
    ----------
    hu
        (z, y, x) float32, Hounsfield units; slices from foot to head, rows and columns as acquired.

    Notes
    -----
    The other fields are those of `Geometry`; `matrix` follows from `hu`.
    """

    hu: npt.NDArray[np.float32]
    matrix: tuple[int, int] = field(init=False)

    def __post_init__(self) -> None:
        slices, rows, columns = self.hu.shape
        if slices != len(self.positions):
            raise ValueError(f"{slices} slices of voxels but {len(self.positions)} positions")
        object.__setattr__(self, "matrix", (rows, columns))
