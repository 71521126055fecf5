"""Nested cross-validation of the arms, from a manifest to a run folder."""

import json
from pathlib import Path
from typing import Any

import torch

from ml.errors import MLError
from ml.training import distributed
from ml.training.arms import NoImages
from ml.training.cell import CellData, CellTrainer, Listener, auc_or_none
from ml.training.checkpoints import CellFiles, CellResult, EpochRecord
from ml.training.config import Arm, TrainingConfig
from ml.training.evaluation import evaluate_run, write_predictions
from ml.training.events import Event, OnEvent, RunStoppedError, ShouldStop
from ml.training.files import write_json
from ml.training.images import ImageStore
from ml.training.manifest import Case, Manifest, read_manifest
from ml.training.model_card import ModelCard, WeightFile, code_version
from ml.training.splits import Splits, load_or_make_splits

Results = dict[tuple[Arm, int], CellResult]  # by arm and fold (from 1)

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

    A folder that holds an unfinished run is continued: finished cells (arm x fold) are kept, the one that was cut off
    goes on after its last finished epoch. On the CPU the end is exactly that of an undisturbed run.

    Parameters
    ----------
    manifest_path
        A manifest (see :class:`ml.training.Manifest`); image paths are relative to its folder.
    run_dir
        Gets ``config.json``, ``splits.json``, ``leaks.json``, ``checkpoints/<arm>/fold-<k>.pt``, ``oof.csv``,
        ``test.csv``, ``metrics.json`` and ``model.json``.
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
    manifest_file = Path(manifest_path)
    manifest = read_manifest(manifest_file)
    run = _Run(manifest, manifest_file.parent, Path(run_dir), config, _device(device))
    return run.execute(on_event or (lambda event: None), should_stop or (lambda: False))


