"""Killed, damaged, started again: the metrics are those of an undisturbed run, to the last digit."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ml.training import Event, run_cross_validation
from tests.ml.training.factory import make_study, tiny_config

pytestmark = pytest.mark.slow

CONFIG = {"epochs": 6, "patience": 6, "arms": ("imaging", "fusion"), "exact_normalization": True}
FILES = ("metrics.json", "oof.csv", "test.csv", "model.json")


def read_all(run_dir: Path) -> dict[str, str]:
    return {name: (run_dir / name).read_text() for name in FILES}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    folder = tmp_path_factory.mktemp("undisturbed")
    manifest = make_study(folder / "study")
    run_cross_validation(manifest, folder / "run", tiny_config(**CONFIG), device="cpu")
    return manifest, read_all(folder / "run")


def test_sigkill_in_the_middle_of_a_fold(undisturbed: tuple[Path, dict[str, str]], tmp_path: Path) -> None:
    manifest, expected = undisturbed
    run_dir, config = tmp_path / "run", tmp_path / "config.json"
    config.write_text(tiny_config(**CONFIG).model_dump_json())
    command = [sys.executable, "-m", "ml", "train", str(manifest), "--run-dir", str(run_dir)]
    command += ["--config", str(config), "--device", "cpu"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    for line in process.stderr:
        if "fold 2-1  epoch 3" in line:
            process.send_signal(signal.SIGKILL)
            break
    process.stderr.close()
    assert process.wait(timeout=60) == -signal.SIGKILL
    assert not (run_dir / "metrics.json").exists()
    assert (run_dir / "checkpoints" / "imaging" / "fold-1-1.json").exists()
    assert list((run_dir / "checkpoints" / "imaging" / "fold-2-1").glob("epoch-*.pt"))

    events: list[Event] = []
    run_cross_validation(manifest, run_dir, tiny_config(**CONFIG), events.append, device="cpu")

    again = [event for event in events if event.stage == "train" and event.arm == "imaging"]
    assert {event.fold for event in again} == {2}
    assert min(event.epoch or 0 for event in again) >= 3
    assert read_all(run_dir) == expected


def test_damaged_checkpoint_is_noticed_and_its_cell_trained_again(
    undisturbed: tuple[Path, dict[str, str]], tmp_path: Path
) -> None:
    manifest, expected = undisturbed

    class CutError(Exception):
        pass

    def cut(event: Event) -> None:
        if event.stage == "train" and event.fold == 2 and event.epoch == 3:
            raise CutError

    with pytest.raises(CutError):
        run_cross_validation(manifest, tmp_path, tiny_config(**CONFIG), cut, device="cpu")
    flip_a_byte(next((tmp_path / "checkpoints" / "imaging" / "fold-2-1").glob("epoch-*.pt")))
    flip_a_byte(tmp_path / "checkpoints" / "imaging" / "fold-1-1.pt")
    (tmp_path / "checkpoints" / "imaging" / "fold-2-1" / "half.pt.tmp").write_bytes(b"cut off while writing")

    events: list[Event] = []
    run_cross_validation(manifest, tmp_path, tiny_config(**CONFIG), events.append, device="cpu")

    assert [(event.arm, event.fold) for event in events if event.stage == "restart"] == [("imaging", 1), ("imaging", 2)]
    assert read_all(tmp_path) == expected


def test_a_finished_run_is_not_trained_again(undisturbed: tuple[Path, dict[str, str]]) -> None:
    manifest, expected = undisturbed
    run_dir = manifest.parent.parent / "run"
    events: list[Event] = []
    run_cross_validation(manifest, run_dir, tiny_config(**CONFIG), events.append, device="cpu")
    assert not [event for event in events if event.stage == "train"]
    assert read_all(run_dir) == expected
    assert json.loads(expected["metrics.json"])["arms"]


def flip_a_byte(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)
