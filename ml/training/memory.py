"""How many images pass the network at once; halved when the memory turns out too small."""

from collections.abc import Callable
from typing import TypeVar

import torch

from ml.errors import MLError
from ml.training.distributed import any_of

T = TypeVar("T")

SMALLEST = 2
"""Batch normalization cannot use a batch of one."""


class MicroBatch:
    """The size of a micro-batch.

    Parameters
    ----------
    size
        Images to begin with.
    on_shrink
        Told in a sentence when the size is halved.
    """

    def __init__(self, size: int, on_shrink: Callable[[str], None] = lambda sentence: None) -> None:
        self.size = max(size, SMALLEST)
        self._on_shrink = on_shrink

    def count(self, images: int) -> int:
        """Number of nearly equal micro-batches for a batch.

        None has fewer than two images, so that an odd batch in twos has one of three.
        """
        return max(1, min(-(-images // self.size), images // SMALLEST))

    def fit(self, action: Callable[[], T], undo: Callable[[], None] = lambda: None) -> T:
        """Call ``action``, again with half the size for as long as it lacks memory in any process.

        Parameters
        ----------
        action
            Divides its work by ``size``; must not wait for other processes.
        undo
            Takes back what an action that was cut off has changed.

        Raises
        ------
        MLError
            ``out_of_memory``: not even two images fit.
        """
        while True:
            result: T | None = None
            short = False
            try:
                result = action()
            except RuntimeError as error:
                if not is_out_of_memory(error):
                    raise
                short = True
            # Outside of the handler: the error's traceback holds on to tensors of the failed attempt.
            if not any_of(short):
                return result  # type: ignore[return-value]
            result = None
            undo()
            self._halve()

    def _halve(self) -> None:
        if self.size == SMALLEST:
            raise MLError(
                "out_of_memory",
                f"The memory is too small for even {SMALLEST} images at a time; "
                "use a device with more memory, or a smaller image_shape or backbone in a new run.",
            )
        before, self.size = self.size, max(SMALLEST, -(-self.size // 2))
        torch.cuda.empty_cache()
        self._on_shrink(f"The memory is too small for {before} images at a time; going on with {self.size}.")


def is_out_of_memory(error: RuntimeError) -> bool:
    """Say whether an error of torch means that memory ran out; only CUDA's allocator has a class of its own for it."""
    text = str(error)
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in text or "ALLOC_FAILED" in text
