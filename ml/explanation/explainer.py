"""Explains one prediction of a model."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ml.errors import MLError
from ml.explanation.contributions import by_feature, typical_patient
from ml.explanation.evidence import METHOD, evidence, for_poor_outcome, head
from ml.explanation.gradients import mean_gradients
from ml.explanation.result import Contribution, Explanation
from ml.inference.model import Image, Model, Network
from ml.nets import ClinicalNet, FusionNet
from ml.training.config import Arm
from ml.training.encoder import ClinicalEncoder
from ml.training.manifest import ClinicalValue
from ml.training.recalibration import ArmRecalibration, Recalibration

_NODES = 64  # of the path through the clinical vectors: its logit is smooth, and cheap


@dataclass(frozen=True)
class _View:
    """What one network makes of the patient."""

    fold: int
    line: Recalibration | None
    """What is done to the logit of its fold."""
    encoder: ClinicalEncoder
    logit: Callable[[Tensor], Tensor]
    """Logit (1,) of a clinical vector (1, width) with the patient's image; float64, on the CPU."""
    record: Tensor
    """(1, width) float64."""
    rise: Tensor | None
    """(z, y, x): see ``evidence``, of this network's logit."""
    gate: float | None


def explain(
    model: Model,
    image: Image,
    clinical: Mapping[str, ClinicalValue] | None = None,
    *,
    arm: Arm | None = None,
    may_impute: Collection[str] = (),
    folds: Collection[int] | None = None,
) -> Explanation:
    """Say where in the CT and in which clinical features a prediction has its evidence.

    Map and shares are of one number: the logit of the probability of all networks together, as the model combines them.

    Parameters
    ----------
    model, image, clinical, arm, may_impute
        As for :meth:`ml.inference.Model.predict`.
    folds
        Outer folds whose networks are asked, from 1; left out, all. A patient of the cross-validation is explained by
        the fold that held him out, recalibrated as he was: ``probability`` is the one in ``oof.csv``.

    Raises
    ------
    MLError
        As :meth:`ml.inference.Model.predict`; ``no_fold``: the model has none of the folds.

    Notes
    -----
    The networks are opened one after the other; see ``ml.explanation.evidence`` for the map, and
    ``ml.explanation.contributions`` for the shares.
    """
    chosen, _ = model.settle_arm(clinical, arm, may_impute)
    tensor, record = model.prepare(image), clinical or {}
    lines = model.card.recalibration.get(chosen)
    views = [
        _look(network, tensor, record, _line(lines, network.fold, new=folds is None))
        for network in model.networks(chosen, folds)
    ]
    if not views:
        raise MLError("no_fold", "The model has no network of these outer folds; leave the choice of folds out.")
    gates = [view.gate for view in views if view.gate is not None]
    baseline, contributions = (None, ()) if chosen == "imaging" else _form(views, record)
    return Explanation(
        arm=chosen,
        probability=float(torch.sigmoid(_combine([view.logit(view.record) for view in views], views))),
        map=_map(views, tensor),
        gate_mean=float(np.mean(gates)) if gates else None,
        contributions=contributions,
        baseline_logit=baseline,
        method=f"{'integrated gradients' if chosen == 'clinical' else METHOD}, {len(views)} networks",
    )


def _line(lines: ArmRecalibration | None, fold: int, *, new: bool) -> Recalibration | None:
    """Return the recalibration of a fold for a new patient, or for those whom it held out."""
    if lines is None:
        return None
    return lines.line if new else lines.held_out[fold - 1]


def _look(network: Network, image: Tensor, record: Mapping[str, ClinicalValue], line: Recalibration | None) -> _View:
    net = network.net.requires_grad_(False)
    vector = torch.from_numpy(network.encoder.transform([record]))
    visual = rise = gate = None
    if not isinstance(net, ClinicalNet):
        visual, rise = (each.cpu() for each in evidence(net, image, vector.to(image.device)))
        visual = visual.double()
    small, vector = _without_backbone(net), vector.double()
    if isinstance(net, FusionNet):
        gate = float(net.gmu(visual, vector)[1].mean())

    def logit(vector: Tensor) -> Tensor:
        return head(small, visual, vector) - network.logit_shift

    return _View(network.fold, line, network.encoder, logit, vector, rise, gate)


def _without_backbone(net: nn.Module) -> nn.Module:
    """Release the convolutions, which are most of the memory, and compute the rest in float64 on the CPU."""
    if hasattr(net, "features"):
        net.features = nn.Identity()
    return net.cpu().double()


def _form(views: Sequence[_View], record: Mapping[str, ClinicalValue]) -> tuple[float, tuple[Contribution, ...]]:
    """Return the logit of the typical patient, and what each feature adds to it."""

    def logit(vectors: Sequence[Tensor]) -> Tensor:
        return _combine([view.logit(vector) for view, vector in zip(views, vectors, strict=True)], views)

    typical, patient = [typical_patient(view.encoder) for view in views], [view.record for view in views]
    gradients = mean_gradients(logit, typical, patient, nodes=_NODES)
    shares = [each * (b - a) for each, a, b in zip(gradients, typical, patient, strict=True)]
    return float(logit(typical)), by_feature([view.encoder for view in views], shares, record)


def _map(views: Sequence[_View], image: Tensor) -> NDArray[np.float32] | None:
    """Add up what the networks found, each by its pull on the model's logit, and make the map of it."""
    rises = [view.rise for view in views if view.rise is not None]
    if not rises:
        return None
    logits = [view.logit(view.record).detach().requires_grad_() for view in views]
    pulls = torch.autograd.grad(_combine(logits, views).sum(), logits)
    total = torch.stack([float(pull) * each for pull, each in zip(pulls, rises, strict=True)]).sum(0)
    return for_poor_outcome(total.numpy(), image[0, 0].cpu().numpy())


def _combine(logits: Sequence[Tensor], views: Sequence[_View]) -> Tensor:
    """Return the logit of the model's probability from those of its networks, as ``Model.predict`` combines them."""
    of_folds = []
    for fold, line in {view.fold: view.line for view in views}.items():
        raw = _mean([logit for logit, view in zip(logits, views, strict=True) if view.fold == fold])
        of_folds.append(raw if line is None else line.intercept + line.slope * raw)
    return _mean(of_folds)


def _mean(logits: Sequence[Tensor]) -> Tensor:
    """Return the logit of the mean of the probabilities, without loss where those are near 0 or 1."""
    stacked = torch.stack(list(logits))
    log_poor, log_good = (torch.logsumexp(nn.functional.logsigmoid(sign * stacked), 0) for sign in (1, -1))
    return log_poor - log_good
