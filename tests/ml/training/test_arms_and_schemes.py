"""The clinical arm, features left out, centers held out, and a leak that stops the run before it starts."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from ml.errors import MLError
from ml.inference import load_model
from ml.statistics import delong_test
from ml.training import ModelCard, TrainingConfig, evaluate_run, read_manifest, run_cross_validation
from ml.training.arms import NoImages, build_net, forward
from ml.training.checkpoints import load_weights
from ml.training.images import ImageStore
from tests.ml.training.factory import make_study, tiny_config

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def three_arms(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("arms")
    manifest = make_study(folder / "study", 40, record_tells=True)
    config = tiny_config(arms=("imaging", "fusion", "clinical"), without=("treatment",), epochs=1)
    return manifest, folder / "run", run_cross_validation(manifest, folder / "run", config, device="cpu")


def test_the_clinical_arm_learns_from_the_record_and_decodes_no_image(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = make_study(tmp_path / "study", 60, image_tells=False, record_tells=True)
    monkeypatch.setattr(ImageStore, "batch", None)
    config = tiny_config(arms=("clinical",), epochs=30, patience=30)
    metrics = run_cross_validation(manifest, tmp_path / "run", config, device="cpu")
    assert metrics["arms"]["clinical"]["oof"]["auc"] > 0.9
    assert metrics["comparison"] == {"oof": None, "test": None}
    assert metrics["comparisons"] == {"oof": [], "test": []}


def test_the_clinical_arm_looks_at_no_image() -> None:
    torch.manual_seed(0)
    net, record = build_net("clinical", tiny_config(), 3), torch.randn(2, 3)
    logit, gate = forward(net, NoImages().batch(["a", "b"]), record)
    assert logit.shape == (2,)
    assert gate is None
    assert torch.equal(forward(net, torch.rand(2, 1, 16, 16, 16), record)[0], logit)


def test_every_two_arms_are_compared(three_arms: tuple[Path, Path, dict[str, Any]]) -> None:
    _, run_dir, metrics = three_arms
    assert list(metrics["arms"]) == ["imaging", "fusion", "clinical"]
    wanted = [("fusion", "imaging"), ("clinical", "imaging"), ("clinical", "fusion")]
    for part, n in (("oof", 32), ("test", 8)):
        tests = metrics["comparisons"][part]
        assert [(test["a"], test["b"]) for test in tests] == wanted
        assert {test["n"] for test in tests} == {n}
        assert tests[0] == metrics["comparison"][part]
    table = pd.read_csv(run_dir / "oof.csv").sort_values("id")
    one, other = (table[table["arm"] == arm] for arm in ("clinical", "fusion"))
    expected = delong_test(one["label"].to_numpy(), one["probability"].to_numpy(), other["probability"].to_numpy())
    found = metrics["comparisons"]["oof"][2]
    assert (found["difference"], found["p"]) == pytest.approx((expected.difference, expected.p))
    assert evaluate_run(run_dir)["comparisons"] == metrics["comparisons"]


def test_a_feature_left_out_is_neither_learned_nor_asked_for(three_arms: tuple[Path, Path, dict[str, Any]]) -> None:
    manifest, run_dir, _ = three_arms
    card = ModelCard.read(run_dir)
    assert [feature.name for feature in card.features] == ["age", "coma"]
    for file in card.weights:
        encoder = load_weights(run_dir / file.path, file.sha256).encoder
        assert [item.feature.name for item in encoder.fitted] == ["age", "coma"]
    model = load_model(run_dir)
    image = np.load(manifest.parent / "image-0.npy")
    record = {"age": 70.0, "coma": 1}
    prediction = model.predict(image, record, arm="fusion")
    assert prediction.imputed == ()
    assert model.predict(image, record | {"treatment": "cc"}, arm="fusion").probability == prediction.probability


def test_a_model_keeps_its_name_when_the_configuration_gains_a_setting(
    three_arms: tuple[Path, Path, dict[str, Any]], tmp_path: Path
) -> None:
    content = json.loads((three_arms[1] / "model.json").read_text())
    assert ModelCard.read(three_arms[1]).digest == content.pop("digest")
    del content["config"]["scheme"]
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"))
    name = hashlib.sha256(canonical.encode()).hexdigest()
    (tmp_path / "model.json").write_text(json.dumps(content | {"digest": name}))
    assert ModelCard.read(tmp_path).digest == name
    content["config"]["scheme"] = "center"
    (tmp_path / "model.json").write_text(json.dumps(content | {"digest": name}))
    with pytest.raises(MLError) as caught:
        ModelCard.read(tmp_path)
    assert caught.value.code == "damaged_file"


def test_a_feature_to_leave_out_must_be_there(tmp_path: Path) -> None:
    manifest = make_study(tmp_path / "study")
    with pytest.raises(MLError) as caught:
        run_cross_validation(manifest, tmp_path / "run", tiny_config(without=("surgery",)), device="cpu")
    assert caught.value.code == "bad_config"
    assert not (tmp_path / "run").exists()


def test_each_center_is_a_fold(tmp_path: Path) -> None:
    manifest = make_study(tmp_path / "study", 36)
    config = tiny_config(arms=("clinical",), scheme="center", test_fraction=0, epochs=2)
    progress: list[float] = []
    metrics = run_cross_validation(
        manifest, tmp_path / "run", config, lambda event: progress.append(event.progress), device="cpu"
    )
    assert len(metrics["arms"]["clinical"]["folds"]) == 3
    oof = pd.read_csv(tmp_path / "run" / "oof.csv")
    assert {(row.fold, row.center) for row in oof.itertuples()} == {(1, "C1"), (2, "C2"), (3, "C3")}
    assert progress == sorted(progress)
    assert max(progress) == 1
    assert json.loads((tmp_path / "run" / "leaks.json").read_text()) == []


def test_a_ct_filed_under_two_patients_stops_the_run_before_it_trains(tmp_path: Path) -> None:
    path = make_study(tmp_path / "study", 30)
    content = json.loads(path.read_text())
    first, second = content["cases"][:2]
    second["image"], second["image_sha256"] = first["image"], first["image_sha256"]
    path.write_text(json.dumps(content))
    config = TrainingConfig.model_validate(tiny_config().model_dump() | {"arms": ["clinical"], "folds": 10})
    with pytest.raises(MLError) as caught:
        run_cross_validation(path, tmp_path / "run", config, device="cpu")
    assert caught.value.code == "leak"
    (leak,) = json.loads((tmp_path / "run" / "leaks.json").read_text())
    assert leak["cases"] == [case.id for case in read_manifest(path).cases[:2]]
    assert not (tmp_path / "run" / "checkpoints").exists()
