"""A whole run: what it writes, what it learns, what it refuses."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import roc_auc_score

from ml.errors import MLError
from ml.training import (
    ClinicalEncoder,
    Event,
    ModelCard,
    RunStoppedError,
    TrainingConfig,
    evaluate_run,
    read_manifest,
    run_cross_validation,
)
from ml.training.arms import build_net
from ml.training.checkpoints import CellFiles, CellState, EpochRecord, load_weights
from ml.training.images import ImageStore
from tests.ml.training.factory import FEATURES, make_study, tiny_config

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, dict[str, Any], list[Event]]:
    folder = tmp_path_factory.mktemp("run")
    manifest = make_study(folder / "study")
    events: list[Event] = []
    metrics = run_cross_validation(manifest, folder / "run", tiny_config(), events.append, device="cpu")
    return manifest, folder / "run", metrics, events


def test_every_patient_is_predicted_once_by_a_model_that_never_saw_him(finished: Any) -> None:
    manifest, run_dir, metrics, _ = finished
    cases = {case.id: case for case in read_manifest(manifest).cases}
    splits = json.loads((run_dir / "splits.json").read_text())
    oof, test = pd.read_csv(run_dir / "oof.csv"), pd.read_csv(run_dir / "test.csv")
    assert list(oof.columns) == ["id", "patient", "center", "fold", "label", "arm", "probability", "raw"]
    for arm in ("imaging", "fusion"):
        own, aside = oof[oof["arm"] == arm], test[test["arm"] == arm]
        for number, fold in enumerate(splits["folds"], start=1):
            assert sorted(own.loc[own["fold"] == number, "id"]) == sorted(fold["held_out"])
        assert sorted([*own["id"], *aside["id"]]) == sorted(cases)
        assert sorted(aside["id"]) == sorted(splits["test"])
        assert [cases[case].label for case in own["id"]] == list(own["label"])
        assert own["probability"].between(0, 1).all()
        assert metrics["arms"][arm]["oof"]["auc"] == pytest.approx(roc_auc_score(own["label"], own["probability"]))


def test_metrics_are_written_and_can_be_computed_again(finished: Any) -> None:
    _, run_dir, metrics, _ = finished
    assert json.loads((run_dir / "metrics.json").read_text()) == metrics
    again = evaluate_run(run_dir)
    assert again["comparison"] == metrics["comparison"]
    for arm, figures in again["arms"].items():
        assert figures["oof"] == metrics["arms"][arm]["oof"]
        assert figures["test"] == metrics["arms"][arm]["test"]
    assert metrics["arms"]["fusion"]["oof"]["n"] == 24
    assert metrics["comparison"]["test"]["n"] == 6


def test_model_card_names_every_weight_file(finished: Any) -> None:
    manifest, run_dir, _, _ = finished
    card = ModelCard.read(run_dir)
    assert card.features == FEATURES
    assert card.manifest_digest == read_manifest(manifest).digest()
    assert len(card.weights) == 4
    for file in card.weights:
        weights = load_weights(run_dir / file.path, file.sha256)
        assert (weights.arm, weights.fold) == (file.arm, file.fold)
        assert weights.config == card.config == tiny_config()
    assert not list(run_dir.rglob("epoch-*"))
    assert not list(run_dir.rglob("*.tmp"))


def test_encoder_in_the_checkpoint_was_fitted_on_the_fit_patients_only(finished: Any) -> None:
    manifest, run_dir, _, _ = finished
    cases = {case.id: case for case in read_manifest(manifest).cases}
    splits = json.loads((run_dir / "splits.json").read_text())
    for file in ModelCard.read(run_dir).weights:
        age = load_weights(run_dir / file.path, file.sha256).encoder.fitted[0]
        fit = [cases[case].clinical["age"] for case in splits["folds"][file.fold - 1]["fit"]]
        known = [value for value in fit if isinstance(value, float)]
        assert age.center == pytest.approx(np.mean(known))
        assert age.fill == pytest.approx(np.median(known))


def test_events_tell_progress_from_0_to_1(finished: Any) -> None:
    _, _, _, events = finished
    progress = [event.progress for event in events]
    assert progress == sorted(progress)
    assert progress[0] >= 0
    assert progress[-1] == 1
    assert events[-1].stage == "done"
    assert sum(event.stage == "cell_done" for event in events) == 4
    assert {event.epoch for event in events if event.stage == "train"} == {1, 2, 3}


def test_labels_of_held_out_and_test_patients_do_not_reach_the_training(finished: Any, tmp_path: Path) -> None:
    """Turn the outcome of every patient outside one fold's training part: that fold's weights must not change."""
    manifest, run_dir, _, _ = finished
    splits = json.loads((run_dir / "splits.json").read_text())
    outside = {*splits["folds"][0]["held_out"], *splits["test"]}
    content = json.loads(manifest.read_text())
    for case in content["cases"]:
        if case["id"] in outside:
            case["label"] = 1 - case["label"]
            case["clinical"] = {"age": 500.0, "coma": 1 - case["clinical"]["coma"], "treatment": "laser"}
    turned = manifest.parent / "turned.json"
    turned.write_text(json.dumps(content))

    class CutError(Exception):
        pass

    def stop_after_first_cell(event: Event) -> None:
        if event.stage == "cell_done":
            raise CutError

    other = tmp_path / "run"
    other.mkdir()
    # The same splits, as if they had been drawn for the turned cases.
    from ml.training.splits import _digest

    splits["cases_digest"] = _digest(read_manifest(turned).cases)
    (other / "splits.json").write_text(json.dumps(splits))
    with pytest.raises(CutError):
        run_cross_validation(turned, other, tiny_config(arms=("fusion",)), stop_after_first_cell, device="cpu")
    before = torch.load(run_dir / "checkpoints" / "fusion" / "fold-1-1.pt", weights_only=True)
    after = torch.load(other / "checkpoints" / "fusion" / "fold-1-1.pt", weights_only=True)
    assert before["encoder"] == after["encoder"]
    assert all(torch.equal(before["state"][key], after["state"][key]) for key in before["state"])


def test_imaging_learns_what_the_image_shows(tmp_path: Path) -> None:
    manifest = make_study(tmp_path / "study", 60)
    config = tiny_config(arms=("imaging",), epochs=15, patience=15, test_fraction=0.0)
    metrics = run_cross_validation(manifest, tmp_path / "run", config, device="cpu")
    assert metrics["arms"]["imaging"]["oof"]["auc"] > 0.9
    assert metrics["arms"]["imaging"]["test"]["auc"] is None
    assert metrics["comparison"] == {"oof": None, "test": None}


def test_fusion_learns_what_only_the_record_tells(tmp_path: Path) -> None:
    manifest = make_study(tmp_path / "study", 60, image_tells=False, record_tells=True)
    config = tiny_config(arms=("fusion",), epochs=30, patience=30)
    metrics = run_cross_validation(manifest, tmp_path / "run", config, device="cpu")
    assert metrics["arms"]["fusion"]["oof"]["auc"] > 0.9


def test_a_run_folder_belongs_to_one_run(finished: Any) -> None:
    manifest, run_dir, _, _ = finished
    with pytest.raises(MLError) as caught:
        run_cross_validation(manifest, run_dir, tiny_config(epochs=4), device="cpu")
    assert caught.value.code == "other_run"


def test_changed_images_are_refused(tmp_path: Path) -> None:
    manifest = make_study(tmp_path / "study")
    path = tmp_path / "study" / "image-4.npy"
    np.save(path, np.zeros((16, 16, 16), np.float32))
    with pytest.raises(MLError, match=r"case 5 .* was changed") as caught:
        run_cross_validation(manifest, tmp_path / "run", tiny_config(), device="cpu")
    assert caught.value.code == "bad_image"


@pytest.mark.parametrize(
    "image",
    [
        np.full((16, 16, 16), np.nan, np.float32),
        np.full((16, 16, 16), 70.0, np.float32),
        np.zeros((16, 16), np.float32),
        np.zeros((16, 16, 16), np.int16),
        np.array(["no image"], dtype=object),
    ],
)
def test_unusable_images_are_refused(tmp_path: Path, image: np.ndarray[Any, Any]) -> None:
    path = tmp_path / "image.npy"
    np.save(path, image)
    manifest = read_manifest(make_study(tmp_path, 4))
    case = manifest.cases[0].model_copy(update={"image": path.name})
    store = ImageStore(tmp_path, [case], (16, 16, 16), cache_gib=1)
    with pytest.raises(MLError, match="case 1") as caught:
        store.batch([case.id])
    assert caught.value.code == "bad_image"


def test_a_loss_that_is_no_number_stops_with_its_place(tmp_path: Path) -> None:
    manifest = make_study(tmp_path / "study")
    config = tiny_config(arms=("fusion",))
    run_dir = tmp_path / "run"
    with pytest.raises(RunStoppedError):
        run_cross_validation(manifest, run_dir, config, device="cpu", should_stop=(run_dir / "splits.json").exists)
    cases = {case.id: case for case in read_manifest(manifest).cases}
    fit = json.loads((run_dir / "splits.json").read_text())["folds"][0]["fit"]
    encoder = ClinicalEncoder.fit(FEATURES, [cases[case].clinical for case in fit])
    diverge(run_dir / "checkpoints" / "fusion", config, encoder)
    with pytest.raises(MLError, match="training loss became nan in the fusion arm, fold 1, epoch 2") as caught:
        run_cross_validation(manifest, run_dir, config, device="cpu")
    assert caught.value.code == "loss_not_finite"


def diverge(folder: Path, config: TrainingConfig, encoder: ClinicalEncoder) -> None:
    """Leave a first epoch whose weights have diverged."""
    net = build_net("fusion", config, encoder.width)
    optimizer = torch.optim.Adam(net.parameters())
    torch.nn.init.constant_(net.get_parameter("classifier.weight"), float("nan"))
    state = CellState()
    state.add(EpochRecord(epoch=1, train_loss=1.0, validation_loss=1.0, validation_auc=None), net)
    CellFiles(folder, "1-1").save_state(state, net, optimizer)


def test_the_caller_can_stop_and_continue(finished: Any, tmp_path: Path) -> None:
    manifest, _, metrics, _ = finished
    seen: list[Event] = []
    with pytest.raises(RunStoppedError):
        run_cross_validation(
            manifest,
            tmp_path / "run",
            tiny_config(),
            seen.append,
            device="cpu",
            should_stop=lambda: sum(event.stage == "train" for event in seen) >= 5,
        )
    more: list[Event] = []
    assert run_cross_validation(manifest, tmp_path / "run", tiny_config(), more.append, device="cpu") == metrics
    trained = [(event.arm, event.fold, event.epoch) for event in seen + more if event.stage == "train"]
    assert len(trained) == len(set(trained)) == 12


def test_unknown_device_is_refused(finished: Any, tmp_path: Path) -> None:
    with pytest.raises(MLError) as caught:
        run_cross_validation(finished[0], tmp_path, tiny_config(), device="warp")
    assert caught.value.code == "no_device"
