"""One cell of a tiny study, ready to be trained."""

from pathlib import Path
from typing import Any

import torch

from ml.training import Fold, read_manifest
from ml.training.cell import CellData, CellTrainer, Listener
from ml.training.checkpoints import CellFiles, CellResult
from ml.training.images import ImageStore
from tests.ml.training.factory import SHAPE, make_study, tiny_config


def make_data(folder: Path, poor: int = 10) -> CellData:
    """Ten patients with a favorable and ``poor`` with a poor outcome to fit, eight for validation."""
    manifest = read_manifest(make_study(folder, 40))
    cases = {case.id: case for case in manifest.cases}
    favorable_ids = [case.id for case in manifest.cases if case.label == 0]
    poor_ids = [case.id for case in manifest.cases if case.label == 1]
    fold = Fold(
        number=1,
        fit=(*favorable_ids[:10], *poor_ids[:poor]),
        validation=(*favorable_ids[10:14], *poor_ids[10:14]),
        held_out=(*favorable_ids[14:], *poor_ids[14:]),
    )
    return CellData(cases, manifest.features, ImageStore(folder, manifest.cases, SHAPE, cache_gib=1), fold, (), "1")


def train_cell(data: CellData, folder: Path, listener: Listener | None = None, **settings: Any) -> CellResult:
    """Train the imaging arm; its files go to ``folder``."""
    return CellTrainer(
        "imaging",
        data=data,
        config=tiny_config(arms=("imaging",), **settings),
        device=torch.device("cpu"),
        files=CellFiles(folder, "1-1"),
        listener=listener or Listener(),
    ).train()
