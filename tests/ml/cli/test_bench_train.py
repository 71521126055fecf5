"""The measurement of training steps: both loops run, and the ratio is that of the figures beside it."""

import argparse
import json

import pytest
import torch

from ml.cli import bench_train


@pytest.mark.slow
def test_small_comparison_runs_on_the_cpu(capsys: pytest.CaptureFixture[str]) -> None:
    parser = argparse.ArgumentParser()
    bench_train.add_arguments(parser)
    threads = torch.get_num_threads()
    try:
        bench_train.run(parser.parse_args(["--small", "--device", "cpu"]))
    finally:
        torch.set_num_threads(threads)
    said = json.loads(capsys.readouterr().out)
    rates = said["volumes_per_second"]
    assert (said["shape"], said["batch"], said["device"]) == ("32x32x32", 4, "CPU")
    assert said["ratio"] == pytest.approx(rates["ichor"] / rates["monai"], rel=0.01)


def test_volumes_per_second_are_those_of_the_best_round(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    lengths = {"a": iter([9.0, 4.0, 2.0, 8.0]), "b": iter([9.0, 5.0, 5.0, 5.0])}

    def loop(name: str) -> None:
        nonlocal now
        now += next(lengths[name])

    monkeypatch.setattr("time.perf_counter", lambda: now)
    rates = bench_train.measure(
        {"a": lambda steps: loop("a"), "b": lambda steps: loop("b")}, steps=3, batch=10, device=torch.device("cpu")
    )
    assert rates == {"a": 30 / 2, "b": 30 / 5}
