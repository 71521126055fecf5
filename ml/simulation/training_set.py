"""A simulated study ready for training: preprocessed images, the manifest with clinical scores, and the truth."""

import hashlib
import random
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ml.errors import MLError
from ml.simulation.cohort import SimulatedStudy
from ml.simulation.cohort_pool import ich_gs_scores, ich_scores
from ml.simulation.patient_phantom import phantom_of
from ml.simulation.phantom import simulate_ct
from ml.simulation.phantom_spec import PhantomSpec, SpacingPattern
from ml.training.config import AugmentationConfig, BackboneConfig, TrainingConfig
from ml.training.manifest import Case, Feature, Manifest, write_manifest

_YES_NO = (
    "headache", "emesis", "coma", "ivh", "history_hemorrhagic_stroke", "history_ischemic_stroke", "hypertension",
    "diabetes_mellitus", "hyperlipidemia", "coronary_heart_disease", "heart_failure", "arrhythmia",
    "anticoagulant_therapy", "antiplatelet_therapy", "smoking", "alcohol",
)  # fmt: skip
FEATURES = (
    Feature(name="age", kind="numeric", unit="years"),
    Feature(name="sex", kind="categorical", levels=("male", "female")),
    Feature(name="gcs", kind="numeric"),
    *(Feature(name=name, kind="binary") for name in _YES_NO),
    Feature(name="systolic_bp", kind="numeric", unit="mmHg"),
    Feature(name="diastolic_bp", kind="numeric", unit="mmHg"),
    Feature(name="treatment", kind="categorical", levels=("cmt", "cc", "mia")),
)
"""The 22 features of the published fusion model, in its order (doi 10.1016/j.ejrad.2023.111081)."""

CONFIG = TrainingConfig(
    image_shape=(32, 48, 48),
    test_fraction=0,
    epochs=16,
    patience=16,
    batch_size=16,
    learning_rate=2e-3,
    exact_normalization=True,
    backbone=BackboneConfig(init_features=16, growth_rate=12, block_config=(3, 3, 3)),
    augmentation=AugmentationConfig(flip_probability=0.5, crop_fraction=0.95, rotation_degrees=5),
)
"""A small network on small images, which one core trains on a thousand patients in about half an hour."""

COARSE_MATRIX = 128
_LARGEST = (80, 192, 192)
"""Voxels of a preprocessed image."""


def write_training_set(
    folder: Path, study: SimulatedStudy, *, seed: int, shape: tuple[int, int, int], report: Callable[[int], None]
) -> Path:
    """Write what ``ml.training`` and the evaluation of its runs read, and return the manifest's path.

    ``images/<case>.npy`` (float16, `shape` (z, y, x), values 0..1: each patient's CT drawn with 128 x 128 pixels,
    preprocessed like a real one, then resampled), ``manifest.json`` (with ICH score and ICH-GS of every case),
    ``config.json`` (`CONFIG`, a training that a CPU can do) and ``truth.csv`` (``id`` of the case, `TRUTH_COLUMNS`).
    Training reads all but the last, and nothing else knows of the truth.

    Parameters
    ----------
    folder
        An existing folder.
    seed
        0 or more; a patient's CT depends on it and on his row and number alone.
    report
        Gets the number of patients done.

    Raises
    ------
    MLError
        ``bad_number``: a side of `shape` is shorter than that of `CONFIG`, or longer than a preprocessed image's; else
        as ``simulate_ct`` and ``ml.preprocessing.preprocess``.
    """
    limits = zip(CONFIG.image_shape, shape, _LARGEST, strict=True)
    if any(not least <= side <= most for least, side, most in limits):
        raise MLError(
            "bad_number", f"Images for training need sides from {CONFIG.image_shape} to {_LARGEST} voxels (z, y, x)."
        )
    (folder / "images").mkdir()
    cases = []
    forms = study.forms.assign(ich_score=ich_scores(study.forms), ich_gs=ich_gs_scores(study.forms))
    rows = zip(forms.to_dict("records"), study.truth["imaging_severity"], strict=True)
    for number, (patient, severity) in enumerate(rows):
        name = case_name(number)
        path = folder / "images" / f"{name}.npy"
        np.save(path, _image(patient, float(severity), patient_draw(seed, number), shape))
        cases.append(_case(name, patient, path))
        report(number + 1)
    names = pd.Index([case.id for case in cases], name="id")
    study.truth.set_axis(names).to_csv(folder / "truth.csv")
    (folder / "config.json").write_text(CONFIG.model_dump_json(indent=1), encoding="utf-8")
    digest = hashlib.sha256("".join(case.image_sha256 for case in cases).encode()).hexdigest()
    manifest = folder / "manifest.json"
    write_manifest(Manifest(snapshot_digest=digest, features=FEATURES, cases=tuple(cases)), manifest)
    return manifest


def case_name(number: int) -> str:
    """Return the name under which everything of a simulated patient is filed."""
    return f"{number:05d}"


def patient_draw(seed: int, number: int) -> random.Random:
    """Return a patient's own source of chance, so that the first K are the same however many there are."""
    return random.Random(f"{seed}/{number}")


def scanned(spec: PhantomSpec, draw: random.Random) -> PhantomSpec:
    """Return the head on one of several scanners, as chance has it."""
    return replace(
        spec,
        calcification=draw.random() < 0.3,
        gantry_tilt_degrees=draw.choice((0.0, 0.0, 8.0, 15.0, 18.5)),
        spacing=draw.choice(list(SpacingPattern)),
        descending=draw.random() < 0.5,
    )


def _image(
    patient: Mapping[Any, Any], severity: float, draw: random.Random, shape: tuple[int, int, int]
) -> NDArray[np.float16]:
    from ml.preprocessing import preprocess, resize
    from ml.volumes import read_series

    spec = replace(scanned(phantom_of(patient, severity), draw), rows=COARSE_MATRIX, columns=COARSE_MATRIX)
    with tempfile.TemporaryDirectory(prefix="ichor-phantom-") as name:
        simulate_ct(name, spec=spec, seed=draw.getrandbits(31))
        volume = read_series(sorted(Path(name).iterdir()))
    return resize(preprocess(volume).image, shape).astype(np.float16)


def _case(name: str, patient: Mapping[Any, Any], path: Path) -> Case:
    return Case(
        id=name,
        patient=name,
        center=patient["center"],
        label=int(patient["poor_outcome"]),
        image=f"images/{path.name}",
        image_sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        clinical={feature.name: patient[feature.name] for feature in FEATURES},
        scores={score: int(patient[score]) for score in ("ich_score", "ich_gs")},
    )
