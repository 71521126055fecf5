"""The folder of a run: what it is, which cells it has, what they predict, and the model that they make."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from ml.errors import MLError
from ml.training.arms import NoImages
from ml.training.cell import CellData, CellTrainer, Listener
from ml.training.checkpoints import CellFiles, CellResult
from ml.training.config import TrainingConfig
from ml.training.evaluation import evaluate_run, write_network_predictions
from ml.training.files import write_json
from ml.training.images import ImageStore
from ml.training.manifest import Case, Manifest, read_manifest
from ml.training.model_card import ModelCard, WeightFile, code_version
from ml.training.splits import CellKey, Fold, Splits, load_or_make_splits, load_splits


class Run:
    """A run folder with the cases and the configuration that it belongs to.

    Raises
    ------
    MLError
        ``bad_manifest``; ``bad_config``: a feature to be left out is not there.
    """

    def __init__(self, manifest_path: Path | str, run_dir: Path | str, config: TrainingConfig) -> None:
        manifest_file = Path(manifest_path)
        self.manifest: Manifest = read_manifest(manifest_file)
        self.folder, self.config = Path(run_dir), config
        self.features = self.manifest.features_without(config.without)
        self.cases: dict[str, Case] = {case.id: case for case in self.manifest.cases}
        self.images = ImageStore(
            manifest_file.parent,
            self.manifest.cases,
            config.image_shape,
            config.image_cache_gib,
            resampled=self.folder / "images",
        )
        self._preprocessing_version = self.manifest.preprocessing_version or _installed_preprocessing()

    def claim(self) -> None:
        """Write what the run is, or make sure that the folder holds this very run.

        Raises
        ------
        MLError
            ``other_run``
        """
        content = {
            "config": self.config.model_dump(mode="json"),
            "manifest_digest": self.manifest.digest(),
            "snapshot_digest": self.manifest.snapshot_digest,
        }
        path = self.folder / "config.json"
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

    def splits(self, *, make: bool = False) -> Splits:
        """Read the splits, or draw and write them.

        Raises
        ------
        MLError
            As :func:`ml.training.splits.load_or_make_splits`; ``not_prepared``: there are none, and none shall be made.
        """
        path = self.folder / "splits.json"
        if make:
            return load_or_make_splits(path, self.manifest.cases, self.config)
        return load_splits(path, self.manifest.cases)

    def cells(self, splits: Splits) -> tuple[CellKey, ...]:
        """Return the grid, in the order in which one process trains it."""
        return tuple(CellKey(arm, fold.number, fold.inner) for arm in self.config.arms for fold in splits.folds)

    def files(self, key: CellKey) -> CellFiles:
        """Return the files of a cell."""
        return CellFiles(self.folder / "checkpoints" / key.arm, f"{key.fold}-{key.inner}")

    def train(self, key: CellKey, splits: Splits, device: torch.device, listener: Listener) -> CellResult:
        """Train a cell from its last checkpoint."""
        data = CellData(
            self.cases,
            self.features,
            NoImages() if key.arm == "clinical" else self.images,
            _fold(splits, key),
            splits.test,
            self._preprocessing_version,
        )
        trainer = CellTrainer(
            key.arm, data=data, config=self.config, device=device, files=self.files(key), listener=listener
        )
        return trainer.train()

    def finish(self, results: Mapping[CellKey, CellResult]) -> dict[str, Any]:
        """Write predictions, figures and model card; return the figures."""
        recalibration = write_network_predictions(self.folder, self.cases, results)
        metrics = evaluate_run(self.folder)
        for arm, lines in recalibration.items():
            metrics["arms"][arm]["recalibration"] = lines.line.model_dump()
        for arm in self.config.arms:
            for fold in metrics["arms"][arm]["folds"]:
                own = [result for key, result in results.items() if (key.arm, key.fold) == (arm, fold["fold"])]
                fold["best_epochs"] = [result.best_epoch for result in own]
                fold["epochs"] = [len(result.history) for result in own]
        write_json(self.folder / "metrics.json", metrics)
        card = ModelCard(
            features=self.features,
            config=self.config,
            snapshot_digest=self.manifest.snapshot_digest,
            manifest_digest=self.manifest.digest(),
            preprocessing_version=self._preprocessing_version,
            code_version=code_version(),
            torch_version=str(torch.__version__),
            recalibration=recalibration,
            weights=tuple(self._weights(key, result) for key, result in results.items()),
        )
        card.write(self.folder)
        return metrics

    def _weights(self, key: CellKey, result: CellResult) -> WeightFile:
        return WeightFile(
            arm=key.arm,
            fold=key.fold,
            inner=key.inner,
            path=self.files(key).weights.relative_to(self.folder).as_posix(),
            sha256=result.weights_sha256,
        )


def _fold(splits: Splits, key: CellKey) -> Fold:
    for fold in splits.folds:
        if (fold.number, fold.inner) == (key.fold, key.inner):
            return fold
    raise MLError("no_cell", "The run has no such fold; choose one of those in its splits.")


def _installed_preprocessing() -> str:
    from ml.preprocessing import PREPROCESSING_VERSION

    return PREPROCESSING_VERSION
