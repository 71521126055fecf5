"""The preprocessed images of a manifest, checked, resampled and, where they fit, kept in memory."""

import io
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ml.arrays import from_npy
from ml.errors import MLError
from ml.training.files import file_sha256, write_bytes
from ml.training.manifest import Case

_READERS = 4


class ImageStore:
    """Images by case id.

    Parameters
    ----------
    root
        Folder of the manifest.
    cases
        The cases whose images can be asked for.
    shape
        (z, y, x) of the images to return; others are resampled.
    cache_gib
        Largest size, in GiB, of all images as float16 that may be kept in memory.
    resampled
        Folder for the images that had to be resampled, which takes far longer than reading them; None to keep none.
    """

    def __init__(
        self,
        root: Path,
        cases: Sequence[Case],
        shape: tuple[int, int, int],
        cache_gib: float,
        *,
        resampled: Path | None = None,
    ) -> None:
        self._root = root
        self._shape = shape
        self._resampled = resampled
        self._cases = {case.id: (number, case) for number, case in enumerate(cases, start=1)}
        self._keep = len(cases) * int(np.prod(shape)) * 2 <= cache_gib * 2**30
        self._kept: dict[str, Tensor] = {}

    def verify(self, report: Callable[[float], None]) -> None:
        """Compare every file with its digest; ``report`` gets the fraction done.

        Raises
        ------
        MLError
            ``bad_image``: a file is missing or differs from the one that the manifest names.
        """
        for number, case in self._cases.values():
            path = self._root / case.image
            if not path.is_file() or file_sha256(path) != case.image_sha256:
                raise MLError(
                    "bad_image",
                    f"The image of case {number} of the manifest is missing or was changed; preprocess it again.",
                )
            report(number / len(self._cases))

    def batch(self, ids: Sequence[str]) -> Tensor:
        """Return images as float16 (batch, 1, z, y, x) on the CPU.

        Raises
        ------
        MLError
            ``bad_image``: not three-dimensional, not of floating-point numbers, or not all from 0 to 1.
        """
        with ThreadPoolExecutor(_READERS) as readers:
            images = list(readers.map(self._image, ids))
        return torch.stack(images).unsqueeze(1)

    def _image(self, case_id: str) -> Tensor:
        if case_id in self._kept:
            return self._kept[case_id]
        tensor = torch.from_numpy(self._read(*self._cases[case_id]))
        if self._keep:
            self._kept[case_id] = tensor
        return tensor

    def _read(self, number: int, case: Case) -> np.ndarray[tuple[int, ...], np.dtype[np.float16]]:
        """Return an image of the shape wanted, in float16: half the memory, in steps of less than a tenth of one HU."""
        kept = self._resampled / f"{case.image_sha256}.npy" if self._resampled else None
        if kept is not None and kept.exists():
            return _load(kept, number).astype(np.float16, copy=False)
        image = _load(self._root / case.image, number)
        if image.shape == self._shape:
            return image.astype(np.float16, copy=False)
        from ml.preprocessing import resize

        small = resize(image.astype(np.float32), self._shape).astype(np.float16)
        if kept is not None:
            stream = io.BytesIO()
            np.save(stream, small)
            write_bytes(kept, stream.getbuffer())
        return small


def as_input(images: Tensor, device: torch.device) -> Tensor:
    """Return images from the CPU as float32 on a device.

    To a GPU they travel as they are, from page-locked memory, while it is still busy with what it was given before.
    """
    if device.type == "cuda":
        images = images.pin_memory()
    return images.to(device, non_blocking=True).float()


def _load(path: Path, number: int) -> np.ndarray[tuple[int, ...], np.dtype[np.floating]]:
    try:
        image = from_npy(path.read_bytes())
    except (OSError, ValueError) as error:
        raise MLError("bad_image", f"The image of case {number} cannot be read; preprocess it again.") from error
    floating = image.ndim == 3 and image.dtype in (np.float16, np.float32)
    # Written so that a NaN fails it as well.
    if not (floating and image.size > 0 and image.min() >= 0 and image.max() <= 1):
        raise MLError(
            "bad_image",
            f"The image of case {number} is not a three-dimensional array of float16 or float32 values from 0 to 1; "
            "preprocess it again.",
        )
    return image
