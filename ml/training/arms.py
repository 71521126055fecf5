"""The arms of the study as one interface: a network, and what it is fed."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from ml.nets import ClinicalNet, FusionNet, ImagingNet
from ml.training.config import Arm, TrainingConfig
from ml.training.images import ImageStore


class NoImages(ImageStore):
    """Stands in for the images of the arm that looks at none: one empty voxel a case, and no file is read."""

    def __init__(self) -> None:
        super().__init__(Path(), (), (1, 1, 1), cache_gib=0)

    def batch(self, ids: Sequence[str]) -> Tensor:
        return torch.zeros(len(ids), 1, 1, 1, 1, dtype=torch.float16)


def build_net(arm: Arm, config: TrainingConfig, clinical_size: int) -> nn.Module:
    """Build the untrained network of an arm; the imaging arm has no use for ``clinical_size``."""
    backbone = config.backbone
    if arm == "imaging":
        return ImagingNet(
            init_features=backbone.init_features,
            growth_rate=backbone.growth_rate,
            block_config=backbone.block_config,
        )
    if arm == "clinical":
        return ClinicalNet(clinical_size, hidden_size=config.gmu_size)
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
    if isinstance(net, ClinicalNet):
        return net(clinical), None
    if isinstance(net, FusionNet):
        output = net(images, clinical)
        return output.logit, output.gate
    logit: Tensor = net(images)
    return logit, None
