"""What a cell leaves on the disk: its state after each epoch, then weights and result."""

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from pydantic import BaseModel, ConfigDict, ValidationError
from torch import Tensor, nn

from ml.errors import MLError
from ml.training.config import Arm, TrainingConfig
from ml.training.encoder import ClinicalEncoder
from ml.training.files import file_sha256, write_bytes, write_text
from ml.training.tensors import load_tensors, serialize


class EpochRecord(BaseModel):
    """Losses of one epoch; ``validation_auc`` is None where the validation patients have one outcome only."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    epoch: int
    train_loss: float
    validation_loss: float
    validation_auc: float | None


class CellResult(BaseModel):
    """A finished cell: what it predicts, and the digest of the weights that did."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    weights_sha256: str
    best_epoch: int
    history: tuple[EpochRecord, ...]
    held_out: dict[str, float]
    """P(poor outcome) by case id."""
    test: dict[str, float]


@dataclass
class CellState:
    """Where the training of a cell stands."""

    history: list[EpochRecord] = field(default_factory=list)
    best_epoch: int = 0
    best_weights: dict[str, Tensor] = field(default_factory=dict)
    micro_batch: int | None = None
    """Images that were found to pass the network at once."""

    @property
    def epoch(self) -> int:
        return len(self.history)

    def finished(self, config: TrainingConfig) -> bool:
        """Say whether all epochs are done or the validation loss has not fallen for ``patience`` epochs."""
        return self.epoch >= config.epochs or self.epoch - self.best_epoch >= config.patience

    def add(self, record: EpochRecord, net: nn.Module) -> None:
        """Enter an epoch; keep the weights if no epoch before had a lower validation loss."""
        self.history.append(record)
        if record.validation_loss <= min(entry.validation_loss for entry in self.history):
            self.best_epoch = record.epoch
            self.best_weights = {key: value.detach().cpu().clone() for key, value in net.state_dict().items()}


@dataclass(frozen=True)
class SavedState:
    """A state with what network and optimizer held, all on the CPU."""

    state: CellState
    net: dict[str, Tensor]
    optimizer: dict[str, Any]


@dataclass(frozen=True)
class Weights:
    """A trained network with all that is needed to use it."""

    arm: Arm
    fold: int
    inner: int
    state: dict[str, Tensor]
    encoder: ClinicalEncoder
    config: TrainingConfig
    preprocessing_version: str
    logit_shift: float
    """To be taken from the logit: training with weighted classes adds log(weight) to it, and a probability must be that
    of the training patients (prior correction: King and Zeng, "Logistic Regression in Rare Events Data", 2001)."""

    def content(self) -> dict[str, Any]:
        return {
            "arm": self.arm,
            "fold": self.fold,
            "inner": self.inner,
            "state": {key: value.contiguous() for key, value in self.state.items()},
            "encoder": self.encoder.model_dump_json(),
            "config": self.config.model_dump_json(),
            "preprocessing_version": self.preprocessing_version,
            "logit_shift": self.logit_shift,
        }


def load_weights(path: Path, sha256: str) -> Weights:
    """Read a weight file.

    Raises
    ------
    MLError
        ``damaged_file``: absent, or not the file with this digest.
    """
    content = load_tensors(path, sha256)
    return Weights(
        arm=content["arm"],
        fold=content["fold"],
        inner=content.get("inner", 1),
        state=content["state"],
        encoder=ClinicalEncoder.model_validate_json(content["encoder"]),
        config=TrainingConfig.model_validate_json(content["config"]),
        preprocessing_version=content["preprocessing_version"],
        logit_shift=content["logit_shift"],
    )


class CellFiles:
    """The files of one cell in ``checkpoints/<arm>/``.

    ``fold-1-1.pt`` and ``fold-1-1.json`` (outer and inner fold) are the finished cell. Before that, ``fold-1-1/`` holds
    the state after the last epoch, under a name that carries its digest: one rename makes it valid, and damage to it is
    noticed.
    """

    def __init__(self, folder: Path, fold: str) -> None:
        self.weights = folder / f"fold-{fold}.pt"
        self._result = folder / f"fold-{fold}.json"
        self._states = folder / f"fold-{fold}"

    def load_result(self) -> CellResult | None:
        """Return the result of a finished cell, None if it is not finished.

        Raises
        ------
        MLError
            ``damaged_file``: the cell was finished, but its files are no longer what they were.
        """
        if not self._result.exists():
            return None
        try:
            result = CellResult.model_validate_json(self._result.read_bytes())
        except ValidationError as error:
            raise MLError("damaged_file", "The result of a finished fold is damaged.") from error
        if not self.weights.exists() or file_sha256(self.weights) != result.weights_sha256:
            raise MLError("damaged_file", "The weights of a finished fold are missing or damaged.")
        return result

    def save_result(self, result: CellResult) -> None:
        write_text(self._result, result.model_dump_json(indent=1))

    def discard_result(self) -> None:
        self._result.unlink(missing_ok=True)

    def save_weights(self, weights: Weights) -> str:
        """Write the weight file and return its SHA-256."""
        data, sha256 = serialize(weights.content())
        write_bytes(self.weights, data)
        return sha256

    def save_state(self, state: CellState, net: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        """Write the state after an epoch, then remove the one before."""
        best_is_last = state.best_epoch == state.epoch
        data, sha256 = serialize(
            {
                "history": json.dumps([record.model_dump() for record in state.history]),
                "best_epoch": state.best_epoch,
                "micro_batch": state.micro_batch,
                "best_weights": {} if best_is_last else state.best_weights,
                "net": net.state_dict(),
                "optimizer": optimizer.state_dict(),
            }
        )
        path = self._states / f"epoch-{state.epoch:05d}-{sha256}.pt"
        write_bytes(path, data)
        for other in self._states.iterdir():
            if other != path:
                other.unlink()

    def load_state(self) -> SavedState | None:
        """Return the last state, None if there is none.

        Raises
        ------
        MLError
            ``damaged_file``
        """
        paths = sorted(self._states.glob("epoch-*.pt"))
        if not paths:
            return None
        match = re.fullmatch(r"epoch-\d+-([0-9a-f]{64})\.pt", paths[-1].name)
        content = load_tensors(paths[-1], match.group(1) if match else "")
        history = [EpochRecord.model_validate(record) for record in json.loads(content["history"])]
        best = content["best_weights"] or content["net"]
        state = CellState(history, content["best_epoch"], best, content["micro_batch"])
        return SavedState(state, content["net"], content["optimizer"])

    def discard_states(self) -> None:
        """Remove all states; the folder too."""
        if self._states.is_dir():
            for path in self._states.iterdir():
                path.unlink()
            self._states.rmdir()
