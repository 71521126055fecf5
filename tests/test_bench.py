"""The benchmarks are run by hand; what they make by the library's own classes must follow those."""

from pathlib import Path

import pytest

from tests.bench.prediction import write_model


@pytest.mark.slow
def test_the_model_of_the_bench_is_one_that_can_be_loaded(tmp_path: Path) -> None:
    from ml.inference import load_model

    write_model(tmp_path)
    assert load_model(tmp_path).arms == ("imaging",)
