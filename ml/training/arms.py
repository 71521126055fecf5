"""The two arms of the study as one interface: a network, and what it is fed."""

import torch
from torch import Tensor, nn

from ml.nets import FusionNet, ImagingNet
from ml.training.config import Arm, TrainingConfig


def build_net(arm: Arm, config: TrainingConfig, clinical_size: int) -> nn.Module:
    """Build the untrained network of an arm; the imaging arm has no use for ``clinical_size``."""
    backbone = config.backbone
    if arm == "imaging":
        return ImagingNet(
            init_features=backbone.init_features,
            growth_rate=backbone.growth_rate,
            block_config=backbone.block_config,
        )
    return FusionNet(
        clinical_size,
        hidden_size=config.gmu_size,
        init_features=backbone.init_features,
        growth_rate=backbone.growth_rate,
        block_config=backbone.block_config,
    )


def place(net: nn.Module, device: torch.device) -> nn.Module:
    """Move a network to a device, channels last: the layout in which 3-D convolutions are fastest on CPU and GPU."""
    placed: nn.Module = net.to(device).to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
    return placed


def forward(net: nn.Module, images: Tensor, clinical: Tensor) -> tuple[Tensor, Tensor | None]:
    """Return logits (batch,) and, of the fusion network, the gate (batch, hidden)."""
    if isinstance(net, FusionNet):
        output = net(images, clinical)
        return output.logit, output.gate
    logit: Tensor = net(images)
    return logit, None
