"""Nested cross-validation of the arms, from a manifest to a run folder: in one go, or cell by cell on many machines."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from ml.errors import MLError
from ml.training import distributed
from ml.training.cell import Listener, auc_or_none
from ml.training.checkpoints import CellResult, EpochRecord
from ml.training.config import TrainingConfig
from ml.training.events import Event, OnEvent, RunStoppedError, ShouldStop
from ml.training.run import Run
from ml.training.splits import CellKey, Splits

_VERIFY_SHARE = 0.02  # of the progress bar


def run_cross_validation(
    manifest_path: Path | str,
    run_dir: Path | str,
    config: TrainingConfig,
    on_event: OnEvent | None = None,
    *,
    device: str | None = None,
    should_stop: ShouldStop | None = None,
) -> dict[str, Any]:
    """Train every arm on every fold, predict each patient by models that never saw him, and write the run folder.

    A folder that holds an unfinished run is continued: finished cells (arm x outer fold x inner fold) are kept, the one
    that was cut off goes on after its last finished epoch. On the CPU the end is exactly that of an undisturbed run,
    and that of :func:`prepare_run`, :func:`train_cell` for each cell in any order, and :func:`finish_run`.

    Parameters
    ----------
    manifest_path
        A manifest (see :class:`ml.training.Manifest`); image paths are relative to its folder.
    run_dir
        Gets ``config.json``, ``splits.json``, ``leaks.json``, ``checkpoints/<arm>/fold-<outer>-<inner>.pt``,
        ``oof.csv``, ``test.csv``, ``metrics.json`` and ``model.json``.
    config
        Must be the same when a run is continued.
    on_event
        Called after each step, in this thread; of several processes (see :mod:`ml.training.distributed`), in the first.
    device
        ``cpu``, ``cuda`` or ``cuda:<n>``; by default CUDA where there is one, which is not exactly repeatable.
    should_stop
        Asked before each batch.

    Returns
    -------
    dict
        The content of ``metrics.json``; see :func:`ml.training.evaluate_run`.

    Raises
    ------
    MLError
        ``bad_manifest``, ``bad_config``, ``bad_image``, ``bad_splits``, ``leak``, ``bad_clinical_value``,
        ``too_few_patients``, ``patient_in_two_centers``, ``other_run``, ``no_device``, ``out_of_memory``,
        ``loss_not_finite``; ``stopped`` as :class:`ml.training.RunStoppedError`.
    """
    run, chosen = Run(manifest_path, run_dir, config), _device(device)
    teller = _Teller(run, on_event, should_stop)
    splits = distributed.from_leader(lambda: _prepare(run, teller))
    cells = run.cells(splits)
    teller.begin(len(cells))
    results = {key: _cell(run, key, splits, chosen, teller) for key in cells}
    return distributed.from_leader(lambda: _finish(run, results, teller))


def prepare_run(
    manifest_path: Path | str,
    run_dir: Path | str,
    config: TrainingConfig,
    on_event: OnEvent | None = None,
    *,
    should_stop: ShouldStop | None = None,
) -> tuple[CellKey, ...]:
    """Check the images, draw the splits, and return the cells to be trained. Done again, it changes nothing.

    Raises
    ------
    MLError
        As :func:`run_cross_validation`, but for what concerns the training itself.
    """
    run = Run(manifest_path, run_dir, config)
    return run.cells(_prepare(run, _Teller(run, on_event, should_stop)))


def train_cell(
    manifest_path: Path | str,
    run_dir: Path | str,
    config: TrainingConfig,
    cell: CellKey,
    on_event: OnEvent | None = None,
    *,
    device: str | None = None,
    should_stop: ShouldStop | None = None,
) -> None:
    """Train one cell of a prepared run, from its last checkpoint; a finished one is left as it is.

    The progress of the events is that of the cell. Cells may be trained at the same time by machines that share the
    folder, each cell by one of them.

    Raises
    ------
    MLError
        As :func:`run_cross_validation`; ``not_prepared``; ``no_cell``: the run has no such cell.
    """
    run, chosen = Run(manifest_path, run_dir, config), _device(device)
    run.claim()
    teller = _Teller(run, on_event, should_stop)
    splits = distributed.from_leader(run.splits)
    teller.begin(1, verified=False)
    _cell(run, cell, splits, chosen, teller)


def unfinished_cells(manifest_path: Path | str, run_dir: Path | str, config: TrainingConfig) -> tuple[CellKey, ...]:
    """Return the cells of a prepared run that are not trained yet, or whose files were damaged since.

    Raises
    ------
    MLError
        ``not_prepared``, ``bad_splits``, ``leak``, ``other_run``, ``bad_manifest``.
    """
    run = Run(manifest_path, run_dir, config)
    run.claim()
    return tuple(key for key in run.cells(run.splits()) if _result(run, key) is None)


def finish_run(
    manifest_path: Path | str, run_dir: Path | str, config: TrainingConfig, on_event: OnEvent | None = None
) -> dict[str, Any]:
    """Make predictions, figures and model card of a run whose cells are all trained, and return the figures.

    Raises
    ------
    MLError
        ``cells_missing``: a cell is not finished, or its files were damaged since; train it, then finish again.
        ``not_prepared``, ``bad_splits``, ``leak``, ``other_run``, ``bad_manifest``.
    """
    run = Run(manifest_path, run_dir, config)
    run.claim()
    results: dict[CellKey, CellResult] = {}
    for key in run.cells(run.splits()):
        result = _result(run, key)
        if result is None:
            raise MLError(
                "cells_missing", "Not all folds of the run are trained; train those that are missing, then go on."
            )
        results[key] = result
    return _finish(run, results, _Teller(run, on_event, None))


class _Teller:
    """Says what happens, with the share that is done; of several processes only the leading one does."""

    def __init__(self, run: Run, on_event: OnEvent | None, should_stop: ShouldStop | None) -> None:
        self._epochs_a_cell = run.config.epochs
        self._send = on_event if on_event is not None and distributed.leads() else lambda event: None
        self.should_stop = should_stop or (lambda: False)
        self._cells, self._verify_share, self._epochs_done = 1, _VERIFY_SHARE, 0

    def begin(self, cells: int, *, verified: bool = True) -> None:
        self._cells = cells
        self._verify_share = _VERIFY_SHARE if verified else 0.0
        self.tell(Event("split", self._progress))

    def tell(self, event: Event) -> None:
        self._send(event)

    def verified(self, fraction: float) -> None:
        if self.should_stop():
            raise RunStoppedError
        self.tell(Event("verify", self._verify_share * fraction))

    def evaluate(self) -> None:
        self.tell(Event("evaluate", 0.99))

    def restart(self, key: CellKey) -> None:
        self.tell(Event("restart", self._progress, *key))

    def done(self, key: CellKey, result: CellResult, auc: float | None, before: int) -> None:
        self._epochs_done = before + self._epochs_a_cell
        self.tell(Event("cell_done", self._progress, *key, epoch=result.best_epoch, auc=auc))

    def listener(self, key: CellKey) -> Listener:
        before = self._epochs_done

        def on_epoch(record: EpochRecord) -> None:
            self._epochs_done = before + record.epoch
            self.tell(
                Event(
                    "train",
                    self._progress,
                    *key,
                    epoch=record.epoch,
                    loss=record.validation_loss,
                    auc=record.validation_auc,
                    train_loss=record.train_loss,
                )
            )

        def on_memory(sentence: str) -> None:
            self.tell(Event("memory", self._progress, *key, sentence=sentence))

        return Listener(on_epoch, lambda: self.restart(key), on_memory, self.should_stop)

    @property
    def epochs_done(self) -> int:
        return self._epochs_done

    @property
    def _progress(self) -> float:
        total = self._cells * self._epochs_a_cell
        return min(self._verify_share + (0.99 - self._verify_share) * self._epochs_done / total, 0.99)


def _prepare(run: Run, teller: _Teller) -> Splits:
    run.claim()
    run.images.verify(teller.verified)
    return run.splits(make=True)


def _cell(run: Run, key: CellKey, splits: Splits, device: torch.device, teller: _Teller) -> CellResult:
    before = teller.epochs_done
    result = distributed.from_leader(lambda: _result(run, key, lambda: teller.restart(key)))
    if result is None:
        if distributed.any_of(teller.should_stop()):
            raise RunStoppedError
        result = run.train(key, splits, device, teller.listener(key))
    labels = torch.tensor([float(run.cases[case].label) for case in result.held_out])
    area = auc_or_none(labels, torch.tensor(list(result.held_out.values()), dtype=torch.float64))
    teller.done(key, result, area, before)
    return result


def _result(run: Run, key: CellKey, on_damage: Callable[[], None] = lambda: None) -> CellResult | None:
    files = run.files(key)
    try:
        return files.load_result()
    except MLError:
        # The same seeds make the same weights again.
        files.discard_result()
        on_damage()
        return None


def _finish(run: Run, results: dict[CellKey, CellResult], teller: _Teller) -> dict[str, Any]:
    teller.evaluate()
    metrics = run.finish(results)
    teller.tell(Event("done", 1.0))
    return metrics


def _device(name: str | None) -> torch.device:
    if name is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise MLError("no_device", "The chosen device is not there; leave it out, or choose cpu or cuda.") from error
    return device
