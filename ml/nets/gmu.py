"""The gated multimodal unit."""

import torch
from torch import Tensor, nn


class GatedMultimodalUnit(nn.Module):
    """Joins an image vector and a clinical vector; a gate decides, for each hidden unit, how much of which.

    h_v = tanh(W_v x_v), h_t = tanh(W_t x_t), z = sigmoid(W_z [x_v, x_t]), h = z * h_v + (1 - z) * h_t, without biases:
    Arevalo et al., "Gated Multimodal Units for Information Fusion", arXiv 1702.01992, equation 1.

    Parameters
    ----------
    visual_size, clinical_size
        Lengths of x_v and x_t.
    hidden_size
        Length of h and of z.
    """

    def __init__(self, visual_size: int, clinical_size: int, hidden_size: int) -> None:
        super().__init__()
        self.visual = nn.Linear(visual_size, hidden_size, bias=False)
        self.clinical = nn.Linear(clinical_size, hidden_size, bias=False)
        self.gate = nn.Linear(visual_size + clinical_size, hidden_size, bias=False)

    def forward(self, visual: Tensor, clinical: Tensor) -> tuple[Tensor, Tensor]:
        """Return the joined vector h and the gate z, both (batch, hidden_size); z = 1 is "the image alone"."""
        gate = torch.sigmoid(self.gate(torch.cat((visual, clinical), dim=1)))
        hidden = gate * torch.tanh(self.visual(visual)) + (1 - gate) * torch.tanh(self.clinical(clinical))
        return hidden, gate
