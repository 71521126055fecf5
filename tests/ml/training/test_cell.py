"""One cell: the statistics of its normalization, its weighting, its early stop."""

from pathlib import Path
from typing import Any

import pytest
import torch

from ml.training import Fold, read_manifest
from ml.training.cell import CellData, CellTrainer
from ml.training.checkpoints import CellFiles, CellResult, load_weights
from ml.training.images import ImageStore
from tests.ml.training.factory import SHAPE, make_study, tiny_config

pytestmark = pytest.mark.slow


def train(tmp_path: Path, poor: int = 10, **settings: Any) -> tuple[CellResult, CellData, CellFiles]:
    manifest = read_manifest(make_study(tmp_path, 40))
    cases = {case.id: case for case in manifest.cases}
    favorable_ids = [case.id for case in manifest.cases if case.label == 0]
    poor_ids = [case.id for case in manifest.cases if case.label == 1]
    fold = Fold(
        fit=(*favorable_ids[:10], *poor_ids[:poor]),
        validation=(*favorable_ids[10:14], *poor_ids[10:14]),
        held_out=(*favorable_ids[14:], *poor_ids[14:]),
    )
    config = tiny_config(arms=("imaging",), **settings)
    images = ImageStore(tmp_path, manifest.cases, SHAPE, cache_gib=1)
    data = CellData(cases, manifest.features, images, fold, (), "1")
    files = CellFiles(tmp_path / "checkpoints", 1)
    trainer = CellTrainer("imaging", 1, data=data, config=config, device=torch.device("cpu"), files=files)
    return trainer.train(lambda record: None, lambda: None, lambda: False), data, files


def test_exact_normalization_is_that_of_the_fit_images_under_the_final_weights(tmp_path: Path) -> None:
    result, data, files = train(tmp_path, epochs=1, batch_size=32, exact_normalization=True)
    state = load_weights(files.weights, result.weights_sha256).state
    maps = torch.nn.functional.conv3d(
        data.images.batch(data.fold.fit), state["features.maps.conv0.weight"], stride=2, padding=3
    )
    mean, variance = state["features.maps.norm0.running_mean"], state["features.maps.norm0.running_var"]
    torch.testing.assert_close(mean, maps.mean((0, 2, 3, 4)), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(variance, maps.var((0, 2, 3, 4)), rtol=1e-4, atol=1e-5)


def test_early_stop_keeps_the_weights_of_the_best_epoch(tmp_path: Path) -> None:
    result, data, _ = train(tmp_path, epochs=40, patience=3, learning_rate=0.05)
    losses = [record.validation_loss for record in result.history]
    assert len(losses) == result.best_epoch + 3 < 40
    assert losses[result.best_epoch - 1] == min(losses)
    assert set(result.held_out) == set(data.fold.held_out)


@pytest.mark.parametrize("poor", [10, 5])
def test_weighting_is_undone_in_the_stored_model(tmp_path: Path, poor: int) -> None:
    result, _, files = train(tmp_path, poor=poor, epochs=1)
    shift = load_weights(files.weights, result.weights_sha256).logit_shift
    # Poor patients weigh favorable / poor times as much, which adds the logarithm of that to the logit.
    assert shift == pytest.approx({10: 0.0, 5: 0.6931471805599453}[poor])
