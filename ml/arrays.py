"""Arrays from numpy's files, in as many threads as want them.

numpy reads the header of each array by ``ast.literal_eval``. Before Python 3.11.8 two threads that do so at once can
end in ``SystemError: AST constructor recursion depth mismatch`` (https://github.com/python/cpython/issues/106905), so
here they take turns.
"""

import threading
from collections.abc import Sequence
from io import BytesIO
from typing import Any

import numpy as np
import numpy.typing as npt

_TURN = threading.Lock()


def from_npy(data: bytes) -> npt.NDArray[Any]:
    """Return the array of an npy file.

    Raises
    ------
    ValueError
        Not an npy file, cut off, or of Python objects, which could run code when they are read.
    """
    with _TURN:
        array: npt.NDArray[Any] = np.lib.format.read_array(BytesIO(data), allow_pickle=False)
    return array


def from_npz(data: bytes, names: Sequence[str] | None = None) -> list[npt.NDArray[Any]]:
    """Return arrays of an npz file in the order of ``names``, or all, sorted by name; no others are unpacked.

    Raises
    ------
    KeyError
        The file has no array of that name.
    """
    with _TURN, np.load(BytesIO(data), allow_pickle=False) as archive:
        return [archive[name] for name in (sorted(archive) if names is None else names)]
