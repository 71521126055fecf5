"""One cell of the experiment: one arm trained on one fold, from wherever the last attempt was cut off."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ml.errors import MLError
from ml.training.arms import build_net, forward, place
from ml.training.augmentation import augment
from ml.training.checkpoints import CellFiles, CellResult, CellState, EpochRecord, Weights
from ml.training.config import Arm, TrainingConfig
from ml.training.encoder import ClinicalEncoder
from ml.training.events import RunStoppedError, ShouldStop
from ml.training.images import ImageStore
from ml.training.manifest import Case, Feature
from ml.training.seeding import seeded
from ml.training.splits import Fold

OnEpoch = Callable[[EpochRecord], None]


@dataclass(frozen=True)
class CellData:
    """What a cell learns from; the held-out and test cases are only predicted."""

    cases: dict[str, Case]
    features: tuple[Feature, ...]
    images: ImageStore
    fold: Fold
    test: tuple[str, ...]
    preprocessing_version: str


class CellTrainer:
    """Trains one arm on one fold.

    Every random number of an epoch comes from (seed, arm, fold, epoch), never from what ran before: a run that was
    killed and started again therefore ends, on the CPU, in exactly the metrics of an undisturbed one.
    """

    def __init__(
        self, arm: Arm, number: int, *, data: CellData, config: TrainingConfig, device: torch.device, files: CellFiles
    ) -> None:
        self._arm, self._number, self._data, self._config, self._device = arm, number, data, config, device
        self._files = files
        fit = [data.cases[case] for case in data.fold.fit]
        self._encoder = ClinicalEncoder.fit(data.features, [case.clinical for case in fit])
        poor = sum(case.label for case in fit)
        self._weight = (len(fit) - poor) / poor if config.class_weighting else 1.0
        self._bfloat16 = config.mixed_precision and device.type == "cuda"
        with seeded(config.seed, arm, number, 0):
            net = build_net(arm, config, self._encoder.width)
        self._net = place(net, device)
        self._optimizer = torch.optim.Adam(
            self._net.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
        )

    def train(self, on_epoch: OnEpoch, on_restart: Callable[[], None], should_stop: ShouldStop) -> CellResult:
        """Train from the last checkpoint to the end, predict, and write weights and result.

        Raises
        ------
        MLError
            ``loss_not_finite``, ``out_of_memory``, ``bad_image``, ``bad_clinical_value``, ``stopped``.
        """
        try:
            state = self._resume(on_restart)
            while not state.finished(self._config):
                record = self._epoch(state.epoch + 1, should_stop)
                state.add(record, self._net)
                self._files.save_state(state, self._net, self._optimizer)
                on_epoch(record)
            return self._finish(state)
        except torch.OutOfMemoryError as error:
            raise MLError(
                "out_of_memory", "The accelerator's memory is too small for this configuration; reduce batch_size."
            ) from error

    def _resume(self, on_restart: Callable[[], None]) -> CellState:
        try:
            return self._files.load_state(self._net, self._optimizer, self._device)
        except MLError:
            # Nothing is lost but time: the seeds depend on the epoch alone, so a new start ends in the same weights.
            on_restart()
            self._files.discard_states()
            return CellState()

    def _epoch(self, epoch: int, should_stop: ShouldStop) -> EpochRecord:
        self._net.train()
        with seeded(self._config.seed, self._arm, self._number, epoch) as generator:
            losses = [self._step(ids, generator, epoch) for ids in self._batches(generator, should_stop)]
        if self._config.exact_normalization:
            self._measure_normalization()
        logits = self._logits(self._net, self._data.fold.validation)
        labels = self._labels(self._data.fold.validation)
        loss = float(self._loss(logits, labels))
        self._check_finite(loss, "validation", epoch)
        return EpochRecord(
            epoch=epoch,
            train_loss=float(np.mean(losses)),
            validation_loss=loss,
            validation_auc=auc_or_none(labels, logits),
        )

    @torch.inference_mode()
    def _measure_normalization(self) -> None:
        """Replace the moving averages of batch normalization by the fit images' statistics under these weights."""
        layers = [module for module in self._net.modules() if isinstance(module, nn.BatchNorm3d)]
        for layer in layers:
            layer.reset_running_stats()
            layer.momentum = None  # all batches count alike
        for part in self._parts(self._data.fold.fit):
            forward(self._net, self._images(part), self._clinical(part))
        for layer in layers:
            layer.momentum = 0.1

    def _parts(self, ids: Sequence[str]) -> list[list[str]]:
        """Divide cases into batches of nearly equal size: batch normalization cannot use a batch of one."""
        return [list(part) for part in np.array_split(list(ids), int(np.ceil(len(ids) / self._config.batch_size)))]

    def _batches(self, generator: torch.Generator, should_stop: ShouldStop) -> Iterator[list[str]]:
        ids = self._data.fold.fit
        order = torch.randperm(len(ids), generator=generator).tolist()
        for part in self._parts([ids[index] for index in order]):
            if should_stop():
                raise RunStoppedError
            yield part

    def _step(self, ids: Sequence[str], generator: torch.Generator, epoch: int) -> float:
        images = augment(self._images(ids), self._config.augmentation, generator)
        self._optimizer.zero_grad(set_to_none=True)
        with torch.autocast(self._device.type, torch.bfloat16, enabled=self._bfloat16):
            logits, _ = forward(self._net, images, self._clinical(ids))
        loss = self._loss(logits.float(), self._labels(ids).to(self._device))
        value = float(loss.detach())
        self._check_finite(value, "training", epoch)
        loss.backward()
        self._optimizer.step()
        return value

    def _loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        weight = torch.tensor(self._weight, device=logits.device)
        return functional.binary_cross_entropy_with_logits(logits, labels, pos_weight=weight)

    def _check_finite(self, loss: float, kind: str, epoch: int) -> None:
        if not np.isfinite(loss):
            raise MLError(
                "loss_not_finite",
                f"The {kind} loss became {loss} in the {self._arm} arm, fold {self._number}, epoch {epoch}; "
                "lower the learning rate and start a new run.",
            )

    def _finish(self, state: CellState) -> CellResult:
        net = build_net(self._arm, self._config, self._encoder.width)
        net.load_state_dict(state.best_weights)
        net = place(net, self._device)
        weights = Weights(
            arm=self._arm,
            fold=self._number,
            state=state.best_weights,
            encoder=self._encoder,
            config=self._config,
            preprocessing_version=self._data.preprocessing_version,
            logit_shift=float(np.log(self._weight)),
        )
        held_out, test = self._data.fold.held_out, self._data.test
        result = CellResult(
            weights_sha256=self._files.save_weights(weights),
            best_epoch=state.best_epoch,
            history=tuple(state.history),
            held_out=dict(zip(held_out, self._probabilities(net, held_out, weights.logit_shift), strict=True)),
            test=dict(zip(test, self._probabilities(net, test, weights.logit_shift), strict=True)),
        )
        self._files.save_result(result)
        self._files.discard_states()
        return result

    def _probabilities(self, net: nn.Module, ids: Sequence[str], shift: float) -> list[float]:
        if not ids:
            return []
        # In float64, so that a confident network does not tie patients at exactly 0 or 1.
        return [float(value) for value in torch.sigmoid(self._logits(net, ids).double() - shift)]

    @torch.inference_mode()
    def _logits(self, net: nn.Module, ids: Sequence[str]) -> Tensor:
        net.eval()
        size = self._config.batch_size
        parts = [ids[start : start + size] for start in range(0, len(ids), size)]
        return torch.cat([forward(net, self._images(part), self._clinical(part))[0].cpu() for part in parts])

    def _images(self, ids: Sequence[str]) -> Tensor:
        images = self._data.images.batch(ids).to(self._device)
        return images.contiguous(memory_format=torch.channels_last_3d)

    def _clinical(self, ids: Sequence[str]) -> Tensor:
        records = [self._data.cases[case].clinical for case in ids]
        return torch.from_numpy(self._encoder.transform(records)).to(self._device)

    def _labels(self, ids: Sequence[str]) -> Tensor:
        return torch.tensor([float(self._data.cases[case].label) for case in ids])


def auc_or_none(labels: Tensor, scores: Tensor) -> float | None:
    """Area under the ROC curve, or None where there is one class only."""
    from ml.statistics import auc

    if len(set(labels.tolist())) < 2:
        return None
    return float(auc(labels.numpy().astype(int), scores.double().numpy()).value)
