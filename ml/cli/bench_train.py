"""``bench-train``: how many volumes a second a training step takes, beside a plain loop over MONAI's DenseNet-121."""

import argparse
import json
import math
import sys
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from ml.training import TrainingConfig

HELP = "Measure training steps of the imaging model against a plain MONAI loop, in turns, in one run."

_ROUNDS = 3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("--shape", type=int, nargs=3, default=(80, 192, 192), metavar=("Z", "Y", "X"), help="voxels")
    parser.add_argument("--batch", type=int, default=32, metavar="N", help="volumes a step")
    parser.add_argument("--steps", type=int, default=5, metavar="N", help="steps a round; each loop has three rounds")
    parser.add_argument("--device", choices=("cpu", "cuda"), help="by default CUDA where there is one")
    parser.add_argument("--small", action="store_true", help="32 x 32 x 32 voxels, 4 volumes, 1 step: for a CPU")


def run(options: argparse.Namespace) -> None:
    """Print volumes per second of both loops, best of three rounds, and their ratio, as JSON."""
    import torch

    from ml.errors import MLError
    from ml.training.memory import is_out_of_memory

    if options.small:
        options.shape, options.batch, options.steps = (32, 32, 32), 4, 1
        torch.set_num_threads(1)  # on images this small, threads mostly wait for each other
    if options.device == "cuda" and not torch.cuda.is_available():
        raise MLError("no_device", "There is no GPU that torch can use; leave out --device, or choose cpu.")
    device = torch.device(options.device or ("cuda" if torch.cuda.is_available() else "cpu"))
    try:
        print(json.dumps(_compare(tuple(options.shape), options.batch, options.steps, device), indent=1))
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        raise MLError("out_of_memory", "The plain loop does not fit into the memory; lower --batch.") from error


def _compare(shape: tuple[int, int, int], batch: int, steps: int, device: "torch.device") -> dict[str, Any]:
    import torch

    from ml.training import AugmentationConfig, TrainingConfig

    config = TrainingConfig(
        image_shape=shape,
        batch_size=batch,
        mixed_precision=True,
        augmentation=AugmentationConfig(flip_probability=0.5, noise_sd=0.02),
    )
    generator = torch.Generator().manual_seed(0)
    volumes = [torch.rand(shape, generator=generator).half() for _ in range(2 * batch)]
    rates = measure(
        {"ichor": _ichor(volumes, config, device), "monai": _monai(volumes, config, device)}, steps, batch, device
    )
    return {
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU",
        "precision": "bfloat16" if device.type == "cuda" else "float32",
        "shape": "x".join(map(str, shape)),
        "batch": batch,
        "volumes_per_second": {name: round(rate, 3) for name, rate in rates.items()},
        "ratio": round(rates["ichor"] / rates["monai"], 3),
    }


def measure(
    loops: dict[str, Callable[[int], None]], steps: int, batch: int, device: "torch.device"
) -> dict[str, float]:
    """Return volumes per second of loops that run a number of steps; in turns, so that a slow moment hits all alike."""
    import torch

    seconds: dict[str, float] = dict.fromkeys(loops, float("inf"))
    for loop in loops.values():
        loop(1)
    for _ in range(_ROUNDS):
        for name, loop in loops.items():
            start = time.perf_counter()
            loop(steps)
            if device.type == "cuda":
                torch.cuda.synchronize(device)
            seconds[name] = min(seconds[name], time.perf_counter() - start)
    return {name: steps * batch / spent for name, spent in seconds.items()}


def _ichor(volumes: Sequence["Tensor"], config: "TrainingConfig", device: "torch.device") -> Callable[[int], None]:
    """The step of a training run: images from the cache in memory, augmented, values looked at one step late."""
    import torch

    from ml.training.arms import build_net, place
    from ml.training.images import as_input
    from ml.training.memory import MicroBatch
    from ml.training.step import Inputs, TrainingStep

    net = place(build_net("imaging", config, 0), device).train()
    step = TrainingStep(net, config, 1.0, MicroBatch(config.batch_size, _warn))
    labels = (torch.arange(len(volumes)) % 2).float()

    def load(ids: Sequence[str]) -> Inputs:
        which = [int(number) for number in ids]
        images = as_input(torch.stack([volumes[number] for number in which]).unsqueeze(1), device)
        images = images.contiguous(memory_format=torch.channels_last_3d)
        return Inputs(images, torch.zeros(len(which), 0, device=device), labels[which].to(device, non_blocking=True))

    def loop(steps: int) -> None:
        generator = torch.Generator().manual_seed(0)
        batches = (
            [str(number % len(volumes)) for number in range(first, first + config.batch_size)]
            for first in range(0, steps * config.batch_size, config.batch_size)
        )
        with torch.backends.cudnn.flags(enabled=True, benchmark=True):
            for values in step.run(batches, load, generator):
                assert values.finite

    return loop


def _warn(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)


def _monai(volumes: Sequence["Tensor"], config: "TrainingConfig", device: "torch.device") -> Callable[[int], None]:
    """What one writes first: autocast, Adam, the loss read at each step. It augments nothing, which favors it."""
    import torch
    from monai.networks.nets.densenet import DenseNet121

    net = DenseNet121(spatial_dims=3, in_channels=1, out_channels=1).to(device).train()
    optimizer = torch.optim.Adam(net.parameters(), lr=config.learning_rate)
    loss_function = torch.nn.BCEWithLogitsLoss()
    labels = (torch.arange(len(volumes)) % 2).float().unsqueeze(1)

    def loop(steps: int) -> None:
        for number in range(steps):
            which = [(number * config.batch_size + index) % len(volumes) for index in range(config.batch_size)]
            images = torch.stack([volumes[index] for index in which]).unsqueeze(1).float().to(device)
            optimizer.zero_grad()
            # On the CPU neither loop computes in bfloat16.
            with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
                loss = loss_function(net(images), labels[which].to(device))
            loss.backward()
            optimizer.step()
            assert math.isfinite(loss.item())

    return loop
