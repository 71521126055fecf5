"""What the simulation hands to training: real images, real scores, and nothing of the truth."""

import hashlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ml.errors import MLError
from ml.scores import SCORES
from ml.simulation import TRUTH_COLUMNS, SimulatedStudy, phantom_of, simulate_study
from ml.simulation.training_set import FEATURES, write_training_set
from ml.training import Manifest, read_config, read_manifest

pytestmark = pytest.mark.slow

SHAPE = (32, 48, 50)
N = 4


@pytest.fixture(scope="module")
def study() -> SimulatedStudy:
    return simulate_study(N, seed=2)


@pytest.fixture(scope="module")
def written(study: SimulatedStudy, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[int]]:
    folder, seen = tmp_path_factory.mktemp("set"), []
    path = write_training_set(folder, study, seed=2, shape=SHAPE, report=seen.append)
    assert path == folder / "manifest.json"
    return folder, seen


@pytest.fixture(scope="module")
def manifest(written: tuple[Path, list[int]]) -> Manifest:
    return read_manifest(written[0] / "manifest.json")


def test_every_patient_is_a_case_with_his_form(manifest: Manifest, study: SimulatedStudy) -> None:
    for case, row in zip(manifest.cases, study.forms.to_dict("records"), strict=True):
        assert case.label == row["poor_outcome"]
        assert case.center == row["center"]
        assert case.clinical == {name: row[name] for name in case.clinical}
        assert set(case.clinical) == {feature.name for feature in FEATURES}
        inputs = {"age": row["age"], "gcs": row["gcs"], "ivh": row["ivh"], "volume_ml": row["hematoma_volume_ml"]}
        inputs["infratentorial"] = row["location"] == "infratentorial"
        assert case.scores == {name: SCORES[name].compute(inputs).value for name in ("ich_score", "ich_gs")}
    assert len({case.patient for case in manifest.cases}) == N
    assert len(FEATURES) == 22


def test_images_are_those_that_the_manifest_names(written: tuple[Path, list[int]], manifest: Manifest) -> None:
    folder, seen = written
    assert seen == [1, 2, 3, 4]
    for case in manifest.cases:
        path = folder / case.image
        assert hashlib.sha256(path.read_bytes()).hexdigest() == case.image_sha256
        image = np.load(path)
        assert (image.shape, image.dtype) == (SHAPE, np.float16)
        assert image.min() >= 0
        assert image.max() <= 1
        assert 0.2 < image[image > 0.05].mean() < 0.6, "brain in a window from 0 to 90 HU"


def test_the_truth_stands_in_its_own_file_alone(written: tuple[Path, list[int]], study: SimulatedStudy) -> None:
    folder, _ = written
    assert {path.name for path in folder.iterdir()} == {"images", "manifest.json", "config.json", "truth.csv"}
    truth = pd.read_csv(folder / "truth.csv", dtype={"id": str}, index_col="id")
    np.testing.assert_allclose(truth.to_numpy(), study.truth.to_numpy(), rtol=1e-12)
    text = (folder / "manifest.json").read_text() + (folder / "config.json").read_text()
    for name in TRUTH_COLUMNS:
        assert name not in text
    for value in study.truth.to_numpy().ravel():
        assert repr(float(value)) not in text


def test_severity_is_seen_in_the_image(study: SimulatedStudy, tmp_path: Path) -> None:
    """The same patient and the same chance, twice: only the severity differs, and the edema darkens the brain."""
    forms = pd.concat([study.forms.iloc[[0]]] * 2, ignore_index=True).assign(
        hematoma_volume_ml=40.0, bleed_site="basal_ganglia", bleed_side="left", location="supratentorial", ivh=False
    )
    means = []
    for number, severity in enumerate((-2.0, 2.0)):
        folder = tmp_path / f"{number}"
        folder.mkdir()
        one = SimulatedStudy(forms.iloc[[0]], study.truth.iloc[[0]].assign(imaging_severity=severity))
        write_training_set(folder, one, seed=9, shape=SHAPE, report=lambda done: None)
        image = np.load(folder / "images" / "00000.npy").astype(float)
        means.append(image[image > 0.05].mean())
    assert means[1] < means[0] - 0.01
    assert phantom_of(forms.iloc[0], 2.0).edema > phantom_of(forms.iloc[0], -2.0).edema


def test_the_configuration_can_be_read_and_fits_the_images(written: tuple[Path, list[int]]) -> None:
    config = read_config(written[0] / "config.json")
    assert all(side <= given for side, given in zip(config.image_shape, SHAPE, strict=True))
    assert set(config.arms) == {"imaging", "fusion"}


@pytest.mark.parametrize("shape", [(8, 64, 64), (48, 64, 193)])
def test_images_too_small_or_too_large_are_refused_at_once(
    study: SimulatedStudy, tmp_path: Path, shape: tuple[int, int, int]
) -> None:
    with pytest.raises(MLError) as refused:
        write_training_set(tmp_path, study, seed=2, shape=shape, report=lambda done: None)
    assert refused.value.code == "bad_number"
    assert not list(tmp_path.iterdir())


def test_the_same_seed_gives_the_same_images(study: SimulatedStudy, manifest: Manifest, tmp_path: Path) -> None:
    first = SimulatedStudy(study.forms.head(1), study.truth.head(1))
    for seed, same in ((2, True), (3, False)):
        folder = tmp_path / f"{seed}"
        folder.mkdir()
        again = read_manifest(write_training_set(folder, first, seed=seed, shape=SHAPE, report=lambda done: None))
        assert (again.cases[0].image_sha256 == manifest.cases[0].image_sha256) is same
