"""Nonsense in the configuration or the manifest is refused in a sentence."""

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from ml.errors import MLError
from ml.training import BackboneConfig, TrainingConfig, read_config, read_manifest
from tests.ml.training.factory import make_study


def test_defaults_are_the_study() -> None:
    config = TrainingConfig()
    assert (config.image_shape, config.batch_size, config.learning_rate) == ((80, 192, 192), 32, 1e-4)
    assert (config.arms, config.folds) == (("imaging", "fusion"), 5)
    assert config.backbone.block_config == (6, 12, 24, 16)
    assert round(1990 * config.test_fraction) == 391
    assert TrainingConfig.small().backbone == config.backbone


@pytest.mark.parametrize(
    "nonsense",
    [
        {"folds": 1},
        {"epochs": 0},
        {"batch_size": 1},
        {"learning_rate": 0},
        {"learning_rate": float("nan")},
        {"test_fraction": 1.0},
        {"arms": []},
        {"arms": ["imaging", "imaging"]},
        {"arms": ["score"]},
        {"scheme": "hospital"},
        {"without": ["age", "age"]},
        {"without": [""]},
        {"image_shape": (28, 192, 192)},
        {"image_shape": (80, 192)},
        {"augmentation": {"crop_fraction": 0}},
        {"learning_rte": 1e-4},
    ],
)
def test_nonsense_is_refused(nonsense: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        TrainingConfig.model_validate(nonsense)


def test_a_smaller_backbone_allows_a_smaller_image() -> None:
    backbone = BackboneConfig(block_config=(2, 2))
    assert TrainingConfig(image_shape=(5, 5, 5), backbone=backbone).image_shape == (5, 5, 5)


def test_config_file_is_read_and_its_fault_named(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text('{"epochs": 7}')
    assert read_config(path) == TrainingConfig(epochs=7)
    path.write_text('{"epochs": 7, "epoch": 8}')
    with pytest.raises(MLError, match="epoch: ") as caught:
        read_config(path)
    assert caught.value.code == "bad_config"


def test_configuration_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        TrainingConfig().epochs = 5  # type: ignore[misc]


@pytest.mark.parametrize(
    ("field", "value", "fault"),
    [
        ("label", 2, "label"),
        ("image", "../elsewhere.npy", "below the manifest's folder"),
        ("image", "/etc/image.npy", "below the manifest's folder"),
        ("image_sha256", "abc", "image_sha256"),
        ("clinical", {"age": 1}, "exactly the values"),
        ("id", "S-001", "same id"),
    ],
)
def test_manifest_faults_are_named(tmp_path: Path, field: str, value: object, fault: str) -> None:
    path = make_study(tmp_path, 4)
    content = json.loads(path.read_text())
    assert content["schema"] == "ichor-manifest-1"
    content["cases"][0][field] = value
    path.write_text(json.dumps(content))
    with pytest.raises(MLError, match=fault) as caught:
        read_manifest(path)
    assert caught.value.code == "bad_manifest"


def test_features_are_left_out_by_name(tmp_path: Path) -> None:
    manifest = read_manifest(make_study(tmp_path, 4))
    assert manifest.features_without(()) == manifest.features
    assert [feature.name for feature in manifest.features_without(("coma",))] == ["age", "treatment"]
    with pytest.raises(MLError, match="no feature surgery; correct") as caught:
        manifest.features_without(("coma", "surgery"))
    assert caught.value.code == "bad_config"
    with pytest.raises(MLError, match="no feature is left") as caught:
        manifest.features_without(("age", "coma", "treatment"))
    assert caught.value.code == "bad_config"


def test_manifest_digest_ignores_layout(tmp_path: Path) -> None:
    path = make_study(tmp_path, 4)
    digest = read_manifest(path).digest()
    path.write_text(json.dumps(json.loads(path.read_text()), sort_keys=True))
    assert read_manifest(path).digest() == digest
