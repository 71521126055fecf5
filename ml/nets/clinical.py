"""The clinical model: P(poor outcome) from the clinical record alone."""

import torch
from torch import Tensor, nn


class ClinicalNet(nn.Module):
    """The clinical side of :class:`ml.nets.FusionNet` by itself: one hidden layer and a linear classifier.

    logit = v tanh(W_t x_t) + b. It equals the fusion network with the gate of its multimodal unit at 0 (Arevalo et
    al., arXiv 1702.01992, equation 1; there too W_t has no bias), so that the two arms differ in the image alone.

    Parameters
    ----------
    clinical_size
        Length of the encoded clinical vector.
    hidden_size
        Length of the hidden vector.
    """

    def __init__(self, clinical_size: int, *, hidden_size: int = 128) -> None:
        super().__init__()
        self.clinical = nn.Linear(clinical_size, hidden_size, bias=False)
        self.classifier = nn.Linear(hidden_size, 1)
        nn.init.zeros_(self.classifier.bias)

    def forward(self, clinical: Tensor) -> Tensor:
        """Return the logit of a poor outcome, shape (batch,), of clinical vectors (batch, size)."""
        logit: Tensor = self.classifier(torch.tanh(self.clinical(clinical)))
        return logit.squeeze(1)
