"""One cell of the experiment: one arm trained on one inner fold, from wherever the last attempt was cut off."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from ml.errors import MLError
from ml.training import distributed, normalization
from ml.training.arms import build_net, forward, place
from ml.training.checkpoints import CellFiles, CellResult, CellState, EpochRecord, SavedState, Weights
from ml.training.config import Arm, TrainingConfig
from ml.training.encoder import ClinicalEncoder
from ml.training.events import RunStoppedError, ShouldStop
from ml.training.images import ImageStore, as_input
from ml.training.manifest import Case, Feature
from ml.training.memory import MicroBatch, is_out_of_memory
from ml.training.seeding import seeded
from ml.training.splits import Fold
from ml.training.step import Inputs, StepValues, TrainingStep


@dataclass(frozen=True)
class Listener:
    """Whom a cell tells what happens."""

    on_epoch: Callable[[EpochRecord], None] = lambda record: None
    on_restart: Callable[[], None] = lambda: None
    """A damaged checkpoint was found, and the cell begins anew."""
    on_memory: Callable[[str], None] = lambda sentence: None
    """Fewer images pass the network at once than before; says so in a sentence."""
    should_stop: ShouldStop = lambda: False
    """Asked before each batch."""


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
        self,
        arm: Arm,
        *,
        data: CellData,
        config: TrainingConfig,
        device: torch.device,
        files: CellFiles,
        listener: Listener,
    ) -> None:
        self._arm, self._data, self._config, self._device = arm, data, config, device
        self._files, self._listener = files, listener
        fit = [data.cases[case] for case in data.fold.fit]
        self._encoder = ClinicalEncoder.fit(data.features, [case.clinical for case in fit])
        poor = sum(case.label for case in fit)
        self._weight = (len(fit) - poor) / poor if config.class_weighting else 1.0
        with seeded(config.seed, arm, data.fold.name, 0):
            net = build_net(arm, config, self._encoder.width)
        self._net = place(net, device)
        size = config.micro_batch_size or -(-config.batch_size // distributed.size())
        self._memory = MicroBatch(min(size, config.batch_size), listener.on_memory)
        self._step = TrainingStep(self._net, config, self._weight, self._memory)

    def train(self) -> CellResult:
        """Train from the last checkpoint to the end, predict, and write weights and result.

        Raises
        ------
        MLError
            ``loss_not_finite``, ``out_of_memory``, ``bad_image``, ``bad_clinical_value``, ``stopped``.
        """
        try:
            # Images of few sizes pass many times: worth a trial of CUDA's ways to convolve them.
            with torch.backends.cudnn.flags(enabled=True, benchmark=True):
                return self._train()
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            raise MLError(
                "out_of_memory", "The memory is too small for the network itself; use a device with more memory."
            ) from error

    def _train(self) -> CellResult:
        state = self._resume()
        while not state.finished(self._config):
            record = self._epoch(state.epoch + 1)
            state.add(record, self._net)
            state.micro_batch = self._memory.size
            if distributed.leads():
                self._files.save_state(state, self._net, self._step.optimizer)
            self._listener.on_epoch(record)
        return self._finish(state)

    def _resume(self) -> CellState:
        saved = distributed.from_leader(self._saved)
        if saved is None:
            return CellState()
        self._net.load_state_dict(saved.net)
        self._step.optimizer.load_state_dict(saved.optimizer)
        self._memory.size = min(self._memory.size, saved.state.micro_batch or self._memory.size)
        return saved.state

    def _saved(self) -> SavedState | None:
        try:
            return self._files.load_state()
        except MLError:
            # Nothing is lost but time: the seeds depend on the epoch alone, so a new start ends in the same weights.
            self._listener.on_restart()
            self._files.discard_states()
            return None

    def _epoch(self, epoch: int) -> EpochRecord:
        self._net.train()
        losses = []
        with seeded(self._config.seed, self._arm, self._data.fold.name, epoch) as generator:
            steps = self._step.run(self._batches(generator), self._load, generator)
            for number, values in enumerate(steps, start=1):
                if not values.finite:
                    raise self._lost("training", values, f"epoch {epoch}, batch {number}")
                losses.append(values.loss)
        if self._config.exact_normalization:
            self._measure_normalization()
        logits = self._logits(self._net, self._data.fold.validation)
        labels = self._labels(self._data.fold.validation)
        validation = StepValues(float(self._step.loss(logits, labels)), None)
        if not validation.finite:
            raise self._lost("validation", validation, f"epoch {epoch}")
        return EpochRecord(
            epoch=epoch,
            train_loss=float(np.mean(losses)),
            validation_loss=validation.loss,
            validation_auc=auc_or_none(labels, logits),
        )

    def _lost(self, kind: str, values: StepValues, when: str) -> MLError:
        fold = self._data.fold.name if self._config.inner_folds > 1 else self._data.fold.number
        where = f"in the {self._arm} arm, fold {fold}, {when}"
        what = f"The {kind} loss became {values.loss} {where}"
        if values.gradient and np.isfinite(values.loss):
            what = f"A gradient became infinite or no number {where}"
        if values.gradient:
            what += f" (first of the weights concerned: {values.gradient})"
        return MLError("loss_not_finite", f"{what}; lower the learning rate and start a new run.")

    def _measure_normalization(self) -> None:
        """Replace the moving averages of batch normalization by the fit images' statistics under these weights."""

        def measure() -> float:
            ids = self._data.fold.fit
            parts = divide(ids, self._memory.count(len(ids)))
            mine = parts[distributed.rank() :: distributed.size()]
            normalization.measure(self._net, mine, lambda ids: forward(self._net, *self._load(ids)[:2]))
            return len(mine) / len(parts)

        normalization.merge(normalization.layers_of(self._net), self._memory.fit(measure))

    def _batches(self, generator: torch.Generator) -> Iterator[list[str]]:
        ids = self._data.fold.fit
        order = torch.randperm(len(ids), generator=generator).tolist()
        for part in divide([ids[index] for index in order], -(-len(ids) // self._config.batch_size)):
            if distributed.any_of(self._listener.should_stop()):
                raise RunStoppedError
            yield part

    def _finish(self, state: CellState) -> CellResult:
        net = build_net(self._arm, self._config, self._encoder.width)
        net.load_state_dict(state.best_weights)
        net = place(net, self._device)
        weights = Weights(
            arm=self._arm,
            fold=self._data.fold.number,
            inner=self._data.fold.inner,
            state=state.best_weights,
            encoder=self._encoder,
            config=self._config,
            preprocessing_version=self._data.preprocessing_version,
            logit_shift=float(np.log(self._weight)),
        )
        held_out, test = self._data.fold.held_out, self._data.test
        result = CellResult(
            weights_sha256=distributed.from_leader(lambda: self._files.save_weights(weights)),
            best_epoch=state.best_epoch,
            history=tuple(state.history),
            held_out=dict(zip(held_out, self._probabilities(net, held_out, weights.logit_shift), strict=True)),
            test=dict(zip(test, self._probabilities(net, test, weights.logit_shift), strict=True)),
        )
        if distributed.leads():
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
        """Return the logits of all ids; each process computes a share of them."""
        net.eval()

        def own() -> Tensor:
            logits, size = torch.zeros(len(ids)), self._memory.size
            for start in range(distributed.rank() * size, len(ids), distributed.size() * size):
                images, clinical, _ = self._load(ids[start : start + size])
                logits[start : start + size] = forward(net, images, clinical)[0].cpu()
            return logits

        logits = self._memory.fit(own)
        distributed.add_up([logits])
        return logits

    def _load(self, ids: Sequence[str]) -> Inputs:
        images = as_input(self._data.images.batch(ids), self._device)
        clinical = self._encoder.transform([self._data.cases[case].clinical for case in ids])
        # A copy that blocks would wait for all that the GPU was given before.
        return Inputs(
            images.contiguous(memory_format=torch.channels_last_3d),
            torch.from_numpy(clinical).to(self._device, non_blocking=True),
            self._labels(ids).to(self._device, non_blocking=True),
        )

    def _labels(self, ids: Sequence[str]) -> Tensor:
        return torch.tensor([float(self._data.cases[case].label) for case in ids])


def divide(ids: Sequence[str], count: int) -> list[list[str]]:
    """Divide cases into parts of nearly equal size: batch normalization cannot use one left over."""
    return [list(part) for part in np.array_split(list(ids), count)]


def auc_or_none(labels: Tensor, scores: Tensor) -> float | None:
    """Area under the ROC curve, or None where there is one class only."""
    from ml.statistics import auc

    if len(set(labels.tolist())) < 2:
        return None
    return float(auc(labels.numpy().astype(int), scores.double().numpy()).value)
