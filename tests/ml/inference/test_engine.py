"""The compiled networks against the same networks in torch, float32."""

import copy
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ml.inference import engine
from ml.inference.engine import Shape, compile_features
from ml.inference.graph import graph_of
from ml.nets import FusionNet, ImagingNet
from ml.training.arms import forward
from ml.training.config import Arm

SMALL, LARGE, FULL = (32, 32, 32), (64, 64, 64), (80, 192, 192)
TINY = {"init_features": 8, "growth_rate": 4, "block_config": (2, 2, 2)}
CLINICAL = torch.tensor([[0.5, -1.0, 1.0, 0.0, 0.3]])


def a_net(arm: Arm, seed: int, **shape: object) -> nn.Module:
    torch.manual_seed(seed)
    return (ImagingNet(**shape) if arm == "imaging" else FusionNet(5, hidden_size=16, **shape)).eval()


def brains(shape: Shape, count: int = 3, seed: int = 5) -> Tensor:
    """Return brains with a bleed each, at other places than in the images of the engine: (n, z, y, x)."""
    random = np.random.default_rng(seed)
    grid = np.stack(np.meshgrid(*[np.linspace(-1, 1, side) for side in shape], indexing="ij"))
    images = np.where((grid**2).sum(0) < 0.7, random.normal(0.4, 0.04, (count, *shape)), 0)
    for image in images:
        center = random.uniform(-0.4, 0.4, (3, 1, 1, 1))
        image[((grid - center) ** 2).sum(0) < random.uniform(0.05, 0.5) ** 2] = 0.7
    return torch.from_numpy(images.clip(0, 1).astype(np.float32))


@torch.inference_mode()
def answers(net: nn.Module, images: Tensor) -> tuple[Tensor, list[Tensor | None]]:
    """Return probabilities (n,) and gates, one image at a time."""
    found = [forward(net, image[None, None], CLINICAL) for image in images]
    return torch.sigmoid(torch.cat([logit for logit, _ in found]).double()), [gate for _, gate in found]


def compiled(net: nn.Module, shape: Shape, *, keep: bool = True) -> tuple[nn.Module, str]:
    other = copy.deepcopy(net)
    precision = compile_features(other.features, shape, lambda image: forward(other, image, CLINICAL)[0], keep=keep)
    return other, precision


def make_confident(net: nn.Module, images: Tensor) -> None:
    """Normalize with the images' statistics and stretch the logits, so that probabilities lie far apart."""
    for layer in net.modules():
        if isinstance(layer, nn.BatchNorm3d):
            layer.momentum = None
            layer.reset_running_stats()
    with torch.inference_mode():
        forward(net.train(), images[:, None], CLINICAL.expand(len(images), -1))
        logits, _ = forward(net.eval(), images[:, None], CLINICAL.expand(len(images), -1))
        factor = 3 / logits.std()
        net.classifier.weight *= factor
        net.classifier.bias.copy_((net.classifier.bias - logits.mean()) * factor)


@pytest.mark.parametrize("arm", ["imaging", "fusion"])
@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 2))])
@pytest.mark.parametrize("shape", [SMALL, LARGE])
@pytest.mark.parametrize("confident", [False, True])
def test_equal_to_torch(arm: Arm, seed: int, shape: Shape, confident: bool) -> None:
    net, images = a_net(arm, seed, **TINY), brains(shape)
    if confident:
        make_confident(net, brains(shape, count=4, seed=6))
    wanted, gates = answers(net, images)
    fast, _ = compiled(net, shape)
    found, fast_gates = answers(fast, images)
    assert abs(found - wanted).max() <= 1e-3
    for gate, fast_gate in zip(gates, fast_gates, strict=True):
        if gate is None or fast_gate is None:
            assert arm == "imaging" and gate is fast_gate
        else:
            assert gate.shape == fast_gate.shape and abs(gate - fast_gate).max() <= 5e-3


@pytest.mark.slow
@pytest.mark.parametrize("arm", ["imaging", "fusion"])
def test_densenet121_at_full_size_is_equal_to_torch(arm: Arm) -> None:
    net, images = a_net(arm, seed=3), brains(FULL, count=2)
    wanted, _ = answers(net, images)
    (fast, precision), (again, _) = compiled(net, FULL), compiled(net, FULL, keep=False)
    found, _ = answers(fast, images)
    assert abs(found - wanted).max() <= 1e-3
    assert found.equal(answers(again, images)[0])
    assert precision == ("bf16" if engine._computes_bf16() else "f32")


