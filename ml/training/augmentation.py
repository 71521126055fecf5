"""Random crop, rotation, flip and noise of a batch of images; every number comes from one seeded generator."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from ml.training.config import AugmentationConfig


@dataclass(frozen=True)
class Changes:
    """What happens to each image of a batch; drawn for all of them at once, so that no division of it matters."""

    theta: Tensor
    """(batch, 3, 4): from output to input coordinates, in torch's order (x, y, z) and range -1..1."""
    noise_sd: float
    noise_seeds: tuple[int, ...]
    """One an image; empty without noise."""

    def of(self, which: Sequence[int]) -> "Changes":
        """Return those of the images at these places."""
        seeds = tuple(self.noise_seeds[index] for index in which) if self.noise_seeds else ()
        return Changes(self.theta[list(which)], self.noise_sd, seeds)


def draw_changes(
    count: int, shape: tuple[int, int, int], config: AugmentationConfig, generator: torch.Generator
) -> Changes:
    """Draw the changes of ``count`` images of a shape (z, y, x).

    Parameters
    ----------
    config
        Which changes, how large.
    generator
        A generator on the CPU.
    """
    theta = torch.stack([_transform(shape, config, generator) for _ in range(count)])
    seeds = torch.randint(2**62, (count,), generator=generator).tolist() if config.noise_sd > 0 else ()
    return Changes(theta, config.noise_sd, tuple(seeds))


def augment(images: Tensor, changes: Changes) -> Tensor:
    """Return changed copies of images.

    Parameters
    ----------
    images
        (batch, 1, z, y, x), values 0..1, on any device; the work is done there.
    changes
        From :func:`draw_changes`; the noise is the same on all devices of one type.

    Returns
    -------
    Tensor
        As ``images``; what a rotation brings in from outside the image is 0 (air).
    """
    theta = changes.theta.to(images.device, non_blocking=True)
    grid = functional.affine_grid(theta, list(images.shape), align_corners=False)
    changed = functional.grid_sample(images, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
    generator = torch.Generator(images.device)
    for image, seed in zip(changed, changes.noise_seeds, strict=False):
        noise = torch.randn(image.shape, generator=generator.manual_seed(seed), device=image.device)
        image.add_(noise, alpha=changes.noise_sd).clamp_(0, 1)
    return changed


def _transform(shape: tuple[int, int, int], config: AugmentationConfig, generator: torch.Generator) -> Tensor:
    """Draw one 3 x 4 matrix of :attr:`Changes.theta`."""
    uniform = torch.rand(8, generator=generator, dtype=torch.float64)
    size = config.crop_fraction + (1 - config.crop_fraction) * uniform[:3]
    shift = (1 - size) * (2 * uniform[3:6] - 1)
    angle = math.radians(config.rotation_degrees) * (2 * float(uniform[6]) - 1)
    # Coordinates run from -1 to 1 along both axes of a slice, so a rotation needs its height-to-width ratio.
    ratio = shape[-2] / shape[-1]
    rotation = torch.eye(3, dtype=torch.float64)
    rotation[0, 0] = rotation[1, 1] = math.cos(angle)
    rotation[0, 1] = -math.sin(angle) * ratio
    rotation[1, 0] = math.sin(angle) / ratio
    if float(uniform[7]) < config.flip_probability:
        rotation[:, 0] *= -1
    return torch.cat((rotation * size, shift.unsqueeze(1)), dim=1).float()
