"""The fold models of a run as one model: the mean of their probabilities."""

import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from ml.errors import MLError
from ml.inference.engine import Precision, compile_features, engine_version
from ml.nets import DenseFeatures
from ml.training.arms import build_net, forward, place
from ml.training.checkpoints import load_weights
from ml.training.config import Arm
from ml.training.encoder import ClinicalEncoder
from ml.training.files import file_sha256
from ml.training.manifest import ClinicalValue
from ml.training.model_card import ModelCard, WeightFile

# As many networks as outer folds keep the memory of their layers: 2.8 GB at the study's size. Those of nested
# cross-validation, 25, would need 11 GB.
_FEW = 5

Image = np.ndarray[tuple[int, ...], np.dtype[Any]]


@dataclass(frozen=True)
class Prediction:
    """P(poor outcome) of one patient.

    Attributes
    ----------
    probability
        Mean of ``per_fold``.
    per_fold
        What each outer fold says, in their order: the mean of its networks, recalibrated as the model card has it.
    arm
        The arm that was used.
    gate_mean
        Of the fusion arm: mean of the gate over hidden units and folds, 0 (clinical record alone) to 1 (image alone).
    imputed
        Features whose value was missing and was filled in from the training patients.
    missing
        Missing values for which the fusion arm was not used.
    seconds
        Time in the networks.
    engine
        What computed them, with its release: OpenVINO on the CPU, torch elsewhere.
    precision
        Of each network. With torch it is that of the weights; CUDA may round inside convolutions (TF32).
    """

    probability: float
    per_fold: tuple[float, ...]
    arm: Arm
    gate_mean: float | None
    imputed: tuple[str, ...]
    missing: tuple[str, ...]
    seconds: float
    engine: str
    precision: tuple[Precision, ...]


class Network(NamedTuple):
    """One network of a model, in torch and in evaluation mode."""

    fold: int
    """Outer fold, from 1."""
    net: nn.Module
    encoder: ClinicalEncoder
    logit_shift: float
    """To be taken from its logit."""


class Model:
    """A trained model; made by :func:`load_model`."""

    def __init__(self, run_dir: Path, card: ModelCard, device: torch.device) -> None:
        self.card = card
        self._run_dir = run_dir
        self._device = device
        self._members: dict[Arm, list[_Member]] = {}

    @cached_property
    def digest(self) -> str:
        """SHA-256 that names the model: features, configuration, cohort snapshot and all weights."""
        return self.card.digest

    @property
    def arms(self) -> tuple[Arm, ...]:
        """The arms that were trained."""
        return self.card.config.arms

    def missing(self, clinical: Mapping[str, ClinicalValue]) -> tuple[str, ...]:
        """Name the features whose value a record lacks; keys that are no features are ignored."""
        return tuple(feature.name for feature in self.card.features if clinical.get(feature.name) is None)

    def predict(
        self,
        image: Image,
        clinical: Mapping[str, ClinicalValue] | None = None,
        *,
        arm: Arm | None = None,
        may_impute: Collection[str] = (),
    ) -> Prediction:
        """Predict the outcome of one patient; the same input gives the same number.

        Parameters
        ----------
        image
            ``preprocess(volume).image``: (80, 192, 192) as (z, y, x), values 0..1; or already of the model's own size.
        clinical
            Values by feature name, None where missing.
        arm
            Which arm to use. By default the fusion arm where ``clinical`` is given and lacks nothing but what
            ``may_impute`` names, else the imaging arm.
        may_impute
            Names of features that may be filled in from the training patients.

        Raises
        ------
        MLError
            ``bad_image``; ``bad_clinical_value``; ``clinical_missing``: an arm was asked for that reads the record, and
            a value is missing; ``no_arm``: the arm was not trained.
        """
        record = clinical or {}
        chosen, refused = self.settle_arm(clinical, arm, may_impute)
        tensor = self.prepare(image)
        members = self._load(chosen)
        start = time.perf_counter()
        outputs = [member.predict(tensor, record) for member in members]
        seconds = time.perf_counter() - start
        per_fold = self._per_fold(chosen, members, [probability for probability, _ in outputs])
        gates = [gate for _, gate in outputs if gate is not None]
        return Prediction(
            probability=float(np.mean(per_fold)),
            per_fold=per_fold,
            arm=chosen,
            gate_mean=float(np.mean(gates)) if gates else None,
            imputed=self.missing(record) if chosen != "imaging" else (),
            missing=refused if chosen == "imaging" and clinical is not None else (),
            seconds=seconds,
            engine=members[0].engine,
            precision=tuple(member.precision for member in members),
        )

    def settle_arm(
        self, clinical: Mapping[str, ClinicalValue] | None, arm: Arm | None, may_impute: Collection[str]
    ) -> tuple[Arm, tuple[str, ...]]:
        """Return the arm that :meth:`predict` uses, and the missing values that must not be filled in.

        Raises
        ------
        MLError
            ``clinical_missing``, ``no_arm``
        """
        refused = tuple(name for name in self.missing(clinical or {}) if name not in may_impute)
        chosen = arm or self._default_arm(clinical, refused)
        if chosen not in self.arms:
            raise MLError("no_arm", f"This model has no {chosen} arm; choose another model or arm.")
        if chosen != "imaging" and refused:
            raise MLError("clinical_missing", f"The {chosen} model needs {', '.join(refused)}; complete the form.")
        return chosen, refused

    def networks(self, arm: Arm, folds: Collection[int] | None = None) -> Iterator[Network]:
        """Open the networks of an arm one after the other, for whoever needs their gradients.

        Parameters
        ----------
        folds
            Outer folds whose networks are wanted; left out, all.

        Raises
        ------
        MLError
            ``damaged_file``
        """
        for file in self._files(arm):
            if folds is None or file.fold in folds:
                yield _open(self._run_dir, file, self._device)

    def _per_fold(self, arm: Arm, members: "Sequence[_Member]", said: Sequence[float]) -> tuple[float, ...]:
        """Take the mean of each outer fold's networks, and recalibrate it."""
        folds: dict[int, list[float]] = {}
        for member, probability in zip(members, said, strict=True):
            folds.setdefault(member.fold, []).append(probability)
        raw = [float(np.mean(inner)) for inner in folds.values()]
        lines = self.card.recalibration.get(arm)
        return tuple(raw if lines is None else lines.line.apply(raw).tolist())

    def _default_arm(self, clinical: Mapping[str, ClinicalValue] | None, refused: Collection[str]) -> Arm:
        if "imaging" not in self.arms:
            return "fusion" if "fusion" in self.arms else "clinical"
        return "fusion" if clinical is not None and not refused and "fusion" in self.arms else "imaging"

    def prepare(self, image: Image) -> Tensor:
        """Turn a preprocessed image (z, y, x) into what the networks were trained on, (1, 1, z, y, x).

        Raises
        ------
        MLError
            ``bad_image``
        """
        array = np.asarray(image)
        floating = array.ndim == 3 and np.issubdtype(array.dtype, np.floating)
        if not (floating and array.size > 0 and array.min() >= 0 and array.max() <= 1):
            raise MLError("bad_image", "The image must be a preprocessed one: (z, y, x), numbers from 0 to 1.")
        if array.shape != self.card.config.image_shape:
            from ml.preprocessing import resize

            array = resize(array.astype(np.float32), self.card.config.image_shape)
        # Training reads its images through float16 as well; so the same patient gives the same digits.
        tensor = torch.tensor(array, dtype=torch.float16).float()[None, None].to(self._device)
        return tensor.contiguous(memory_format=torch.channels_last_3d)

    def _load(self, arm: Arm) -> "list[_Member]":
        if arm not in self._members:
            files, shape = self._files(arm), self.card.config.image_shape
            self._members[arm] = [
                _member(_open(self._run_dir, file, self._device), self._device, shape, keep=len(files) <= _FEW)
                for file in files
            ]
        return self._members[arm]

    def _files(self, arm: Arm) -> list[WeightFile]:
        return sorted((file for file in self.card.weights if file.arm == arm), key=lambda file: (file.fold, file.inner))


