"""The clinic-imaging fusion model: P(poor outcome) from the CT and the clinical record."""

from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor, nn

from ml.nets.features import DenseFeatures
from ml.nets.gmu import GatedMultimodalUnit
from ml.nets.shape import DENSENET121_BLOCKS


class FusionOutput(NamedTuple):
    """What the fusion model returns."""

    logit: Tensor
    """Logit of a poor outcome, shape (batch,)."""
    gate: Tensor
    """Gate of the multimodal unit, shape (batch, hidden), 0 (clinical record) to 1 (image)."""


class FusionNet(nn.Module):
    """The backbone of :class:`ml.nets.ImagingNet`, a gated multimodal unit, and a linear classifier.

    Parameters
    ----------
    clinical_size
        Length of the encoded clinical vector.
    hidden_size
        Length of the joined vector.
    init_features, growth_rate, block_config
        Shape of the backbone; the defaults are DenseNet-121. See :class:`ml.nets.DenseFeatures`.
    """

    def __init__(
        self,
        clinical_size: int,
        *,
        hidden_size: int = 128,
        init_features: int = 64,
        growth_rate: int = 32,
        block_config: Sequence[int] = DENSENET121_BLOCKS,
    ) -> None:
        super().__init__()
        self.features = DenseFeatures(init_features=init_features, growth_rate=growth_rate, block_config=block_config)
        self.gmu = GatedMultimodalUnit(self.features.size, clinical_size, hidden_size)
        self.classifier = nn.Linear(hidden_size, 1)
        nn.init.zeros_(self.classifier.bias)

    def forward(self, image: Tensor, clinical: Tensor) -> FusionOutput:
        """Return logit and gate of images (batch, 1, z, y, x), values 0..1, and clinical vectors (batch, size)."""
        hidden, gate = self.gmu(self.features(image), clinical)
        return FusionOutput(self.classifier(hidden).squeeze(1), gate)
