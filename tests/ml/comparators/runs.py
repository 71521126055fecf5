"""A finished run as its folder tells it, without the hours: splits, a model card, and predictions out of a hat."""

from pathlib import Path

import numpy as np

from ml.hematoma import FEATURES
from ml.training import ModelCard, TrainingConfig, read_manifest, write_manifest
from ml.training.evaluation import write_predictions
from ml.training.manifest import Case
from ml.training.splits import load_or_make_splits


class _Told:
    def __init__(self, held_out: dict[str, float], test: dict[str, float]) -> None:
        self.held_out, self.test = held_out, test


def finish(manifest_path: Path, run_dir: Path, config: TrainingConfig) -> Path:
    """Write what the comparators read of a run."""
    manifest = read_manifest(manifest_path)
    run_dir.mkdir(parents=True)
    ModelCard(
        features=manifest.features_without(config.without),
        config=config,
        snapshot_digest=manifest.snapshot_digest,
        manifest_digest=manifest.digest(),
        preprocessing_version="1",
        code_version="1",
        torch_version="1",
        weights=(),
    ).write(run_dir)
    splits = load_or_make_splits(run_dir / "splits.json", manifest.cases, config)
    rng = np.random.default_rng(7)
    results = {
        (arm, number): _Told(
            *({case: float(rng.uniform()) for case in ids} for ids in (inner[0].held_out, splits.test))
        )
        for arm in config.arms
        for number, inner in splits.outer.items()
    }
    write_predictions(run_dir, {case.id: case for case in manifest.cases}, results)
    return run_dir


def enrich(path: Path, *, without: frozenset[int] = frozenset()) -> Path:
    """Give the cases hematomas that tell the outcome by their volume, but for those ``without``, and some scores.

    The ICH score tells the outcome; the FUNC score, where less is worse, as well; the max-ICH score is unknown for one
    case, and the ICH-GS for all.
    """
    manifest, rng = read_manifest(path), np.random.default_rng(11)
    cases = []
    for number, case in enumerate(manifest.cases):
        hematoma = {name: float(rng.normal()) for name in FEATURES} | {"volume_ml": case.label + rng.normal(0, 0.3)}
        scores = {
            "ich_score": 2 * case.label + int(rng.integers(0, 3)),
            "func_score": 9 - 5 * case.label - int(rng.integers(0, 4)),
            "max_ich": None if number == 5 else int(rng.integers(0, 10)),
            "ich_gs": None,
        }
        cases.append(case.model_copy(update={"hematoma": None if number in without else hematoma, "scores": scores}))
    write_manifest(manifest.model_copy(update={"cases": tuple(cases)}), path)
    return path


def cases_of(path: Path) -> dict[str, Case]:
    """The cases of a manifest by id."""
    return {case.id: case for case in read_manifest(path).cases}
