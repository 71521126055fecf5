"""The clinical network against its formula and against the fusion network that it is a part of."""

import numpy as np
import pytest
import torch

from ml.nets import ClinicalNet, FusionNet


def test_it_follows_the_formula() -> None:
    torch.manual_seed(0)
    net = ClinicalNet(3, hidden_size=4)
    vectors = np.random.default_rng(0).normal(size=(6, 3))
    hidden = np.tanh(vectors @ net.clinical.weight.detach().double().numpy().T)
    expected = hidden @ net.classifier.weight.detach().double().numpy()[0]  # the bias starts at 0
    logits = net(torch.from_numpy(vectors).float())
    np.testing.assert_allclose(logits.detach().numpy(), expected, rtol=1e-5, atol=1e-6)


def test_it_is_the_fusion_network_with_its_gate_shut_to_the_image(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(1)
    fusion = FusionNet(3, hidden_size=4, init_features=8, growth_rate=4, block_config=(2, 2)).eval()
    net = ClinicalNet(3, hidden_size=4)
    net.clinical.load_state_dict(fusion.gmu.clinical.state_dict())
    net.classifier.load_state_dict(fusion.classifier.state_dict())
    monkeypatch.setattr(torch, "sigmoid", torch.zeros_like)
    clinical = torch.randn(5, 3)
    torch.testing.assert_close(fusion(torch.rand(5, 1, 8, 8, 8), clinical).logit, net(clinical))
