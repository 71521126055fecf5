"""Random changes of images: what stays, what turns, what repeats."""

import math

import pytest
import torch

from ml.training import AugmentationConfig
from ml.training.augmentation import augment, draw_changes

NOTHING = AugmentationConfig(crop_fraction=1.0, rotation_degrees=0.0)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def changed(images: torch.Tensor, config: AugmentationConfig, seed: int = 0) -> torch.Tensor:
    return augment(images, draw_changes(len(images), images.shape[2:], config, generator(seed)))


def block(*, at: tuple[float, float], shape: tuple[int, int, int] = (8, 40, 60)) -> torch.Tensor:
    """A soft spot at (y, x) in pixels from the center of each slice."""
    y = torch.arange(shape[1]) - (shape[1] - 1) / 2 - at[0]
    x = torch.arange(shape[2]) - (shape[2] - 1) / 2 - at[1]
    spot = torch.exp(-(y[:, None] ** 2 + x[None, :] ** 2) / 8)
    return spot.expand(1, 1, *shape).contiguous()


def center_of_mass(image: torch.Tensor) -> tuple[float, float]:
    plane = image[0, 0].sum(0)
    y = torch.arange(plane.shape[0]) - (plane.shape[0] - 1) / 2
    x = torch.arange(plane.shape[1]) - (plane.shape[1] - 1) / 2
    return float((plane.sum(1) * y).sum() / plane.sum()), float((plane.sum(0) * x).sum() / plane.sum())


def test_nothing_asked_for_changes_nothing() -> None:
    image = torch.rand(2, 1, 5, 6, 7)
    torch.testing.assert_close(changed(image, NOTHING), image, rtol=0, atol=1e-5)


def test_flip_mirrors_left_and_right() -> None:
    image = torch.rand(2, 1, 5, 6, 7)
    flipped = changed(image, NOTHING.model_copy(update={"flip_probability": 1.0}))
    torch.testing.assert_close(flipped, image.flip(4), rtol=0, atol=1e-5)


@pytest.mark.parametrize("seed", range(4))
def test_rotation_is_rigid_in_slices_that_are_not_square(seed: int) -> None:
    config = NOTHING.model_copy(update={"rotation_degrees": 30.0})
    along, across = (center_of_mass(changed(block(at=at), config, seed)) for at in ((0.0, 12.0), (12.0, 0.0)))
    assert math.hypot(*along) == pytest.approx(12, abs=0.1)
    assert math.hypot(*across) == pytest.approx(12, abs=0.1)
    assert along[0] * across[0] + along[1] * across[1] == pytest.approx(0, abs=1)


def test_crop_stays_inside_the_image() -> None:
    image = torch.ones(8, 1, 6, 20, 20)
    cropped = changed(image, NOTHING.model_copy(update={"crop_fraction": 0.7}))
    # The outermost voxels may be blended with what is outside, by less than half a voxel.
    torch.testing.assert_close(cropped[..., 1:-1, 1:-1, 1:-1], image[..., 1:-1, 1:-1, 1:-1])


def test_same_generator_same_images_and_noise_keeps_the_range() -> None:
    config = AugmentationConfig(flip_probability=0.5, noise_sd=0.3)
    image = torch.rand(3, 1, 5, 6, 7)
    first = changed(image, config, 5)
    assert torch.equal(first, changed(image, config, 5))
    assert not torch.equal(first, changed(image, config, 6))
    assert 0 <= first.min() <= first.max() <= 1
