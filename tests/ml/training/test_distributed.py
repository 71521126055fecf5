"""Two real processes on one machine end where one process ends."""

import json
import socket
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from torch import multiprocessing

from ml.errors import MLError
from ml.training import ModelCard, RunStoppedError, distributed, run_cross_validation
from ml.training.checkpoints import load_weights
from ml.training.memory import MicroBatch
from tests.ml.training.factory import make_study, tiny_config

pytestmark = pytest.mark.slow

SETTINGS: dict[str, Any] = {"arms": ("imaging", "fusion"), "epochs": 2, "micro_batch_size": 4}


def train_in_two_processes(manifest: Path, run_dir: Path, **settings: Any) -> list[str]:
    """Return what the run said, line by line."""
    config = manifest.parent / f"{run_dir.name}.json"
    config.write_text(tiny_config(**settings).model_dump_json())
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "ml"]
    command += ["train", str(manifest), "--run-dir", str(run_dir), "--config", str(config), "--device", "cpu"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == json.loads((run_dir / "metrics.json").read_text())
    return done.stderr.splitlines()


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("alone")
    manifest = make_study(folder / "study")
    run_cross_validation(manifest, folder / "run", tiny_config(**SETTINGS), device="cpu")
    return manifest, folder / "run"


def assert_same_within_rounding(run_dir: Path, other: Path) -> None:
    for name in ("oof.csv", "test.csv"):
        pd.testing.assert_frame_equal(pd.read_csv(run_dir / name), pd.read_csv(other / name), rtol=1e-5)
    for file in ModelCard.read(run_dir).weights:
        twin = next(each for each in ModelCard.read(other).weights if each.path == file.path)
        state, expected = (
            load_weights(folder / entry.path, entry.sha256).state for folder, entry in ((run_dir, file), (other, twin))
        )
        floats = [key for key in expected if expected[key].is_floating_point()]
        assert any(key.endswith("running_var") for key in floats)
        for key in floats:
            torch.testing.assert_close(state[key], expected[key], rtol=1e-4, atol=1e-5)


def test_two_processes_compute_what_one_does_with_batches_in_halves(alone: tuple[Path, Path], tmp_path: Path) -> None:
    manifest, expected = alone
    # Batches of 8 by default pass whole: 4 in each process.
    said = train_in_two_processes(manifest, tmp_path / "run", **SETTINGS | {"micro_batch_size": None})
    assert_same_within_rounding(tmp_path / "run", expected)
    epochs = Counter(line.partition("%")[2] for line in said if "  epoch " in line and "  train  " in line)
    assert len(epochs) == 8
    assert set(epochs.values()) == {1}


def test_two_processes_continue_what_one_began_though_one_has_nothing_to_do(
    alone: tuple[Path, Path], tmp_path: Path
) -> None:
    manifest, seen = alone[0], []
    # Each batch passes whole, so the second process has a part in measuring the normalization and in predicting only.
    settings = SETTINGS | {"micro_batch_size": 8, "exact_normalization": True}
    run_cross_validation(manifest, tmp_path / "alone", tiny_config(**settings), device="cpu")
    with pytest.raises(RunStoppedError):
        run_cross_validation(
            manifest,
            tmp_path / "run",
            tiny_config(**settings),
            seen.append,
            device="cpu",
            should_stop=lambda: sum(event.stage == "train" for event in seen) == 3,
        )
    said = train_in_two_processes(manifest, tmp_path / "run", **settings)
    assert sum("  train  " in line for line in said) == 8 - 3
    assert_same_within_rounding(tmp_path / "run", tmp_path / "alone")


def exchange(rank: int, folder: Path, port: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": 2, "MASTER_PORT": port}.items():
            patch.setenv(name, str(value))
        patch.setenv("MASTER_ADDR", "127.0.0.1")
        patch.setenv("TORCHELASTIC_RUN_ID", "test")
        with distributed.joined("cpu") as device:
            torch.save(
                {"device": device, "leads": distributed.leads(), **answers(rank)},
                folder / f"{rank}.pt",
            )


def refuse() -> None:
    raise MLError("other_run", "The run folder holds another run.")


def answers(rank: int) -> dict[str, Any]:
    tensors = [torch.full((2, 3), 1.0 + rank), torch.tensor(10.0 * rank)]
    distributed.add_up(tensors)
    memory = MicroBatch(8)

    def short_in_the_second() -> int:
        if rank == 1 and memory.size > 2:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return memory.size

    with pytest.raises(MLError) as caught:
        distributed.from_leader(refuse)
    return {
        "refusal": (caught.value.code, str(caught.value)),
        "sums": tensors,
        "any": (distributed.any_of(False), distributed.any_of(rank == 1)),
        "leader": distributed.from_leader(lambda: f"made by {rank}"),
        "size": memory.fit(short_in_the_second),
    }


def test_what_the_processes_tell_each_other(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    multiprocessing.spawn(exchange, (tmp_path, port), nprocs=2)
    first, second = (torch.load(tmp_path / f"{rank}.pt") for rank in (0, 1))
    assert (first.pop("leads"), second.pop("leads")) == (True, False)
    for answer in (first, second):
        assert torch.equal(answer["sums"][0], torch.full((2, 3), 3.0))
        assert float(answer["sums"][1]) == 10.0
        assert answer["any"] == (False, True)
        assert answer["leader"] == "made by 0"
        assert answer["refusal"] == ("other_run", "The run folder holds another run.")
        # Memory ran out in one of them, and both go on with what fits both.
        assert answer["size"] == 2
        assert answer["device"] == "cpu"


@pytest.mark.parametrize("device", ["cuda:1", "warp"])
def test_a_numbered_device_is_refused_under_torchrun(device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "test")
    with pytest.raises(MLError) as caught, distributed.joined(device):
        pass
    assert caught.value.code == "no_device"


def test_without_torchrun_nothing_is_joined() -> None:
    with distributed.joined("cpu") as device:
        assert device == "cpu"
        assert (distributed.rank(), distributed.size()) == (0, 1)
