"""The imaging model: P(poor outcome) from the CT alone."""

from collections.abc import Sequence

from torch import Tensor, nn

from ml.nets.features import DenseFeatures
from ml.nets.shape import DENSENET121_BLOCKS


class ImagingNet(nn.Module):
    """3-D DenseNet-121 with one logit out.

    With the same weights it equals ``monai.networks.nets.DenseNet121(spatial_dims=3, in_channels=1, out_channels=1)``.

    Parameters
    ----------
    init_features, growth_rate, block_config
        Shape of the backbone; the defaults are DenseNet-121. See :class:`ml.nets.DenseFeatures`.
    """

    def __init__(
        self,
        *,
        init_features: int = 64,
        growth_rate: int = 32,
        block_config: Sequence[int] = DENSENET121_BLOCKS,
    ) -> None:
        super().__init__()
        self.features = DenseFeatures(init_features=init_features, growth_rate=growth_rate, block_config=block_config)
        self.classifier = nn.Linear(self.features.size, 1)
        nn.init.zeros_(self.classifier.bias)

    def forward(self, image: Tensor) -> Tensor:
        """Return the logit of a poor outcome, shape (batch,), of images (batch, 1, z, y, x) with values 0..1."""
        logit: Tensor = self.classifier(self.features(image))
        return logit.squeeze(1)
