"""numpy's files: what numpy wrote comes back, in many threads at once, and nothing that could run code."""

import gc
import io
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from ml.arrays import from_npy, from_npz

IMAGE = np.arange(24, dtype=np.float16).reshape(2, 3, 4)


def npy(array: np.ndarray[Any, Any]) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def npz(**arrays: np.ndarray[Any, Any]) -> bytes:
    stream = io.BytesIO()
    np.savez_compressed(stream, **arrays)
    return stream.getvalue()


class Finalized:
    """Python code that the garbage collector runs, so that another thread can take over in the middle of a read."""

    def __init__(self) -> None:
        self.itself = self

    def __del__(self) -> None:
        pass


@pytest.fixture
def eager_collector() -> Iterator[None]:
    threshold, interval = gc.get_threshold(), sys.getswitchinterval()
    gc.freeze()
    gc.set_threshold(1)
    sys.setswitchinterval(1e-6)
    yield
    gc.set_threshold(*threshold)
    gc.unfreeze()
    sys.setswitchinterval(interval)


@pytest.mark.usefixtures("eager_collector")
def test_many_threads_read_at_once() -> None:
    """Python before 3.11.8 fails here within the first few reads if they do not take turns."""
    one, many = npy(IMAGE), npz(a=IMAGE, b=IMAGE + 1)

    def read(number: int) -> list[np.ndarray[Any, Any]]:
        found = []
        for _ in range(300):
            [Finalized() for _ in range(10)]  # garbage all at once, when the list goes
            found += [from_npy(one)] if number % 2 else from_npz(many, ["a"])
        return found

    with ThreadPoolExecutor(4) as readers:
        for found in readers.map(read, range(4)):
            np.testing.assert_array_equal(np.stack(found), np.stack([IMAGE] * 300))


@pytest.mark.parametrize("array", [IMAGE, np.asfortranarray(IMAGE), IMAGE[:0], np.uint8(7)[None]])
def test_what_numpy_wrote_comes_back(array: np.ndarray[Any, Any]) -> None:
    found = from_npy(npy(array))
    assert found.dtype == array.dtype
    assert found.flags.writeable
    np.testing.assert_array_equal(found, array)


def test_arrays_of_an_archive_come_in_the_order_asked_for_or_by_name() -> None:
    data = npz(b=IMAGE + 1, a=IMAGE)
    for names, expected in ((["b", "a"], [IMAGE + 1, IMAGE]), (["b"], [IMAGE + 1]), (None, [IMAGE, IMAGE + 1])):
        for found, wanted in zip(from_npz(data, names), expected, strict=True):
            np.testing.assert_array_equal(found, wanted)
    with pytest.raises(KeyError):
        from_npz(data, ["c"])


@pytest.mark.parametrize("data", [b"", b"\x93NUMPY", npy(IMAGE)[:-1], npz(a=IMAGE), npy(np.array([{}]))])
def test_anything_else_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        from_npy(data)
