"""One cell: the statistics of its normalization, its weighting, its early stop, its stop at what is no number."""

from pathlib import Path
from typing import Any

import pytest
import torch

from ml.errors import MLError
from ml.training import step
from ml.training.cell import CellData
from ml.training.checkpoints import CellFiles, CellResult, load_weights
from tests.ml.training.cells import make_data, train_cell

pytestmark = pytest.mark.slow


def train(tmp_path: Path, poor: int = 10, **settings: Any) -> tuple[CellResult, CellData, CellFiles]:
    data, folder = make_data(tmp_path, poor), tmp_path / "checkpoints"
    return train_cell(data, folder, **settings), data, CellFiles(folder, "1-1")


def test_exact_normalization_is_that_of_the_fit_images_under_the_final_weights(tmp_path: Path) -> None:
    result, data, files = train(tmp_path, epochs=1, batch_size=32, exact_normalization=True)
    state = load_weights(files.weights, result.weights_sha256).state
    maps = torch.nn.functional.conv3d(
        data.images.batch(data.fold.fit).float(), state["features.maps.conv0.weight"], stride=2, padding=3
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


class NoGradient(torch.autograd.Function):
    """Passes a value on, and NaN back."""

    @staticmethod
    def forward(ctx: Any, value: torch.Tensor) -> torch.Tensor:
        return value.clone()

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> torch.Tensor:
        return torch.full_like(gradient, float("nan"))


def test_a_gradient_that_is_no_number_stops_with_its_place_and_reaches_no_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, folder = make_data(tmp_path), tmp_path / "checkpoints"
    original, calls = step.forward, 0

    def forward(*arguments: Any) -> Any:
        nonlocal calls
        calls += 1
        logits, gate = original(*arguments)
        # 20 patients in batches of 8 are three steps an epoch: the fifth is the second of epoch 2.
        return (NoGradient.apply(logits) if calls == 5 else logits), gate

    with monkeypatch.context() as patch:
        patch.setattr(step, "forward", forward)
        where = r"gradient became .* in the imaging arm, fold 1, epoch 2, batch 2 .*: features\.maps\.conv0\.weight\)"
        with pytest.raises(MLError, match=where) as caught:
            train_cell(data, folder)
    assert caught.value.code == "loss_not_finite"
    saved = CellFiles(folder, "1-1").load_state()
    assert saved is not None
    assert saved.state.epoch == 1
    assert all(bool(torch.isfinite(value).all()) for value in saved.net.values())
    assert train_cell(data, folder) == train_cell(data, tmp_path / "undisturbed")