def test_a_net_that_bfloat16_would_change_keeps_float32() -> None:
    """Such a one tells images apart by what rounding hides; the outcome does not depend on the processor."""
    net, images = a_net("imaging", 0, **TINY), brains(LARGE)
    make_confident(net, images)
    with torch.inference_mode():
        net.classifier.weight *= 30
        logits = torch.cat([forward(net, image[None, None], CLINICAL)[0] for image in images])
        net.classifier.bias -= logits.mean()
    wanted, _ = answers(net, images)
    fast, precision = compiled(net, LARGE)
    assert precision == "f32"
    assert abs(answers(fast, images)[0] - wanted).max() <= 1e-3


def contents(shape: Shape) -> Tensor:
    """Return images (n, z, y, x): one voxel at each end, side and corner; noise from and to each place; nothing."""
    corners = [[round(part / 2 * (side - 1)) for part, side in zip(c, shape, strict=True)] for c in np.ndindex(3, 3, 3)]
    steps = range(min(shape))
    images = torch.zeros(len(corners) + 2 * len(steps) + 1, *shape)
    for image, place in zip(images, corners, strict=False):
        image[tuple(place)] = 1
    noise = torch.rand(shape, generator=torch.Generator().manual_seed(0))
    for onward, until, i in zip(images[len(corners) :: 2], images[len(corners) + 1 :: 2], steps, strict=False):
        onward[i:, i:, i:] = noise[i:, i:, i:]
        until[: i + 1, : i + 1, : i + 1] = noise[: i + 1, : i + 1, : i + 1]
    return images


@pytest.mark.parametrize("shape", [(32, 40, 48), (33, 38, 43)])
def test_the_stem_is_computed_wherever_content_reaches(shape: Shape) -> None:
    """Against torch's; from and to each place, since the boxes grow in steps."""
    net, images = a_net("imaging", 0, **TINY), contents(shape)
    make_confident(net, brains(shape, count=4))
    stem = nn.Sequential(*net.features.maps[:4].children())
    with torch.inference_mode():
        wanted = [stem(image[None, None])[0].numpy() for image in images]
    maps = compiled(net, shape)[0].features.maps[0]
    for i in [*range(len(images)), *reversed(range(len(images)))]:  # nothing is left of the image before
        found = maps._through_stem(images[i][None, None].numpy())
        np.testing.assert_allclose(found[0], wanted[i], atol=1e-4)
    np.testing.assert_array_equal(maps._through_stem(images[-1][None, None].numpy()), maps._empty)


@pytest.mark.slow
def test_one_of_many_networks_gives_the_memory_of_its_layers_back() -> None:
    """By the resident memory of a process, in MiB; the layers of a DenseNet-121 at full size need about 230."""
    script = """
import sys, torch
from ml.inference.engine import compile_features
from ml.nets import ImagingNet
net = ImagingNet().eval()
compile_features(net.features, (80, 192, 192), net, keep=sys.argv[1] == "keep")
with torch.inference_mode():
    net(torch.rand(1, 1, 80, 192, 192))
print(int(open("/proc/self/statm").read().split()[1]) * 4096 / 2**20)
"""
    kept, given_back = (
        float(
            subprocess.run(
                [sys.executable, "-W", "ignore", "-c", script, how], capture_output=True, text=True, check=True
            ).stdout
        )
        for how in ("keep", "give back")
    )
    assert kept - given_back > 100


def test_a_layer_that_no_densenet_has_is_refused() -> None:
    for layer in (
        nn.Conv3d(1, 2, 3),
        nn.Conv3d(2, 2, 3, groups=2, bias=False),
        nn.MaxPool3d(2, ceil_mode=True),
        nn.GELU(),
    ):
        with pytest.raises(TypeError, match="no layer of a DenseNet"):
            graph_of(nn.Sequential(nn.ReLU(), layer), 2)


def test_the_convolutions_of_torch_are_gone() -> None:
    fast, _ = compiled(a_net("fusion", 0, **TINY), SMALL)
    assert not [module for module in fast.modules() if isinstance(module, nn.Conv3d)]


def test_openvino_comes_late_and_reports_to_nobody() -> None:
    script = (
        "import sys, ml.inference.model as model; assert 'openvino' not in sys.modules;"
        "print(model.engine_version()); assert sys.modules['openvino_telemetry'] is None;"
        "assert not [name for name in sys.modules if name.startswith('openvino_telemetry.')]"
    )
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("openvino 20")
