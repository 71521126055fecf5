"""Explanations of a tiny model with networks of all arms, in nested folds and recalibrated."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from ml.errors import MLError
from ml.explanation import Explanation, explain
from ml.explanation.contributions import typical_patient
from ml.inference import Model, load_model
from ml.training import read_manifest, run_cross_validation
from tests.ml.training.factory import make_study, tiny_config

pytestmark = pytest.mark.slow

RECORD = {"age": 70.0, "coma": 1, "treatment": "cc"}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Image and record both tell the outcome."""
    folder = tmp_path_factory.mktemp("explained")
    manifest = make_study(folder / "study", 40, record_tells=True)
    config = tiny_config(arms=("imaging", "fusion", "clinical"), inner_folds=2, epochs=6, patience=6)
    run_cross_validation(manifest, folder / "run", config, device="cpu")
    return manifest, folder / "run"


@pytest.fixture(scope="module")
def model(run: tuple[Path, Path]) -> Model:
    return load_model(run[1])


def an_image(seed: int = 0) -> np.ndarray:
    image = np.random.default_rng(seed).uniform(0.2, 0.4, (16, 16, 16)).astype(np.float32)
    image[4:9, 4:9, 4:9] = 0.9
    return image


def logit(probability: float) -> float:
    return float(np.log(probability / (1 - probability)))


def total(found: Explanation) -> float:
    assert found.baseline_logit is not None
    return found.baseline_logit + sum(entry.logit for entry in found.contributions)


@pytest.mark.parametrize("arm", ["imaging", "fusion", "clinical"])
def test_it_explains_what_was_predicted(model: Model, arm: str) -> None:
    predicted = model.predict(an_image(), RECORD, arm=arm)
    found = explain(model, an_image(), RECORD, arm=arm)
    assert found.arm == arm
    assert found.probability == pytest.approx(predicted.probability, abs=1e-3)
    assert found.gate_mean == (None if arm != "fusion" else pytest.approx(predicted.gate_mean, abs=1e-3))
    assert ("4 networks" in found.method) == (len(predicted.precision) == 4)


@pytest.mark.parametrize("arm", ["imaging", "fusion"])
def test_the_map_lies_on_the_networks_input(model: Model, arm: str) -> None:
    found = explain(model, an_image(), RECORD, arm=arm)
    assert found.map is not None
    assert (found.map.shape, found.map.dtype) == ((16, 16, 16), np.float32)
    assert (found.map.min(), found.map.max()) == (0, 1)


def test_each_arm_explains_what_it_reads(model: Model) -> None:
    imaging = explain(model, an_image())
    assert (imaging.arm, imaging.contributions, imaging.baseline_logit) == ("imaging", (), None)
    clinical = explain(model, an_image(), RECORD, arm="clinical")
    assert clinical.map is None
    assert {entry.feature: entry.value for entry in clinical.contributions} == RECORD
    sizes = [abs(entry.logit) for entry in clinical.contributions]
    assert sizes == sorted(sizes, reverse=True)


@pytest.mark.parametrize("arm", ["fusion", "clinical"])
@pytest.mark.parametrize("record", [RECORD, {"age": None, "coma": 0, "treatment": "mia"}])
def test_the_shares_add_up_to_the_prediction(model: Model, arm: str, record: dict) -> None:
    found = explain(model, an_image(1), record, arm=arm, may_impute=["age"])
    predicted = model.predict(an_image(1), record, arm=arm, may_impute=["age"])
    assert total(found) == pytest.approx(logit(predicted.probability), abs=1e-3)


def test_the_baseline_is_the_typical_patient(model: Model) -> None:
    """The networks of the clinical arm, asked for him one by one, averaged and recalibrated, say what it says."""
    folds: dict[int, list[float]] = {}
    for network in model.networks("clinical"):
        said = network.net(typical_patient(network.encoder).float()).detach()
        folds.setdefault(network.fold, []).append(float(torch.sigmoid(said - network.logit_shift)))
    expected = model.card.recalibration["clinical"].line.apply([np.mean(inner) for inner in folds.values()]).mean()
    found = explain(model, an_image(), RECORD, arm="clinical")
    assert found.baseline_logit == pytest.approx(logit(expected), abs=1e-5)


@pytest.mark.parametrize("arm", ["fusion", "clinical"])
def test_coma_speaks_for_a_poor_outcome(model: Model, arm: str) -> None:
    """In this study all patients with a poor outcome are in coma, and no others."""
    with_coma, without = (
        next(entry.logit for entry in found.contributions if entry.feature == "coma")
        for found in (explain(model, an_image(), RECORD | {"coma": coma}, arm=arm) for coma in (1, 0))
    )
    assert with_coma >= 0 >= without
    assert with_coma - without > 0.05


@pytest.mark.parametrize("arm", ["imaging", "fusion", "clinical"])
def test_a_patient_of_the_cross_validation_is_explained_as_he_was_predicted(
    run: tuple[Path, Path], model: Model, arm: str
) -> None:
    """By the networks of the fold that held him out, recalibrated by a line that does not know his outcome."""
    manifest, run_dir = run
    cases = {case.id: case for case in read_manifest(manifest).cases}
    table = pd.read_csv(run_dir / "oof.csv")
    for row in table[table["arm"] == arm].iloc[::6].itertuples():
        case = cases[row.id]
        image = np.load(manifest.parent / case.image)
        found = explain(model, image, case.clinical, arm=arm, may_impute=["age"], folds=(row.fold,))
        assert found.probability == pytest.approx(row.probability, abs=1e-3)
        assert found.method.endswith("2 networks")
        if arm != "imaging":
            assert total(found) == pytest.approx(logit(row.probability), abs=5e-3)


def test_same_input_same_explanation(model: Model) -> None:
    first, second = (explain(model, an_image(), RECORD) for _ in range(2))
    assert first.map is not None
    np.testing.assert_array_equal(first.map, second.map)
    assert (first.contributions, first.probability) == (second.contributions, second.probability)


def test_an_empty_image_has_an_empty_map(model: Model) -> None:
    found = explain(model, np.zeros((16, 16, 16), np.float32))
    assert found.map is not None
    assert not found.map.any()


@pytest.mark.parametrize(
    ("code", "image", "record", "settings"),
    [
        ("bad_image", np.zeros((16, 16)), RECORD, {}),
        ("bad_clinical_value", an_image(), RECORD | {"coma": "yes"}, {}),
        ("clinical_missing", an_image(), RECORD | {"age": None}, {"arm": "fusion"}),
        ("no_fold", an_image(), RECORD, {"folds": (3,)}),
    ],
)
def test_it_refuses_what_a_prediction_refuses(
    model: Model, code: str, image: np.ndarray, record: dict, settings: dict
) -> None:
    with pytest.raises(MLError) as caught:
        explain(model, image, record, **settings)
    assert caught.value.code == code


def test_an_arm_that_was_not_trained_is_refused(tmp_path: Path) -> None:
    config = tiny_config(arms=("imaging",), epochs=1)
    run_cross_validation(make_study(tmp_path / "study"), tmp_path / "run", config, device="cpu")
    with pytest.raises(MLError) as caught:
        explain(load_model(tmp_path / "run"), an_image(), RECORD, arm="fusion")
    assert caught.value.code == "no_arm"
