"""Predictions from a finished run."""

import json
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from ml.errors import MLError
from ml.inference import Model, load_model
from ml.inference.engine import GRAPH_VERSION
from ml.training import read_manifest, run_cross_validation
from ml.training.files import file_sha256
from tests.ml.training.factory import make_study, tiny_config

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("inference")
    manifest = make_study(folder / "study")
    run_cross_validation(manifest, folder / "run", tiny_config(), device="cpu")
    torch.set_num_threads(threads)
    return manifest, folder / "run"


@pytest.fixture(scope="module")
def model(run: tuple[Path, Path]) -> Model:
    return load_model(run[1])


def an_image(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0, 1, (16, 16, 16)).astype(np.float32)


RECORD = {"age": 70.0, "coma": 1, "treatment": "cc"}


@pytest.mark.parametrize("arm", ["imaging", "fusion"])
def test_test_patients_get_the_probability_that_the_run_wrote(run: tuple[Path, Path], model: Model, arm: str) -> None:
    manifest_path, run_dir = run
    cases = {case.id: case for case in read_manifest(manifest_path).cases}
    table = pd.read_csv(run_dir / "test.csv")
    for row in table[table["arm"] == arm].itertuples():
        case = cases[row.id]
        image = np.load(manifest_path.parent / case.image)
        prediction = model.predict(image, case.clinical, arm=arm, may_impute=model.missing({}))
        assert prediction.probability == pytest.approx(row.probability, abs=1e-5)
        assert prediction.probability == pytest.approx(np.mean(prediction.per_fold))


def test_same_input_same_number(run: tuple[Path, Path], model: Model) -> None:
    first = model.predict(an_image(), RECORD)
    again = load_model(run[1]).predict(an_image(), dict(reversed(RECORD.items())))
    assert (first.probability, first.per_fold, first.gate_mean) == (
        again.probability,
        again.per_fold,
        again.gate_mean,
    )


def test_same_input_same_number_in_every_process(run: tuple[Path, Path]) -> None:
    script = (
        "import sys, numpy as np; from ml.inference import load_model;"
        "image = np.random.default_rng(0).uniform(0, 1, (16, 16, 16)).astype(np.float32);"
        "found = load_model(sys.argv[1]).predict(image, {'age': 70.0, 'coma': 1, 'treatment': 'cc'});"
        "print([value.hex() for value in (*found.per_fold, found.gate_mean)])"
    )
    command = [sys.executable, "-W", "ignore", "-c", script, str(run[1])]
    first, second = (subprocess.run(command, capture_output=True, text=True, check=True).stdout for _ in range(2))
    assert first == second and first.count("0x") == 3


def test_the_prediction_says_what_computed_it(model: Model) -> None:
    found = model.predict(an_image(), RECORD)
    assert found.engine == f"openvino {version('openvino')}, graph {GRAPH_VERSION}"
    assert found.precision == ("f32", "f32")


def test_the_record_decides_the_arm(model: Model) -> None:
    complete = model.predict(an_image(), RECORD)
    assert complete.arm == "fusion"
    assert complete.gate_mean is not None
    assert 0 < complete.gate_mean < 1
    assert (complete.imputed, complete.missing) == ((), ())
    without = model.predict(an_image())
    assert (without.arm, without.gate_mean, without.missing) == ("imaging", None, ())
    lacking = model.predict(an_image(), RECORD | {"age": None})
    assert (lacking.arm, lacking.missing) == ("imaging", ("age",))
    assert lacking.probability == without.probability
    imputed = model.predict(an_image(), RECORD | {"age": None}, may_impute=["age"])
    assert (imputed.arm, imputed.imputed, imputed.missing) == ("fusion", ("age",), ())


def test_fusion_is_not_made_up_from_an_incomplete_record(model: Model) -> None:
    with pytest.raises(MLError, match="coma, treatment") as caught:
        model.predict(an_image(), {"age": 70}, arm="fusion")
    assert caught.value.code == "clinical_missing"


def test_a_larger_image_is_resampled(model: Model) -> None:
    coarse = an_image()
    fine = coarse.repeat(2, axis=0).repeat(3, axis=1).repeat(3, axis=2)
    assert model.predict(fine).probability == pytest.approx(model.predict(coarse).probability, abs=1e-5)


@pytest.mark.parametrize(
    "image",
    [np.zeros((16, 16)), np.full((16, 16, 16), np.nan), np.full((16, 16, 16), 40.0), np.zeros((16, 16, 16), int)],
)
def test_what_is_no_preprocessed_image_is_refused(model: Model, image: np.ndarray) -> None:
    with pytest.raises(MLError) as caught:
        model.predict(image)
    assert caught.value.code == "bad_image"


def test_damaged_weights_are_noticed(run: tuple[Path, Path], tmp_path: Path) -> None:
    copy = shutil.copytree(run[1], tmp_path / "run")
    weights = copy / "checkpoints" / "imaging" / "fold-2-1.pt"
    data = bytearray(weights.read_bytes())
    data[len(data) // 2] ^= 1
    weights.write_bytes(data)
    with pytest.raises(MLError) as caught:
        load_model(copy)
    assert caught.value.code == "damaged_file"


def test_exchanged_weights_are_noticed(run: tuple[Path, Path], tmp_path: Path) -> None:
    """Weights of another run, with the card's digest changed to match, still are not this model."""
    copy = shutil.copytree(run[1], tmp_path / "run")
    folder = copy / "checkpoints" / "imaging"
    shutil.copy(folder / "fold-1-1.pt", folder / "fold-2-1.pt")
    card = json.loads((copy / "model.json").read_text())
    for file in card["weights"]:
        file["sha256"] = file_sha256(copy / file["path"])
    (copy / "model.json").write_text(json.dumps(card))
    with pytest.raises(MLError) as caught:
        load_model(copy)
    assert caught.value.code == "damaged_file"


def test_a_model_of_another_preprocessing_is_refused(run: tuple[Path, Path], tmp_path: Path) -> None:
    manifest = json.loads(run[0].read_text()) | {"preprocessing_version": "0"}
    path = run[0].parent / "old.json"
    path.write_text(json.dumps(manifest))
    config = tiny_config(epochs=1, arms=("imaging",))
    run_cross_validation(path, tmp_path / "run", config, device="cpu")
    with pytest.raises(MLError) as caught:
        load_model(tmp_path / "run")
    assert caught.value.code == "other_preprocessing"


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MLError) as caught:
        load_model(tmp_path)
    assert caught.value.code == "no_model"
