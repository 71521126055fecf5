"""``model.json``: what a finished run is, and the digests by which its weights are known."""

import hashlib
import json
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, PrivateAttr, ValidationError

from ml.errors import MLError
from ml.training.config import Arm, TrainingConfig
from ml.training.files import write_text
from ml.training.manifest import Feature
from ml.training.recalibration import ArmRecalibration


class WeightFile(BaseModel):
    """One network of the model."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    arm: Arm
    fold: int
    """Outer fold, from 1."""
    inner: int = 1
    """Inner fold, from 1."""
    path: str
    """Relative to the run folder."""
    sha256: str


class ModelCard(BaseModel):
    """Where a model comes from and what it is made of."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    features: tuple[Feature, ...]
    config: TrainingConfig
    snapshot_digest: str
    manifest_digest: str
    preprocessing_version: str
    code_version: str
    torch_version: str
    recalibration: dict[Arm, ArmRecalibration] = {}
    """By arm: what is done to the probability of each fold before the mean is taken. Fitted out of fold."""
    weights: tuple[WeightFile, ...]
    # Settings that this version has and the one that wrote the file had not must not rename the model.
    _stored: dict[str, Any] | None = PrivateAttr(default=None)

    @property
    def digest(self) -> str:
        """SHA-256 of the whole card, and through it of all weights: the name of the model."""
        content = self.model_dump(mode="json") if self._stored is None else self._stored
        canonical = json.dumps(content, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()

    def write(self, run_dir: Path) -> None:
        content = self.model_dump(mode="json") | {"digest": self.digest}
        write_text(run_dir / "model.json", json.dumps(content, indent=1))

    @classmethod
    def read(cls, run_dir: Path) -> Self:
        """Read the card of a finished run.

        Raises
        ------
        MLError
            ``no_model``: no finished run there. ``damaged_file``: the card was changed.
        """
        try:
            content = json.loads((run_dir / "model.json").read_bytes())
            digest = content.pop("digest")
            card = cls.model_validate_json(json.dumps(content))
            card._stored = content
        except OSError as error:
            raise MLError("no_model", "The folder holds no trained model; finish the training run first.") from error
        except (ValidationError, ValueError, AttributeError, KeyError) as error:
            raise MLError("damaged_file", "The model's description is damaged; restore the run folder.") from error
        if digest != card.digest:
            raise MLError("damaged_file", "The model's description was changed; restore the run folder.")
        return card


def code_version() -> str:
    """Version of the installed package, ``unknown`` where only the source tree is there."""
    try:
        return version("ichor")
    except PackageNotFoundError:
        return "unknown"
