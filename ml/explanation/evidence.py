"""Where an image speaks for a poor outcome: its gradients on the way from a uniform brain."""

from collections.abc import Sequence
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import binary_fill_holes, gaussian_filter
from torch import Tensor, nn

from ml.explanation.gradients import mean_gradients
from ml.nets import ClinicalNet, DenseFeatures, FusionNet
from ml.preprocessing.box import SHAPE, VOXEL_MM

METHOD = "mean gradient from a uniform brain"
_NODES = 2
_SMOOTHING_MM = 4.5  # standard deviation: a gradient changes its sign from voxel to voxel, tissue does not


def head(net: nn.Module, visual: Tensor | None, clinical: Tensor) -> Tensor:
    """Return the logit (1,) of an image's feature vector (1, size) and a clinical vector (1, width)."""
    if isinstance(net, FusionNet):
        visual, _ = net.gmu(visual, clinical)
    logit: Tensor = net(clinical) if isinstance(net, ClinicalNet) else cast(nn.Module, net.classifier)(visual)
    return logit.flatten()


def evidence(net: nn.Module, image: Tensor, clinical: Tensor) -> tuple[Tensor, Tensor]:
    """Say how much the logit of an image rises where its tissue departs further from the normal.

    Parameters
    ----------
    net
        An ``ImagingNet`` or ``FusionNet`` in evaluation mode, its weights taking no gradients.
    image
        (1, 1, z, y, x), values 0..1, 0 outside the brain.
    clinical
        (1, width); the imaging network does not look at it.

    Returns
    -------
    tuple
        The image's feature vector (1, size), and (z, y, x): the rise of the logit per unit of density, above 0 where a
        brighter voxel that is brighter than normal, or a darker one that is darker, speaks for a poor outcome. Normal
        is the median of this brain. Both without gradients.

    Notes
    -----
    The gradient is the mean over the way from a brain of this outline and normal density throughout to the image, as
    for integrated gradients; but these also multiply by how far a voxel departs, and so point at blood whatever the
    network does: with random weights they had 2 times the mass on blood, edema and ventricles that chance puts there,
    this has 1. Class-activation maps of the blocks are coarse for a head: the last has 2 x 6 x 6 voxels. All of them
    were measured on phantoms, see docs/reference/model.md.
    """
    features = cast(DenseFeatures, net.features)
    normal = torch.from_numpy(_uniform_brain(image[0, 0].cpu().numpy()))[None, None].to(image.device)

    def logit(images: Sequence[Tensor]) -> Tensor:
        return head(net, features(images[0]), clinical)

    (gradient,) = mean_gradients(logit, [normal], [image], nodes=_NODES)
    with torch.no_grad():
        return features(image), (gradient * torch.sign(image - normal))[0, 0]


def for_poor_outcome(rise: NDArray[np.float32], image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Turn what :func:`evidence` found into a map of what speaks for a poor outcome; both (z, y, x), like the image.

    Smoothed, squared so that what is weak does not veil the scan, 0 outside the brain and where the logit falls, and
    largest 1 unless nothing speaks for a poor outcome.
    """
    edges = (count * mm / size for count, mm, size in zip(SHAPE, VOXEL_MM, rise.shape, strict=True))
    smooth = gaussian_filter(rise, [_SMOOTHING_MM / edge for edge in edges])
    found: NDArray[np.float32] = np.where(_outline(image), smooth, 0).clip(min=0)
    return (found / (found.max() or 1)) ** 2


def _uniform_brain(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return (z, y, x): the median of the brain inside its outline, 0 outside."""
    inside = _outline(image)
    return np.where(inside, np.median(image[inside]) if inside.any() else 0, 0).astype(np.float32)


def _outline(image: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return where the brain is, with the fluid below 0 HU inside it, which is 0 too."""
    filled: NDArray[np.bool_] = binary_fill_holes(image > 0)
    return filled
