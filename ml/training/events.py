"""What a training run tells its caller while it works."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from ml.errors import MLError

Stage = Literal["verify", "split", "train", "restart", "memory", "cell_done", "evaluate", "done"]


@dataclass(frozen=True)
class Event:
    """One step of a run.

    ``restart`` says that a damaged checkpoint was found and its cell begins anew, ``memory`` that fewer images than
    before pass the network at once; ``loss`` and ``auc`` are those of the inner validation patients (``train``) or of
    the held-out fold (``cell_done``).
    """

    stage: Stage
    progress: float
    """0..1 of the whole run."""
    arm: str | None = None
    fold: int | None = None
    """Outer fold, from 1."""
    inner: int | None = None
    """Inner fold, from 1."""
    epoch: int | None = None
    """From 1."""
    loss: float | None = None
    auc: float | None = None
    train_loss: float | None = None
    """Mean over the steps of the epoch (``train``)."""
    sentence: str | None = None
    """What happened, for a person to read (``memory``)."""


OnEvent = Callable[[Event], None]
ShouldStop = Callable[[], bool]


class RunStoppedError(MLError):
    """The caller asked the run to stop; calling again with the same folder continues it."""

    def __init__(self) -> None:
        super().__init__("stopped", "Training was stopped; start it again to continue from the last checkpoint.")