class _Run:
    def __init__(
        self, manifest: Manifest, root: Path, run_dir: Path, config: TrainingConfig, device: torch.device
    ) -> None:
        self._manifest, self._run_dir, self._config, self._device = manifest, run_dir, config, device
        self._features = manifest.features_without(config.without)
        self._cases: dict[str, Case] = {case.id: case for case in manifest.cases}
        self._images = ImageStore(root, manifest.cases, config.image_shape, config.image_cache_gib)
        self._preprocessing_version = manifest.preprocessing_version or _installed_preprocessing()
        self._folds = config.folds
        self._epochs_done = 0

    def execute(self, on_event: OnEvent, should_stop: ShouldStop) -> dict[str, Any]:
        # One process of several reads and writes the run folder and speaks; the others only train.
        self._on_event = on_event if distributed.leads() else lambda event: None
        self._should_stop = should_stop
        splits = distributed.from_leader(self._prepare)
        self._folds = len(splits.folds)
        self._tell("split")
        results: Results = {}
        for arm in self._config.arms:
            for number in range(1, self._folds + 1):
                results[arm, number] = self._cell(arm, number, splits)
        return distributed.from_leader(lambda: self._evaluate(results))

    def _prepare(self) -> Splits:
        self._claim_folder()
        self._images.verify(self._verified)
        return load_or_make_splits(self._run_dir / "splits.json", self._manifest.cases, self._config)

    def _evaluate(self, results: Results) -> dict[str, Any]:
        self._tell("evaluate")
        write_predictions(self._run_dir, self._cases, results)
        metrics = evaluate_run(self._run_dir)
        for (arm, number), result in results.items():
            fold = metrics["arms"][arm]["folds"][number - 1]
            fold.update(best_epoch=result.best_epoch, epochs=len(result.history))
        write_json(self._run_dir / "metrics.json", metrics)
        self._card(results).write(self._run_dir)
        self._tell("done", 1.0)
        return metrics

    def _claim_folder(self) -> None:
        """Write what the run is, or make sure that the folder holds this very run."""
        content = {
            "config": self._config.model_dump(mode="json"),
            "manifest_digest": self._manifest.digest(),
            "snapshot_digest": self._manifest.snapshot_digest,
        }
        path = self._run_dir / "config.json"
        if not path.exists():
            write_json(path, content)
            return
        try:
            found = json.loads(path.read_bytes())
        except ValueError:
            found = None
        if found != content:
            raise MLError(
                "other_run",
                "The run folder holds a run with another configuration or other cases; choose a new folder.",
            )

    def _cell(self, arm: Arm, number: int, splits: Splits) -> CellResult:
        files = CellFiles(self._run_dir / "checkpoints" / arm, number)
        epochs_before = self._epochs_done
        result = distributed.from_leader(lambda: self._finished(files, arm, number))
        if result is None:
            if distributed.any_of(self._should_stop()):
                raise RunStoppedError
            data = CellData(
                self._cases,
                self._features,
                NoImages() if arm == "clinical" else self._images,
                splits.folds[number - 1],
                splits.test,
                self._preprocessing_version,
            )

            def on_epoch(record: EpochRecord) -> None:
                self._epochs_done = epochs_before + record.epoch
                self._tell_epoch(arm, number, record)

            listener = Listener(
                on_epoch,
                lambda: self._tell_restart(arm, number),
                lambda sentence: self._tell_memory(arm, number, sentence),
                self._should_stop,
            )
            trainer = CellTrainer(
                arm, number, data=data, config=self._config, device=self._device, files=files, listener=listener
            )
            result = trainer.train()
        self._epochs_done = epochs_before + self._config.epochs
        self._tell_cell(arm, number, result)
        return result

    def _finished(self, files: CellFiles, arm: Arm, number: int) -> CellResult | None:
        try:
            return files.load_result()
        except MLError:
            # The same seeds make the same weights again.
            files.discard_result()
            self._tell_restart(arm, number)
            return None

    def _card(self, results: Results) -> ModelCard:
        return ModelCard(
            features=self._features,
            config=self._config,
            snapshot_digest=self._manifest.snapshot_digest,
            manifest_digest=self._manifest.digest(),
            preprocessing_version=self._preprocessing_version,
            code_version=code_version(),
            torch_version=str(torch.__version__),
            weights=tuple(
                WeightFile.model_validate(
                    {
                        "arm": arm,
                        "fold": number,
                        "path": f"checkpoints/{arm}/fold-{number}.pt",
                        "sha256": result.weights_sha256,
                    }
                )
                for (arm, number), result in results.items()
            ),
        )

    def _progress(self) -> float:
        total = len(self._config.arms) * self._folds * self._config.epochs
        return _VERIFY_SHARE + (0.99 - _VERIFY_SHARE) * self._epochs_done / total

    def _verified(self, fraction: float) -> None:
        if self._should_stop():
            raise RunStoppedError
        self._on_event(Event("verify", _VERIFY_SHARE * fraction))

    def _tell(self, stage: Any, progress: float | None = None) -> None:
        self._on_event(Event(stage, self._progress() if progress is None else progress))

    def _tell_epoch(self, arm: str, number: int, record: EpochRecord) -> None:
        losses = (record.validation_loss, record.validation_auc, record.train_loss)
        self._on_event(Event("train", self._progress(), arm, number, record.epoch, *losses))

    def _tell_restart(self, arm: str, number: int) -> None:
        self._on_event(Event("restart", self._progress(), arm, number))

    def _tell_memory(self, arm: str, number: int, sentence: str) -> None:
        self._on_event(Event("memory", self._progress(), arm, number, sentence=sentence))

    def _tell_cell(self, arm: str, number: int, result: CellResult) -> None:
        labels = torch.tensor([float(self._cases[case].label) for case in result.held_out])
        area = auc_or_none(labels, torch.tensor(list(result.held_out.values()), dtype=torch.float64))
        self._on_event(Event("cell_done", self._progress(), arm, number, result.best_epoch, None, area))


def _installed_preprocessing() -> str:
    from ml.preprocessing import PREPROCESSING_VERSION

    return PREPROCESSING_VERSION


def _device(name: str | None) -> torch.device:
    if name is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise MLError("no_device", "The chosen device is not there; leave it out, or choose cpu or cuda.") from error
    return device
