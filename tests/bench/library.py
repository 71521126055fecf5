"""ml/ against the libraries that one would otherwise take."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import SimpleITK as sitk  # noqa: N813
from pydicom import dcmread
from sklearn.metrics import roc_auc_score

from ml.preprocessing import preprocess
from ml.simulation import PhantomSpec, simulate_ct
from ml.statistics import auc, delong_test
from ml.volumes import read_series
from ml.volumes.report import report_series
from tests.bench.table import Peer, median_seconds, show

N = 2000
R_TIMES = """
suppressMessages(library(pROC))
d <- read.csv(commandArgs(TRUE)[1])
t <- replicate(9, system.time({
  a <- roc(d$y, d$a, levels=c(0,1), direction="<"); b <- roc(d$y, d$b, levels=c(0,1), direction="<")
  roc.test(a, b, method="delong", paired=TRUE)
})["elapsed"])
cat(median(t))
"""


def run() -> None:
    statistics()
    volumes()


def statistics() -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, N)
    a, b = y + rng.normal(size=N), y + 2 * rng.normal(size=N)
    sklearn = median_seconds(lambda: roc_auc_score(y, a), 50)
    show(
        f"auc with DeLong interval, n = {N}",
        median_seconds(lambda: auc(y, a), 50),
        peer=Peer("scikit-learn (no CI)", sklearn),
    )
    ours = median_seconds(lambda: delong_test(y, a, b), 50)
    show(f"paired DeLong test, n = {N}", ours, peer=_proc(y, a, b))


def _proc(y: np.ndarray, a: np.ndarray, b: np.ndarray) -> Peer | None:
    if shutil.which("Rscript") is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data.csv"
        np.savetxt(data, np.column_stack([y, a, b]), delimiter=",", header="y,a,b", comments="")
        script = Path(folder) / "time.R"
        script.write_text(R_TIMES)
        done = subprocess.run(["Rscript", str(script), str(data)], capture_output=True, text=True, check=True)
    return Peer("pROC", float(done.stdout.split()[-1]))


def volumes() -> None:
    with tempfile.TemporaryDirectory() as folder:
        simulate_ct(folder, spec=PhantomSpec(volume_ml=30.0, gantry_tilt_degrees=18.0), seed=1)
        files = sorted(Path(folder).iterdir())

        def with_itk() -> object:
            reader = sitk.ImageSeriesReader()
            reader.SetFileNames(reader.GetGDCMSeriesFileNames(folder))
            return sitk.GetArrayFromImage(reader.Execute())

        peer = Peer("SimpleITK", median_seconds(with_itk, 5))
        show(f"read a series, {len(files)} x 512 x 512", median_seconds(lambda: read_series(files), 5), peer=peer)
        headers = [dcmread(file, stop_before_pixels=True) for file in files]
        show(f"report on the headers of {len(files)} slices", median_seconds(lambda: report_series(headers), 20))
        volume = read_series(files)
        show(f"preprocess, {len(files)} x 512 x 512", median_seconds(lambda: preprocess(volume), 5, warm=1))
