"""Training in several processes: each takes its share of a batch, and all end each step with the same weights.

The gradients are summed once a step, after the backward pass, and not by the hooks of ``DistributedDataParallel``
during it: a process that runs out of memory in the middle of a backward pass would leave the others waiting in those
hooks for ever. What is lost is the overlap of sending and computing: 45 MB a step for DenseNet-121.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
from torch import Tensor, distributed

from ml.errors import MLError

T = TypeVar("T")


@contextmanager
def joined(device: str | None) -> Iterator[str | None]:
    """Join the other processes if torchrun started this one, and give the name of the device to train on.

    Parameters
    ----------
    device
        What the user asked for; under torchrun, CUDA stands for the GPU of this process's local rank.

    Raises
    ------
    MLError
        ``no_device``: a numbered GPU was asked for, or there are more processes than GPUs.
    """
    if not distributed.is_torchelastic_launched():
        yield device
        return
    chosen = _own_device(device)
    distributed.init_process_group("cpu:gloo,cuda:nccl" if chosen.type == "cuda" else "gloo")
    try:
        yield str(chosen)
    finally:
        distributed.destroy_process_group()


def _own_device(name: str | None) -> torch.device:
    if name == "cpu" or (name is None and not torch.cuda.is_available()):
        return torch.device("cpu")
    if name not in (None, "cuda"):
        raise MLError("no_device", "torchrun gives each process a GPU of its own; choose cpu or cuda, without number.")
    number = int(os.environ["LOCAL_RANK"])
    if number >= torch.cuda.device_count():
        raise MLError("no_device", "There are more processes than GPUs; lower --nproc-per-node.")
    torch.cuda.set_device(number)
    return torch.device("cuda", number)


def size() -> int:
    """Number of processes; 1 where none was joined."""
    return distributed.get_world_size() if distributed.is_initialized() else 1


def rank() -> int:
    """Number of this process, from 0."""
    return distributed.get_rank() if distributed.is_initialized() else 0


def leads() -> bool:
    """Say whether this is the process that writes files and tells events."""
    return rank() == 0


def from_leader(make: Callable[[], T]) -> T:
    """Return what ``make`` returns in the leading process, or raise its :class:`MLError`; the others do not call it."""
    if size() == 1:
        return make()
    box: list[Any] = [None, None]
    if leads():
        try:
            box[0] = make()
        except MLError as error:
            box[1] = (error.code, str(error))
    distributed.broadcast_object_list(box)
    value, problem = box
    if problem:
        raise MLError(*problem)
    return value


def any_of(flag: bool) -> bool:
    """Say whether ``flag`` is set in any process."""
    if size() == 1:
        return flag
    answer = torch.tensor(int(flag))
    distributed.all_reduce(answer, distributed.ReduceOp.MAX)
    return bool(answer)


def add_up(tensors: Sequence[Tensor]) -> None:
    """Replace each tensor by its sum over all processes; all of one type, on one device.

    They are sent as one. The sum is computed once and handed out, so it is the same to the last bit everywhere.
    """
    if size() == 1:
        return
    flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
    distributed.all_reduce(flat)
    parts = flat.split([tensor.numel() for tensor in tensors])
    for tensor, part in zip(tensors, parts, strict=True):
        tensor.copy_(part.view(tensor.shape))
