"""The map on phantoms that the networks were not trained on, from DICOM files to the grid of the CT."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from ml.explanation import explain, map_on_ct
from ml.inference import Model, load_model
from ml.inference.model import Network
from ml.preprocessing import resize
from ml.training import AugmentationConfig, BackboneConfig, TrainingConfig, run_cross_validation
from ml.training.normalization import measure
from tests.ml.explanation.phantoms import INPUT, Scan, scan, write_study

pytestmark = pytest.mark.slow

CONFIG = TrainingConfig(
    image_shape=INPUT,
    arms=("imaging",),
    folds=2,
    test_fraction=0,
    epochs=8,
    batch_size=8,
    learning_rate=5e-3,
    exact_normalization=True,
    backbone=BackboneConfig(init_features=8, growth_rate=8, block_config=(3, 4, 4)),
    augmentation=AugmentationConfig(crop_fraction=1, rotation_degrees=5, flip_probability=0.5),
)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    folder = tmp_path_factory.mktemp("phantoms")
    run_cross_validation(write_study(folder, 240), folder / "run", CONFIG, device="cpu")
    return load_model(folder / "run")


@pytest.fixture(scope="module")
def painted(model: Model) -> torch.Tensor:
    """Images that the networks were trained on, (batch, 1, z, y, x)."""
    folder = Path(model._run_dir).parent
    return torch.cat([model.prepare(np.load(folder / f"{number}.npy")) for number in range(32)])


@pytest.fixture(scope="module")
def scans() -> list[Scan]:
    return [scan(seed) for seed in range(12)]


def enrichment(model: Model, scan: Scan) -> float:
    """Part of the map's mass on hematoma, edema and ventricles, over their part of the brain; chance gives 1."""
    found = explain(model, scan.preprocessed.image)
    assert found.map is not None
    on_ct = map_on_ct(found.map, scan.preprocessed.report.affine, scan.volume)
    share = on_ct[scan.injured].sum() / on_ct[scan.brain].sum()
    return float(share / (scan.injured.sum() / scan.brain.sum()))


def randomized(network: Network, painted: torch.Tensor, seed: int) -> Network:
    """The same network with new weights, and the statistics of its layers as these make them."""
    torch.manual_seed(seed)
    for module in network.net.modules():
        if isinstance(module, nn.Conv3d):
            nn.init.kaiming_normal_(module.weight)
        elif isinstance(module, nn.Linear | nn.BatchNorm3d):
            module.reset_parameters()
    measure(network.net.train(), painted.split(16), network.net)
    network.net.eval()
    return network


def test_the_map_lies_on_what_decided_and_random_weights_destroy_it(
    model: Model, scans: list[Scan], painted: torch.Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sanity check of Adebayo et al., "Sanity Checks for Saliency Maps", arXiv 1810.03292."""
    trained = np.array([enrichment(model, each) for each in scans])

    open_trained = model.networks
    by_chance = []
    for seed in range(4):
        monkeypatch.setattr(
            model,
            "networks",
            lambda arm, folds, seed=seed: (
                randomized(network, painted, 100 * seed + network.fold) for network in open_trained(arm, folds)
            ),
        )
        by_chance.append([enrichment(model, each) for each in scans])
    random = np.array(by_chance)

    assert np.median(trained) >= 3
    assert np.median(random) <= 1.6
    assert np.mean(trained > 2 * random.mean(axis=0)) >= 0.9


def test_what_the_map_marks_carries_the_prediction(model: Model, scans: list[Scan]) -> None:
    """Deletion: its voxels made normal lower the logit more than as many on the other side of the head do."""
    drops = []
    for each in scans:
        image = resize(each.preprocessed.image, INPUT)
        found = explain(model, image)
        assert found.map is not None
        brain = image > 0
        normal = np.median(image[brain])
        logits = []
        for marked in (found.map, found.map[:, :, ::-1]):
            strongest = np.where(brain, marked, -1) >= np.sort(marked[brain])[-int(0.05 * brain.sum())]
            logits.append(_logit(model.predict(np.where(strongest, normal, image)).probability))
        before = _logit(found.probability)
        drops.append([before - after for after in logits])
    marked, mirrored = np.array(drops).T
    assert np.median(marked) > 0.5
    assert np.mean(marked > mirrored) >= 0.8


def _logit(probability: float) -> float:
    return float(np.log(probability / (1 - probability)))
