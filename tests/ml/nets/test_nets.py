"""The networks against MONAI, against the published formula, and by their gradients."""

import numpy as np
import pytest
import torch
from monai.networks.nets import DenseNet121

from ml.nets import FusionNet, GatedMultimodalUnit, ImagingNet

SMALL = {"init_features": 8, "growth_rate": 4, "block_config": (2, 2)}


def test_imaging_net_with_the_same_weights_equals_monai() -> None:
    torch.manual_seed(0)
    reference = DenseNet121(spatial_dims=3, in_channels=1, out_channels=1).eval()
    net = ImagingNet().eval()
    weights = {}
    for key, value in reference.state_dict().items():
        ours = key.replace("class_layers.out", "classifier").replace("features.", "features.maps.", 1)
        weights[ours] = value
    net.load_state_dict(weights, strict=True)
    image = torch.rand(2, 1, 32, 32, 32)
    with torch.inference_mode():
        torch.testing.assert_close(net(image), reference(image).squeeze(1), rtol=0, atol=0)


def test_parameters_are_those_of_densenet_121_plus_the_gated_unit() -> None:
    def count(net: torch.nn.Module) -> int:
        return sum(parameter.numel() for parameter in net.parameters())

    backbone = count(DenseNet121(spatial_dims=3, in_channels=1, out_channels=1)) - (1024 + 1)
    assert count(ImagingNet()) == backbone + 1024 + 1
    gated = 1024 * 128 + 30 * 128 + (1024 + 30) * 128
    assert count(FusionNet(30)) == backbone + gated + 128 + 1


def test_gated_multimodal_unit_follows_the_formula() -> None:
    torch.manual_seed(1)
    unit = GatedMultimodalUnit(visual_size=5, clinical_size=3, hidden_size=4)
    rng = np.random.default_rng(1)
    visual, clinical = rng.normal(size=(6, 5)), rng.normal(size=(6, 3))
    w_v, w_t, w_z = (layer.weight.detach().double().numpy() for layer in (unit.visual, unit.clinical, unit.gate))
    z = 1 / (1 + np.exp(-np.concatenate([visual, clinical], axis=1) @ w_z.T))
    expected = z * np.tanh(visual @ w_v.T) + (1 - z) * np.tanh(clinical @ w_t.T)

    hidden, gate = unit(torch.from_numpy(visual).float(), torch.from_numpy(clinical).float())

    np.testing.assert_allclose(gate.detach().numpy(), z, rtol=1e-5)
    np.testing.assert_allclose(hidden.detach().numpy(), expected, rtol=1e-4, atol=1e-6)


def test_fusion_gradient_reaches_both_branches() -> None:
    torch.manual_seed(2)
    net = FusionNet(3, hidden_size=4, **SMALL)
    image = torch.rand(4, 1, 8, 8, 8, requires_grad=True)
    clinical = torch.randn(4, 3, requires_grad=True)

    output = net(image, clinical)
    output.logit.sum().backward()

    assert output.logit.shape == (4,)
    assert output.gate.shape == (4, 4)
    assert ((output.gate > 0) & (output.gate < 1)).all()
    for name, parameter in net.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name
    assert clinical.grad is not None
    assert clinical.grad.abs().sum() > 0


@pytest.mark.parametrize("side", [29, 32])
def test_densenet_121_accepts_its_smallest_image(side: int) -> None:
    with torch.inference_mode():
        assert ImagingNet().eval()(torch.zeros(1, 1, side, 29, 33)).shape == (1,)
