"""``python -m ml explain``."""

import json
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813 (the name its own manual uses)

from ml.cli import main
from ml.explanation import explain, map_on_ct
from ml.inference import load_model
from ml.preprocessing import preprocess
from ml.simulation import PhantomSpec, simulate_ct
from ml.training import run_cross_validation
from ml.volumes import read_series
from tests.ml.training.factory import make_study, tiny_config

pytestmark = pytest.mark.slow

RECORD = {"age": 71, "coma": 0, "treatment": "cmt"}


@pytest.fixture(scope="module")
def series(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("explain") / "ct"
    simulate_ct(folder, spec=PhantomSpec(volume_ml=30, rows=128, columns=128), seed=1)
    return folder


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("explained")
    run_cross_validation(make_study(folder / "study"), folder / "run", tiny_config(epochs=1), device="cpu")
    return folder / "run"


def test_it_prints_the_shares_and_writes_the_map_on_the_ct(
    series: Path, run_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clinical, output = tmp_path / "clinical.json", tmp_path / "map.nii.gz"
    clinical.write_text(json.dumps(RECORD))
    command = ["explain", str(series), "--clinical", str(clinical), "--model", str(run_dir)]
    assert main([*command, "--out", str(output), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)

    volume = read_series(sorted(series.iterdir()))
    preprocessed = preprocess(volume)
    found = explain(load_model(run_dir), preprocessed.image, RECORD)
    assert answer["arm"] == "fusion"
    assert answer["probability"] == pytest.approx(found.probability)
    assert {entry["feature"]: entry["value"] for entry in answer["contributions"]} == RECORD
    share = sum(entry["logit"] for entry in answer["contributions"])
    assert np.log(found.probability / (1 - found.probability)) == pytest.approx(answer["baseline_logit"] + share)
    written = sitk.ReadImage(str(output))
    assert written.GetSize() == volume.shape[::-1]
    assert written.GetOrigin() == pytest.approx(volume.positions[0].tolist(), abs=1e-3)
    assert found.map is not None
    expected = map_on_ct(found.map, preprocessed.report.affine, volume) * 255
    np.testing.assert_allclose(sitk.GetArrayFromImage(written), expected, atol=0.51)
    assert expected.max() > 50

    assert main(command) == 0
    lines = capsys.readouterr().out
    assert lines.startswith(f"P(poor outcome) {found.probability:.3f}")
    assert "age = 71" in lines


def test_the_map_needs_a_name_of_nifti(
    series: Path, run_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["explain", str(series), "--model", str(run_dir), "--out", str(tmp_path / "map.png")]
    assert main(command) == 2
    assert "NIfTI" in capsys.readouterr().err
    assert not (tmp_path / "map.png").exists()


def test_a_model_of_the_form_alone_has_no_map(series: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tiny_config(arms=("clinical",), epochs=1)
    run_cross_validation(make_study(tmp_path / "study"), tmp_path / "run", config, device="cpu")
    command = ["explain", str(series), "--model", str(tmp_path / "run"), "--impute-missing"]
    assert main([*command, "--out", str(tmp_path / "map.nii.gz")]) == 2
    assert "no map" in capsys.readouterr().err
    assert main(command) == 0
    assert "age = missing" in capsys.readouterr().out
