"""Batches in parts: the same gradient as a whole batch, and smaller parts where the memory runs out."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ml.errors import MLError
from ml.training import AugmentationConfig, cell, step
from ml.training.arms import build_net, place
from ml.training.cell import Listener
from ml.training.checkpoints import CellFiles
from ml.training.memory import MicroBatch, is_out_of_memory
from tests.ml.training.cells import make_data, train_cell
from tests.ml.training.factory import SHAPE, tiny_config

AS_THEY_ARE = AugmentationConfig(crop_fraction=1.0, rotation_degrees=0.0)
CUDA_SAYS = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
CPU_SAYS = RuntimeError("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory: Error code 12")


def step_once(net: nn.Module, images: Tensor, labels: Tensor, micro_batch: int, class_weight: float) -> float:
    def load(ids: Sequence[str]) -> step.Inputs:
        which = [int(name) for name in ids]
        return step.Inputs(images[which], torch.zeros(len(which), 0), labels[which])

    config = tiny_config(augmentation=AS_THEY_ARE)
    stepper = step.TrainingStep(net, config, class_weight, MicroBatch(micro_batch))
    ids = [str(number) for number in range(len(images))]
    (values,) = stepper.run([ids], load, torch.Generator().manual_seed(0))
    return values.loss


@pytest.mark.parametrize("micro_batch", [2, 3, 4, 7])
def test_gradients_of_parts_add_up_to_that_of_the_batch(micro_batch: int) -> None:
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv3d(1, 3, 3), nn.Tanh(), nn.AdaptiveAvgPool3d(1), nn.Flatten(), nn.Linear(3, 1), nn.Flatten(0)
    )
    images, labels = torch.rand(7, 1, *SHAPE), torch.tensor([0.0, 1, 0, 0, 1, 0, 0])
    probabilities = torch.sigmoid(net(images))
    # The mean of -(w y log p + (1 - y) log(1 - p)), written out.
    terms = -(2.5 * labels * probabilities.log() + (1 - labels) * (1 - probabilities).log())
    expected = torch.autograd.grad(terms.mean(), list(net.parameters()))

    loss = step_once(net, images, labels, micro_batch, class_weight=2.5)

    assert loss == pytest.approx(terms.mean().item(), rel=1e-5)
    for weight, gradient in zip(net.parameters(), expected, strict=True):
        torch.testing.assert_close(weight.grad, gradient, rtol=1e-3, atol=1e-6)


def test_the_averages_of_normalization_move_once_a_step_by_the_mean_of_the_parts() -> None:
    norm = nn.BatchNorm3d(1)
    net = nn.Sequential(norm, nn.AdaptiveAvgPool3d(1), nn.Flatten(), nn.Linear(1, 1), nn.Flatten(0))
    images, labels = torch.rand(6, 1, *SHAPE) + torch.arange(6).reshape(6, 1, 1, 1, 1), torch.zeros(6)
    parts = images.split(2)

    step_once(net, images, labels, 2, class_weight=1.0)

    assert norm.running_mean is not None
    assert norm.running_var is not None
    mean, variance = (sum(float(function(part)) for part in parts) / 3 for function in (torch.mean, torch.var))
    assert float(norm.running_mean) == pytest.approx(0.9 * 0 + 0.1 * mean, rel=1e-3)
    assert float(norm.running_var) == pytest.approx(0.9 * 1 + 0.1 * variance, rel=1e-3)


@pytest.mark.parametrize(
    ("images", "size", "count"), [(32, 32, 1), (31, 8, 4), (5, 2, 2), (3, 2, 1), (2, 8, 1), (1, 8, 1)]
)
def test_no_part_is_a_single_image(images: int, size: int, count: int) -> None:
    assert MicroBatch(size).count(images) == count


def test_an_allocation_that_the_cpu_refuses_is_known_and_other_errors_are_not() -> None:
    with pytest.raises(RuntimeError) as refused:
        torch.empty(2**52, dtype=torch.uint8)
    with pytest.raises(RuntimeError) as other:
        torch.zeros(2) @ torch.zeros(3)
    assert is_out_of_memory(refused.value)
    assert is_out_of_memory(CUDA_SAYS)
    assert not is_out_of_memory(other.value)


def limit_memory(patch: pytest.MonkeyPatch, fails: Callable[[int, int], bool], error: RuntimeError) -> list[int]:
    """Have the network raise where ``fails(images, call)``; return the sizes it failed at, as they come."""
    failed: list[int] = []
    calls = 0
    original = step.forward

    def forward(net: nn.Module, images: Tensor, clinical: Tensor) -> Any:
        nonlocal calls
        calls += 1
        output = original(net, images, clinical)
        if fails(len(images), calls):
            failed.append(len(images))
            raise error
        return output

    patch.setattr(step, "forward", forward)
    patch.setattr(cell, "forward", forward)
    return failed


@pytest.mark.slow
@pytest.mark.parametrize("error", [CUDA_SAYS, CPU_SAYS])
def test_out_of_memory_ends_in_the_result_of_parts_of_that_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: RuntimeError
) -> None:
    noisy = AugmentationConfig(noise_sd=0.1)
    settings: dict[str, Any] = {"batch_size": 20, "exact_normalization": True, "augmentation": noisy}
    data = make_data(tmp_path)
    expected = train_cell(data, tmp_path / "expected", micro_batch_size=5, **settings)
    sentences: list[str] = []
    # The first failure comes with a part of the step done.
    failed = limit_memory(monkeypatch, lambda images, call: images > 5 and call > 1, error)
    listener = Listener(on_memory=sentences.append)

    result = train_cell(data, tmp_path / "short", listener, micro_batch_size=10, **settings)

    assert failed == [10]
    assert sentences == ["The memory is too small for 10 images at a time; going on with 5."]
    assert result.history == expected.history
    assert result.held_out == expected.held_out


@pytest.mark.slow
def test_a_resumed_cell_does_not_try_again_what_did_not_fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class CutError(Exception):
        pass

    def cut(record: object) -> None:
        raise CutError

    data = make_data(tmp_path)
    failed = limit_memory(monkeypatch, lambda images, call: images > 4, CUDA_SAYS)
    expected = train_cell(data, tmp_path / "undisturbed")
    failed.clear()
    with pytest.raises(CutError):
        train_cell(data, tmp_path / "cut", Listener(on_epoch=cut))
    assert len(failed) == 1
    assert train_cell(data, tmp_path / "cut") == expected
    assert len(failed) == 1


@pytest.mark.slow
def test_two_images_that_do_not_fit_end_in_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sentences: list[str] = []
    limit_memory(monkeypatch, lambda images, call: True, CPU_SAYS)
    with pytest.raises(MLError, match="too small for even 2 images") as caught:
        train_cell(make_data(tmp_path), tmp_path / "cell", Listener(on_memory=sentences.append))
    assert caught.value.code == "out_of_memory"
    assert len(sentences) == 2  # 8, 4, 2
    assert CellFiles(tmp_path / "cell", "1-1").load_state() is None


def test_channels_stay_last_through_the_whole_network() -> None:
    config = tiny_config()
    net = place(build_net("imaging", config, 0), torch.device("cpu")).train()
    images = torch.rand(2, 1, *SHAPE, generator=torch.Generator().manual_seed(0))
    expected = net(images)
    step.keep_channels_last(net)
    maps = net.get_submodule("features.maps")(images)
    assert maps.shape[1] > 1
    assert maps.stride(1) == 1
    torch.testing.assert_close(net(images), expected)
