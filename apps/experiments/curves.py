"""The learning curves of a run: loss and AUC of each epoch, written as they come, drawn without a script."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from apps.experiments.models import ARM_ORDER, Epoch, Experiment
from ml import training

WIDTH, HEIGHT = 160, 90
# Room for a line's thickness at the edges.
MARGIN = 4


@dataclass(frozen=True)
class Curve:
    """One cell of the cross-validation: SVG coordinates of its curves, and its last epoch in numbers."""

    arm: str
    fold: int
    inner: int
    training: str
    validation: str
    last: Epoch
    best: Epoch


def record_epoch(experiment: Experiment, event: training.Event) -> None:
    """Write one epoch down, or forget those of a cell that begins anew; other events are passed over."""
    if event.arm is None or event.fold is None or event.inner is None:
        return
    if event.stage == "restart":
        Epoch.objects.filter(experiment=experiment, arm=event.arm, fold=event.fold, inner=event.inner).delete()
    elif event.stage == "train" and event.epoch is not None and event.loss is not None:
        Epoch.objects.update_or_create(
            experiment=experiment,
            arm=event.arm,
            fold=event.fold,
            inner=event.inner,
            number=event.epoch,
            defaults={"train_loss": event.train_loss, "validation_loss": event.loss, "validation_auc": event.auc},
        )


def curves_of(experiment: Experiment) -> list[Curve]:
    """Return the curves of a run's cells, in the order in which arms are shown; all share one scale of loss."""
    epochs = list(experiment.epochs.order_by("arm", "fold", "inner", "number"))
    if not epochs:
        return []
    highest = max(value for epoch in epochs for value in (epoch.train_loss or 0.0, epoch.validation_loss)) or 1.0
    most = max(epoch.number for epoch in epochs)
    cells = [list(cell) for _key, cell in groupby(epochs, key=lambda epoch: (epoch.arm, epoch.fold, epoch.inner))]
    curves = [
        Curve(
            arm=cell[0].arm,
            fold=cell[0].fold,
            inner=cell[0].inner,
            training=_points([(epoch.number, epoch.train_loss) for epoch in cell], most, highest),
            validation=_points([(epoch.number, epoch.validation_loss) for epoch in cell], most, highest),
            last=cell[-1],
            best=min(cell, key=lambda epoch: epoch.validation_loss),
        )
        for cell in cells
    ]
    return sorted(curves, key=lambda curve: (ARM_ORDER.index(curve.arm), curve.fold, curve.inner))


def _points(values: Sequence[tuple[int, float | None]], most: int, highest: float) -> str:
    """Return "x,y x,y": the first epoch at the left edge, a loss of 0 at the lower one."""
    wide, high = WIDTH - 2 * MARGIN, HEIGHT - 2 * MARGIN
    return " ".join(
        f"{MARGIN + wide * (number - 1) / max(most - 1, 1):.1f},{MARGIN + high * (1 - loss / highest):.1f}"
        for number, loss in values
        if loss is not None
    )
