"""Random crop, rotation, flip and noise of a batch of images; every number comes from one seeded generator."""

import math

import torch
from torch import Tensor
from torch.nn import functional

from ml.training.config import AugmentationConfig


def augment(images: Tensor, config: AugmentationConfig, generator: torch.Generator) -> Tensor:
    """Return randomly changed copies of images.

    Parameters
    ----------
    images
        (batch, 1, z, y, x), values 0..1, on any device.
    config
        Which changes, how large.
    generator
        A generator on the CPU: the same state gives the same changes on every device.

    Returns
    -------
    Tensor
        As ``images``; what a rotation brings in from outside the image is 0 (air).
    """
    theta = torch.stack([_transform(images.shape, config, generator) for _ in range(len(images))])
    grid = functional.affine_grid(theta.to(images.device), list(images.shape), align_corners=False)
    changed = functional.grid_sample(images, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
    if config.noise_sd > 0:
        noise = torch.randn(images.shape, generator=generator) * config.noise_sd
        changed = (changed + noise.to(images.device)).clamp(0, 1)
    return changed


def _transform(shape: torch.Size, config: AugmentationConfig, generator: torch.Generator) -> Tensor:
    """Draw the 3 x 4 matrix from output to input coordinates, in torch's order (x, y, z) and range -1..1."""
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
