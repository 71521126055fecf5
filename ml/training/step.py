"""One step of the optimizer on a batch, whatever part of it fits into memory and however many processes share it."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ml.training import distributed, normalization
from ml.training.arms import forward
from ml.training.augmentation import Changes, augment, draw_changes
from ml.training.config import TrainingConfig
from ml.training.memory import MicroBatch


class Inputs(NamedTuple):
    """What a network is fed, on its device."""

    images: Tensor
    """float32 (batch, 1, z, y, x), values 0..1."""
    clinical: Tensor
    """float32 (batch, width)."""
    labels: Tensor
    """float32 (batch,), 0 or 1."""


Load = Callable[[Sequence[str]], Inputs]


@dataclass(frozen=True)
class StepValues:
    """What one step gave."""

    loss: float
    """Mean over the batch, before the step."""
    gradient: str | None
    """Name of the first weight whose gradient is not finite."""

    @property
    def finite(self) -> bool:
        return bool(np.isfinite(self.loss)) and self.gradient is None


class TrainingStep:
    """Moves a network by one optimizer step a batch.

    A batch passes in micro-batches; their losses are weighed so that the gradients add up to that of the whole batch.
    Batch normalization alone sees the micro-batch and not the batch (its running averages still move once a step). The
    micro-batches follow from their size alone, and processes deal them out: with the same size, one process and
    several compute the same up to the order in which sums are formed.

    Parameters
    ----------
    net
        On its device, in training mode.
    config
        Learning rate, weight decay, precision, augmentation.
    class_weight
        Weight of a poor outcome in the loss.
    memory
        How many images pass at once.
    """

    def __init__(self, net: nn.Module, config: TrainingConfig, class_weight: float, memory: MicroBatch) -> None:
        self._net, self._config, self._memory = net, config, memory
        self._named = dict(net.named_parameters())
        self._layers = normalization.layers_of(net)
        self._device = next(iter(self._named.values())).device
        self._bfloat16 = config.mixed_precision and self._device.type == "cuda"
        self._class_weight = torch.tensor(class_weight, device=self._device)
        cuda = self._device.type == "cuda"
        if cuda:
            keep_channels_last(net)
        self.optimizer = torch.optim.Adam(
            self._named.values(), lr=config.learning_rate, weight_decay=config.weight_decay, fused=cuda or None
        )

    def run(self, batches: Iterable[Sequence[str]], load: Load, generator: torch.Generator) -> Iterator[StepValues]:
        """Train on each batch of case ids; the values of a step come while the GPU does the next one.

        Whoever sees values that are not finite must stop: the weights are lost from then on.

        Raises
        ------
        MLError
            ``out_of_memory``, and what ``load`` raises.
        """
        waiting: _Report | None = None
        for ids in batches:
            report = self._step(ids, load, generator)
            if waiting:
                yield waiting.read()
            waiting = report
        if waiting:
            yield waiting.read()

    def loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Return the mean weighted cross-entropy of logits (batch,)."""
        weight = self._class_weight.to(logits.device)
        return functional.binary_cross_entropy_with_logits(logits, labels, pos_weight=weight)

    def _step(self, ids: Sequence[str], load: Load, generator: torch.Generator) -> "_Report":
        changes = draw_changes(len(ids), self._config.image_shape, self._config.augmentation, generator)
        before = [buffer.clone() for buffer in self._net.buffers()]

        def undo() -> None:
            self.optimizer.zero_grad(set_to_none=True)
            for buffer, value in zip(self._net.buffers(), before, strict=True):
                buffer.copy_(value)

        loss, share = self._memory.fit(lambda: self._backward(ids, changes, load), undo)
        gradients = self._merge(loss, share)
        report = _Report(loss, gradients, list(self._named))
        self.optimizer.step()
        return report

    def _backward(self, ids: Sequence[str], changes: Changes, load: Load) -> tuple[Tensor, float]:
        """Add up this process's part of loss and gradients; return the loss, and the part of the micro-batches."""
        self.optimizer.zero_grad(set_to_none=True)
        parts = np.array_split(np.arange(len(ids)), self._memory.count(len(ids)))
        mine = parts[distributed.rank() :: distributed.size()]
        total = torch.zeros((), device=self._device)
        for number, part in enumerate(mine, start=1):
            normalization.weigh_part(self._layers, number, len(mine))
            which = part.tolist()
            inputs = load([ids[index] for index in which])
            images = augment(inputs.images, changes.of(which)).contiguous(memory_format=torch.channels_last_3d)
            with torch.autocast(self._device.type, torch.bfloat16, enabled=self._bfloat16):
                logits, _ = forward(self._net, images, inputs.clinical)
            loss = self.loss(logits.float(), inputs.labels) * (len(which) / len(ids))
            loss.backward()
            total += loss.detach()
        return total, len(mine) / len(parts)

    def _merge(self, loss: Tensor, share: float) -> list[Tensor]:
        """Add up loss and gradients of all processes and return the gradients, in the order of the weights."""
        for weight in self._named.values():
            if weight.grad is None:  # in this process no micro-batch came by
                weight.grad = torch.zeros_like(weight)
        gradients = [weight.grad for weight in self._named.values() if weight.grad is not None]
        normalization.merge(self._layers, share, [loss, *gradients])
        return gradients


def keep_channels_last(net: nn.Module) -> None:
    """Have average pooling hand on channels last, as it gets them.

    torch's ``avg_pool3d`` returns channels first whatever comes in, so that of a DenseNet only the first block would
    compute in the layout that CUDA's convolutions are fast in, and each later one would convert back and forth.
    """
    for module in net.modules():
        if isinstance(module, nn.AvgPool3d):
            module.register_forward_hook(_as_channels_last)


def _as_channels_last(module: nn.Module, inputs: object, output: Tensor) -> Tensor:
    return output.contiguous(memory_format=torch.channels_last_3d)


class _Report:
    """The values of a step on their way from the device."""

    def __init__(self, loss: Tensor, gradients: Sequence[Tensor], names: Sequence[str]) -> None:
        self._names = names
        # A finite gradient whose square overflows counts as lost: Adam squares it too.
        norms = torch.stack(torch._foreach_norm(list(gradients)))
        self._values = torch.cat((loss.reshape(1), norms)).to("cpu", non_blocking=True)
        self._arrived = torch.cuda.Event() if loss.is_cuda else None
        if self._arrived:
            self._arrived.record()

    def read(self) -> StepValues:
        """Wait for this step, not for what was started after it."""
        if self._arrived:
            self._arrived.synchronize()
        loss, *norms = self._values.tolist()
        lost = [name for name, norm in zip(self._names, norms, strict=True) if not np.isfinite(norm)]
        return StepValues(loss, lost[0] if lost else None)
