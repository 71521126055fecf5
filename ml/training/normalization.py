"""The running statistics of batch normalization where a batch passes in several parts, or in several processes."""

from collections.abc import Callable, Sequence
from typing import TypeVar

import torch
from torch import Tensor, nn

from ml.training.distributed import add_up

T = TypeVar("T")

_MOMENTUM = 0.1  # torch's default, which MONAI's DenseNet keeps


def layers_of(net: nn.Module) -> list[nn.BatchNorm3d]:
    """Return the layers whose statistics are kept."""
    return [module for module in net.modules() if isinstance(module, nn.BatchNorm3d)]


def weigh_part(layers: Sequence[nn.BatchNorm3d], number: int, count: int) -> None:
    """Prepare for part ``number`` (from 1) of ``count``, so that all parts together move the averages like one batch.

    With m = 0.1, the averages must end at (1 - m) old + m / count (part 1 + ... + part count). Going through the parts
    one by one, number i needs the momentum m / (count - (count - i) m).
    """
    for layer in layers:
        layer.momentum = _MOMENTUM / (count - (count - number) * _MOMENTUM)


def statistics_of(layers: Sequence[nn.BatchNorm3d]) -> list[Tensor]:
    """Return the running means and variances, to be changed in place."""
    tensors = [tensor for layer in layers for tensor in (layer.running_mean, layer.running_var)]
    return [tensor for tensor in tensors if tensor is not None]


@torch.inference_mode()
def measure(net: nn.Module, parts: Sequence[T], show: Callable[[T], object]) -> None:
    """Set the running statistics to the mean of those of all parts under the present weights.

    Parameters
    ----------
    net
        In training mode.
    parts
        This process's batches of images.
    show
        Runs the network on a part.
    """
    layers = layers_of(net)
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = None  # all batches count alike
    for part in parts:
        show(part)


@torch.no_grad()
def merge(layers: Sequence[nn.BatchNorm3d], share: float, others: Sequence[Tensor] = ()) -> None:
    """Average the running statistics over all processes, and add up ``others`` in the same exchange.

    Parameters
    ----------
    share
        This process's part, 0..1, of all micro-batches that the statistics come from.
    others
        Tensors of float32 on the device of the network, replaced by their sums.
    """
    statistics = statistics_of(layers)
    if share != 1:
        for tensor in statistics:
            # Not a product: a process without micro-batches may hold anything.
            tensor.mul_(share) if share else tensor.zero_()
    add_up([*statistics, *others])
