"""Nested cross-validation, in one go and cell by cell."""

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ml.errors import MLError
from ml.inference import load_model
from ml.training import (
    CellKey,
    Event,
    ModelCard,
    finish_run,
    make_splits,
    prepare_run,
    read_manifest,
    run_cross_validation,
    train_cell,
)
from tests.ml.training.factory import make_study, tiny_config

pytestmark = pytest.mark.slow

CONFIG = tiny_config(inner_folds=3, epochs=2)
FILES = ("metrics.json", "oof.csv", "test.csv", "model.json")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("nested")
    manifest = make_study(folder / "study", 40)
    return manifest, folder / "run", run_cross_validation(manifest, folder / "run", CONFIG, device="cpu")


def test_each_training_patient_is_once_a_validation_patient(finished: Any) -> None:
    cases = read_manifest(finished[0]).cases
    splits = make_splits(cases, tiny_config(inner_folds=5, folds=3))
    assert [(fold.number, fold.inner) for fold in splits.folds] == [(k, i) for k in (1, 2, 3) for i in range(1, 6)]
    for inner in splits.outer.values():
        training = {case for fold in inner for case in fold.validation}
        assert sum(len(fold.validation) for fold in inner) == len(training)
        for fold in inner:
            assert training == {*fold.fit, *fold.validation}
            assert training.isdisjoint(fold.held_out)


def test_a_patient_is_predicted_by_the_mean_of_the_inner_networks(finished: Any) -> None:
    _, run_dir, metrics = finished
    oof = pd.read_csv(run_dir / "oof.csv")
    assert len(ModelCard.read(run_dir).weights) == 2 * 2 * 3
    for arm in ("imaging", "fusion"):
        for number in (1, 2):
            own = oof[(oof["arm"] == arm) & (oof["fold"] == number)].set_index("id")["raw"]
            inner = [json.loads((run_dir / f"checkpoints/{arm}/fold-{number}-{i}.json").read_text()) for i in (1, 2, 3)]
            mean = pd.DataFrame([result["held_out"] for result in inner]).mean()
            np.testing.assert_allclose(own, mean.loc[own.index], atol=1e-12)
        assert [len(fold["best_epochs"]) for fold in metrics["arms"][arm]["folds"]] == [3, 3]


def test_the_model_in_use_says_what_the_test_split_was_told(finished: Any) -> None:
    manifest, run_dir, _ = finished
    cases = {case.id: case for case in read_manifest(manifest).cases}
    model = load_model(run_dir)
    test = pd.read_csv(run_dir / "test.csv")
    for row in test.itertuples():
        case = cases[str(row.id)]
        predicted = model.predict(
            np.load(manifest.parent / case.image), case.clinical, arm=row.arm, may_impute=("age",)
        )
        assert len(predicted.per_fold) == 2
        assert predicted.probability == pytest.approx(row.probability, abs=1e-3)


def test_cells_in_any_order_make_the_same_run(finished: Any, tmp_path: Path) -> None:
    manifest, run_dir, metrics = finished
    cells = list(prepare_run(manifest, tmp_path, CONFIG))
    assert len(cells) == len(set(cells)) == 12
    random.Random(0).shuffle(cells)
    events: list[Event] = []
    for cell in cells:
        events.clear()
        train_cell(manifest, tmp_path, CONFIG, cell, events.append, device="cpu")
        assert {(event.arm, event.fold, event.inner) for event in events if event.stage == "train"} == {cell}
        progress = [event.progress for event in events]
        assert progress == sorted(progress)
        assert (progress[0], progress[-1]) == (0, 0.99)
    assert prepare_run(manifest, tmp_path, CONFIG) == tuple(CellKey(*cell) for cell in sorted(cells, key=order))
    assert finish_run(manifest, tmp_path, CONFIG) == metrics
    for name in FILES:
        assert (tmp_path / name).read_bytes() == (run_dir / name).read_bytes()


def order(cell: CellKey) -> tuple[int, int, int]:
    return CONFIG.arms.index(cell.arm), cell.fold, cell.inner


def test_a_run_with_a_cell_missing_is_not_finished(finished: Any, tmp_path: Path) -> None:
    manifest, _, metrics = finished
    with pytest.raises(MLError, match="prepare") as unprepared:
        train_cell(manifest, tmp_path, CONFIG, CellKey("imaging", 1), device="cpu")
    assert unprepared.value.code == "not_prepared"
    cells = prepare_run(manifest, tmp_path, CONFIG)
    for cell in cells:
        train_cell(manifest, tmp_path, CONFIG, cell, device="cpu")
    weights = tmp_path / "checkpoints" / "fusion" / "fold-2-3.pt"
    weights.write_bytes(weights.read_bytes()[:-1])
    with pytest.raises(MLError) as caught:
        finish_run(manifest, tmp_path, CONFIG)
    assert caught.value.code == "cells_missing"
    train_cell(manifest, tmp_path, CONFIG, CellKey("fusion", 2, 3), device="cpu")
    assert finish_run(manifest, tmp_path, CONFIG) == metrics
    with pytest.raises(MLError) as unknown:
        train_cell(manifest, tmp_path, CONFIG, CellKey("fusion", 2, 4), device="cpu")
    assert unknown.value.code == "no_cell"
