"""``python -m ml``, as a user types it."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from ml.cli import main
from ml.simulation import PhantomSpec, simulate_ct, simulate_study
from ml.training import evaluate_run, read_manifest
from ml.volumes import read_series, write_mask
from tests.ml.training.factory import make_study, tiny_config

pytestmark = pytest.mark.slow

COMMANDS = ("simulate", "preprocess", "predict", "volume", "train", "evaluate", "compare", "explain", "bench-train")


@pytest.fixture(scope="module")
def series(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, float]:
    """A phantom CT, its true mask, and the true volume in mL."""
    folder = tmp_path_factory.mktemp("phantom")
    spec = PhantomSpec(volume_ml=30, lobulated=False, rows=256, columns=256)
    truth = simulate_ct(folder / "ct", spec=spec, seed=1)
    volume = read_series(sorted((folder / "ct").iterdir()))
    write_mask(folder / "mask.nii.gz", truth.hematoma_mask, volume)
    return folder / "ct", folder / "mask.nii.gz", truth.hematoma_ml


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    manifest = make_study(folder / "study")
    config = folder / "config.json"
    config.write_text(tiny_config(epochs=1).model_dump_json())
    arguments = ["train", str(manifest), "--run-dir", str(folder / "run"), "--config", str(config), "--device", "cpu"]
    assert main(arguments) == 0
    return folder / "run"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main([command, "--help"])
    assert caught.value.code == 0
    assert f"python -m ml {command}" in capsys.readouterr().out


def test_help_loads_neither_torch_nor_django() -> None:
    code = (
        "import sys\nfrom ml.cli import main\n"
        "try:\n    main(['volume', '--help'])\nexcept SystemExit:\n    pass\n"
        "sys.exit(bool({'torch', 'monai', 'django', 'pandas', 'SimpleITK'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], stdout=subprocess.DEVNULL, check=False).returncode == 0


def test_an_error_is_one_sentence_and_status_2(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "ml", "preprocess", str(tmp_path), "-o", str(tmp_path / "out.npz")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stdout == ""
    assert len(done.stderr.strip().splitlines()) == 1
    assert str(tmp_path) not in done.stderr
    assert not (tmp_path / "out.npz").exists()


def test_volume(series: tuple[Path, Path, float], capsys: pytest.CaptureFixture[str]) -> None:
    folder, mask, truth = series
    assert main(["volume", str(folder), str(mask), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["planimetry_ml"] == pytest.approx(truth, rel=0.02)
    assert answer["abc2_ml"] == pytest.approx(truth, rel=0.3)
    assert answer["tilt_degrees"] == 0
    assert [gap["mm"] for gap in answer["gaps"]] == [5.0]
    assert main(["volume", str(folder), str(mask)]) == 0
    assert "x 5.00 mm" in capsys.readouterr().out


def test_preprocess(series: tuple[Path, Path, float], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "out.npz"
    assert main(["preprocess", str(series[0]), "-o", str(output)]) == 0
    with np.load(output, allow_pickle=False) as arrays:
        assert arrays["image"].shape == (80, 192, 192)
        assert arrays["brain_mask"].any()
        assert json.loads(str(arrays["report"])) == json.loads(capsys.readouterr().out)


def test_train_and_evaluate(run_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", str(run_dir), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == evaluate_run(run_dir)
    assert main(["evaluate", str(run_dir)]) == 0
    assert "fusion - imaging, out of fold" in capsys.readouterr().out


def test_evaluate_beside_the_best_possible(run_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "truth.csv"
    cases = json.loads((run_dir.parent / "study" / "manifest.json").read_text())["cases"]
    chance = np.random.default_rng(0).random(len(cases))
    truth = pd.DataFrame({"id": [case["id"] for case in cases], "best_probability": chance})
    truth.to_csv(path, index=False)
    assert main(["evaluate", str(run_dir), "--truth", str(path), "--json"]) == 0
    best = json.loads(capsys.readouterr().out)["best_possible"]
    for part in ("oof", "test"):
        table = pd.read_csv(run_dir / f"{part}.csv").merge(truth, on="id")
        for arm, own in table.groupby("arm"):
            ceiling = roc_auc_score(own["label"], own["best_probability"])
            assert best[part]["auc"] == pytest.approx(ceiling)
            assert best[part]["below"][arm] == pytest.approx(ceiling - roc_auc_score(own["label"], own["probability"]))
    assert main(["evaluate", str(run_dir), "--truth", str(path)]) == 0
    assert "best possible  out of fold  AUC 0." in capsys.readouterr().out

    for wrong in (truth.head(3), truth.drop(columns="best_probability"), pd.concat([truth, truth])):
        wrong.to_csv(path, index=False)
        assert main(["evaluate", str(run_dir), "--truth", str(path)]) == 2
        assert "truth" in capsys.readouterr().err


def test_compare(run_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    manifest = str(run_dir.parent / "study" / "manifest.json")
    assert main(["compare", manifest, str(run_dir), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads((run_dir / "comparators.json").read_text())
    assert main(["compare", manifest, str(run_dir)]) == 0
    lines = capsys.readouterr().out
    assert lines.count("AUC 0.") == 6
    assert lines.count("DeLong P") == 12
    assert main(["compare", manifest, str(run_dir.parent)]) == 2
    assert "no trained model" in capsys.readouterr().err


def test_predict(
    series: tuple[Path, Path, float], run_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clinical = tmp_path / "clinical.json"
    clinical.write_text('{"age": 71, "coma": 0, "treatment": "cmt"}')
    command = ["predict", str(series[0]), "--clinical", str(clinical), "--model", str(run_dir), "--json"]
    assert main(command) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["arm"] == "fusion"
    assert len(answer["per_fold"]) == 2
    assert answer["probability"] == pytest.approx(np.mean(answer["per_fold"]))
    assert set(answer["seconds"]) == {"read", "preprocess", "network"}
    assert answer["model"] == json.loads((run_dir / "model.json").read_text())["digest"]

    clinical.write_text('{"age": null, "coma": 0, "treatment": "cmt"}')
    assert main(command) == 0
    assert json.loads(capsys.readouterr().out)["arm"] == "imaging"
    assert main([*command, "--impute-missing"]) == 0
    assert json.loads(capsys.readouterr().out)["imputed"] == ["age"]
    clinical.write_text("age = 71")
    assert main(command) == 2
    assert "not JSON" in capsys.readouterr().err


def test_simulate_for_training(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "out"
    assert main(["simulate", str(output), "--n", "2", "--seed", "5", "--train-images", "32", "48", "50"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].startswith("Simulated data")
    manifest = read_manifest(output / "manifest.json")
    assert [np.load(output / case.image).shape for case in manifest.cases] == [(32, 48, 50)] * 2
    cohort = pd.read_csv(output / "cohort.csv")
    assert [case.clinical["age"] for case in manifest.cases] == cohort["age"].tolist()
    truth = pd.read_csv(output / "truth.csv", dtype={"id": str})
    assert truth["id"].tolist() == [case.id for case in manifest.cases]
    assert not set(truth.columns) & set(cohort.columns)


def test_simulate_says_what_is_possible(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["simulate", str(tmp_path), "--n", "300", "--seed", "8"]) == 0
    study = simulate_study(300, seed=8)
    poor = study.forms["poor_outcome"]
    lines = capsys.readouterr().out.splitlines()
    for line, column in zip(lines[-2:], ("form_probability", "best_probability"), strict=True):
        assert f"{roc_auc_score(poor, study.truth[column]):.3f} in this sample" in line


def test_simulate(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "out"
    assert main(["simulate", str(output), "--n", "4", "--seed", "5", "--images", "1"]) == 0
    cohort = pd.read_csv(output / "cohort.csv")
    assert len(cohort) == 4
    truth = json.loads((output / "truth.json").read_text())["00000"]
    assert truth["hematoma_ml"] == pytest.approx(cohort["hematoma_volume_ml"][0], rel=1e-6)
    capsys.readouterr()
    assert main(["volume", str(output / "ct" / "00000"), str(output / "masks" / "00000.nii.gz"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["planimetry_ml"] == pytest.approx(truth["hematoma_ml"], rel=0.03)
    assert main(["simulate", str(output), "--n", "4", "--seed", "5"]) == 2
    assert "not empty" in capsys.readouterr().err
