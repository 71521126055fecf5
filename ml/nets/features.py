"""The image backbone that both networks share."""

from collections.abc import Sequence
from typing import cast

from monai.networks.nets.densenet import DenseNet
from torch import Tensor, nn

from ml.nets.shape import DENSENET121_BLOCKS


class DenseFeatures(nn.Module):
    """3-D DenseNet without its classifier: an image becomes one vector.

    The defaults are DenseNet-121 (Huang et al., "Densely Connected Convolutional Networks", arXiv 1608.06993) in
    three dimensions, as in MONAI. The backward pass of its pooling layers is deterministic on the CPU, not on CUDA.

    Parameters
    ----------
    init_features
        Channels after the first convolution.
    growth_rate
        Channels that each dense layer adds.
    block_config
        Number of dense layers in each block.

    Attributes
    ----------
    maps : nn.Sequential
        The convolutional part, with MONAI's submodule names; its output are the last feature maps (for saliency).
    size : int
        Length of the feature vector (1024 for DenseNet-121).
    """

    def __init__(
        self,
        *,
        init_features: int = 64,
        growth_rate: int = 32,
        block_config: Sequence[int] = DENSENET121_BLOCKS,
    ) -> None:
        super().__init__()
        densenet = DenseNet(
            spatial_dims=3,
            in_channels=1,
            out_channels=1,
            init_features=init_features,
            growth_rate=growth_rate,
            block_config=tuple(block_config),
        )
        self.maps = densenet.features
        self.pool = nn.Sequential(nn.ReLU(inplace=True), nn.AdaptiveAvgPool3d(1), nn.Flatten(1))
        self.size = cast(nn.Linear, densenet.class_layers.out).in_features

    def forward(self, image: Tensor) -> Tensor:
        """Turn images (batch, 1, z, y, x) into feature vectors (batch, size).

        Each axis must be at least ``minimum_side`` of the same ``block_config`` long.
        """
        pooled: Tensor = self.pool(self.maps(image))
        return pooled