@dataclass(frozen=True)
class _Member:
    """One network with its own encoder, of one outer fold."""

    fold: int
    net: nn.Module
    encoder: ClinicalEncoder
    logit_shift: float
    device: torch.device
    engine: str
    precision: Precision

    @torch.inference_mode()
    def predict(self, image: Tensor, record: Mapping[str, ClinicalValue]) -> tuple[float, float | None]:
        clinical = torch.from_numpy(self.encoder.transform([record])).to(self.device)
        logits, gate = forward(self.net, image, clinical)
        probability = float(torch.sigmoid(logits.double() - self.logit_shift))
        return probability, None if gate is None else float(gate.mean())


def _open(run_dir: Path, file: WeightFile, device: torch.device) -> Network:
    weights = load_weights(run_dir / file.path, file.sha256)
    net = build_net(weights.arm, weights.config, weights.encoder.width)
    net.load_state_dict(weights.state)
    return Network(file.fold, place(net, device).eval(), weights.encoder, weights.logit_shift)


def _member(network: Network, device: torch.device, shape: tuple[int, int, int], *, keep: bool) -> _Member:
    fold, net, encoder, shift = network
    features = getattr(net, "features", None)
    if device.type != "cpu" or not isinstance(features, DenseFeatures):
        return _Member(fold, net, encoder, shift, device, f"torch {torch.__version__}", "f32")
    clinical = torch.zeros(1, encoder.width)

    def logit(image: Tensor) -> Tensor:
        return forward(net, image, clinical)[0] - shift

    precision = compile_features(features, shape, logit, keep=keep)
    return _Member(fold, net, encoder, shift, device, engine_version(), precision)


def load_model(run_dir: Path | str, device: str = "cpu") -> Model:
    """Open the model of a finished run, after comparing every weight file with its digest.

    Parameters
    ----------
    run_dir
        A folder that :func:`ml.training.run_cross_validation` finished; ``model.json`` and ``checkpoints/`` suffice.
    device
        Where to compute, as torch names it.

    Raises
    ------
    MLError
        ``no_model``; ``damaged_file``: a file is missing or was changed; ``other_preprocessing``: the images of this
        installation are not those that the model learned from.
    """
    from ml.preprocessing import PREPROCESSING_VERSION

    folder = Path(run_dir)
    card = ModelCard.read(folder)
    if card.preprocessing_version != PREPROCESSING_VERSION:
        raise MLError(
            "other_preprocessing",
            "The model was trained on images of another preprocessing version than the installed one; train it again.",
        )
    for file in card.weights:
        path = folder / file.path
        if not path.is_file() or file_sha256(path) != file.sha256:
            raise MLError("damaged_file", "A weight file of the model is missing or damaged; restore the run folder.")
    return Model(folder, card, torch.device(device))
