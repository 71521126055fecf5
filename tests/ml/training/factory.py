"""Tiny studies made in code: noise with a bright block where the outcome is poor, and a record that may tell it too."""

import hashlib
from pathlib import Path

import numpy as np

from ml.training import BackboneConfig, Case, Feature, Manifest, TrainingConfig, write_manifest

FEATURES = (
    Feature(name="age", kind="numeric", unit="years"),
    Feature(name="coma", kind="binary"),
    Feature(name="treatment", kind="categorical", levels=("cmt", "cc", "mia")),
)
SHAPE = (16, 16, 16)


def tiny_config(**changes: object) -> TrainingConfig:
    """A DenseNet of a few thousand weights on 16 x 16 x 16 voxels."""
    settings: dict[str, object] = {
        "image_shape": SHAPE,
        "backbone": BackboneConfig(init_features=8, growth_rate=4, block_config=(2, 2, 2)),
        "gmu_size": 8,
        "folds": 2,
        "test_fraction": 0.2,
        "epochs": 3,
        "patience": 3,
        "batch_size": 8,
        "learning_rate": 1e-2,
        "seed": 3,
    }
    return TrainingConfig.model_validate(settings | changes)


def make_study(
    folder: Path, n: int = 30, *, image_tells: bool = True, record_tells: bool = False, seed: int = 0
) -> Path:
    """Write images and manifest of ``n`` patients and return the manifest's path."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    cases = []
    for number in range(n):
        label = number % 2
        image = rng.uniform(0.2, 0.4, SHAPE)
        if image_tells and label:
            z, y, x = rng.integers(3, 8, 3)
            image[z : z + 5, y : y + 5, x : x + 5] = 0.9
        path = folder / f"image-{number}.npy"
        np.save(path, image.astype(np.float16))
        coma = label if record_tells else int(rng.integers(0, 2))
        cases.append(
            Case(
                id=f"S-{number:03d}",
                patient=f"P-{number:03d}",
                center=f"C{number % 3 + 1}",
                label=label,
                image=path.name,
                image_sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
                clinical={
                    "age": None if number % 7 == 0 else float(rng.normal(60, 10)),
                    "coma": coma,
                    "treatment": ("cmt", "cc", "mia")[number % 3],
                },
            )
        )
    manifest = folder / "manifest.json"
    write_manifest(Manifest(snapshot_digest="0" * 64, features=FEATURES, cases=tuple(cases)), manifest)
    return manifest
