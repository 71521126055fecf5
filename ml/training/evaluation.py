"""From the predictions of all cells to the figures: written as tables first, then computed from those tables."""

import io
import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

import pandas as pd

from ml.errors import MLError
from ml.training.config import Arm
from ml.training.files import write_text
from ml.training.manifest import Case
from ml.training.recalibration import ArmRecalibration, Recalibration
from ml.training.splits import CellKey

KEYS = ["id", "patient", "center", "fold", "label", "arm", "probability"]
Name = TypeVar("Name", bound=str)


class Predicted(Protocol):
    """What the evaluation wants of a trained model of one fold: P(poor outcome) by case id."""

    @property
    def held_out(self) -> Mapping[str, float]: ...
    @property
    def test(self) -> Mapping[str, float]: ...


def write_predictions(
    run_dir: Path, cases: Mapping[str, Case], results: Mapping[tuple[Name, int], Predicted], prefix: str = ""
) -> None:
    """Write ``oof.csv`` (each case predicted by the one model that never saw it) and ``test.csv`` (mean of the folds).

    ``results`` are by arm and fold (from 1); ``prefix`` comes before the file names. Columns: id, patient, center,
    fold (``oof.csv`` only), label, arm, probability of a poor outcome.
    """
    oof = [
        (*_who(cases[case]), fold, cases[case].label, arm, probability)
        for (arm, fold), result in results.items()
        for case, probability in result.held_out.items()
    ]
    write_text(run_dir / f"{prefix}oof.csv", _csv(oof, KEYS))
    test = []
    for arm in dict.fromkeys(arm for arm, _ in results):
        folds = [result.test for (of_arm, _), result in results.items() if of_arm == arm]
        for case in folds[0]:
            mean = math.fsum(fold[case] for fold in folds) / len(folds)
            test.append((*_who(cases[case]), cases[case].label, arm, mean))
    write_text(run_dir / f"{prefix}test.csv", _csv(test, [key for key in KEYS if key != "fold"]))


def write_network_predictions(
    run_dir: Path, cases: Mapping[str, Case], results: Mapping[CellKey, Predicted]
) -> dict[Arm, ArmRecalibration]:
    """Write ``oof.csv`` and ``test.csv`` of the networks, recalibrated, and return each arm's recalibration.

    ``results`` are by arm, outer and inner fold. A fold's own word, column ``raw``, is the mean of its inner networks.
    Column ``probability`` is what it comes to after :class:`Recalibration`: of a patient of the cross-validation by a
    line fitted to the patients of the other folds; of a patient of the test split, for whom ``raw`` is the mean of the
    folds, by the line of the model in use, which is fitted to all patients of the cross-validation.
    """
    folds: dict[Arm, dict[int, list[Predicted]]] = {}
    for (arm, fold, _inner), result in results.items():
        folds.setdefault(arm, {}).setdefault(fold, []).append(result)
    lines: dict[Arm, ArmRecalibration] = {}
    oof, test = [], []
    for arm, members in folds.items():
        own = _held_out(cases, arm, members)
        lines[arm] = ArmRecalibration.fit(own["label"], own["raw"], own["fold"])
        own["probability"] = lines[arm].apply_held_out(own["raw"], own["fold"])
        oof.append(own)
        test.append(_tested(cases, arm, members, lines[arm].line))
    write_text(run_dir / "oof.csv", pd.concat(oof)[[*KEYS, "raw"]].to_csv(index=False))
    write_text(run_dir / "test.csv", pd.concat(test).to_csv(index=False))
    return lines


def _held_out(cases: Mapping[str, Case], arm: Arm, members: Mapping[int, Sequence[Predicted]]) -> pd.DataFrame:
    rows = [
        (*_who(cases[case]), fold, cases[case].label, arm, raw)
        for fold, inner in members.items()
        for case, raw in _mean([member.held_out for member in inner]).items()
    ]
    return pd.DataFrame(rows, columns=pd.Index([*KEYS[:-1], "raw"]))


def _tested(
    cases: Mapping[str, Case], arm: Arm, members: Mapping[int, Sequence[Predicted]], line: Recalibration
) -> pd.DataFrame:
    raw = [_mean([member.test for member in inner]) for inner in members.values()]
    probability = _mean([dict(zip(fold, line.apply(list(fold.values())).tolist(), strict=True)) for fold in raw])
    rows = [
        (*_who(cases[case]), cases[case].label, arm, probability[case], value) for case, value in _mean(raw).items()
    ]
    return pd.DataFrame(rows, columns=pd.Index([*(key for key in KEYS if key != "fold"), "raw"]))


def _mean(parts: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {case: math.fsum(part[case] for part in parts) / len(parts) for case in parts[0]}


def read_predictions(run_dir: Path, prefix: str = "") -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read what :func:`write_predictions` wrote.

    Raises
    ------
    MLError
        ``no_predictions``: the folder holds no finished run.
    """
    return _read(run_dir / f"{prefix}oof.csv"), _read(run_dir / f"{prefix}test.csv")


def evaluate_run(run_dir: Path | str) -> dict[str, Any]:
    """Compute the figures of a run from its ``oof.csv`` and ``test.csv``.

    Returns
    -------
    dict
        ``arms``: see :func:`figures_of`; ``comparison``: for ``oof`` and ``test`` DeLong's paired test, fusion minus
        imaging, or None; ``comparisons``: for ``oof`` and ``test`` a list of that test for each two arms, the later
        one minus the earlier. A test that is not defined (no test split, one outcome only) is None or not listed.

    Raises
    ------
    MLError
        ``no_predictions``: the folder holds no finished run.
    """
    oof, test = read_predictions(Path(run_dir))
    arms = figures_of(oof, test)
    pairs = [(later, earlier) for earlier, later in itertools.combinations(arms, 2)]
    return {
        "arms": arms,
        "comparison": {
            "oof": compare(oof, "fusion", "imaging"),
            "test": compare(test, "fusion", "imaging"),
        },
        "comparisons": {"oof": compare_all(oof, pairs), "test": compare_all(test, pairs)},
    }


def figures_of(oof: pd.DataFrame, test: pd.DataFrame) -> dict[str, Any]:
    """Return the figures of each arm by its name.

    Each has ``oof`` and ``test`` (n, n_poor, auc, se, ci_delong, ci_exact) and ``folds`` (fold, n, n_poor, auc). A
    figure that is not defined (one outcome only, no test split) is None.
    """
    arms: dict[str, Any] = {}
    for arm in oof["arm"].drop_duplicates():
        own = oof[oof["arm"] == arm]
        folds = [{"fold": int(number), **_summary(part)} for number, part in own.groupby("fold")]
        arms[str(arm)] = {
            "oof": _summary(own),
            "test": _summary(test[test["arm"] == arm]),
            "folds": [{key: fold[key] for key in ("fold", "n", "n_poor", "auc")} for fold in folds],
        }
    return arms


def _who(case: Case) -> tuple[str, str, str]:
    return case.id, case.patient, case.center


def _csv(rows: Sequence[tuple[object, ...]], columns: list[str]) -> str:
    stream = io.StringIO()
    pd.DataFrame(rows, columns=pd.Index(columns)).to_csv(stream, index=False)
    return stream.getvalue()


def _read(path: Path) -> pd.DataFrame:
    try:
        return pd.read_csv(path, dtype={"id": str, "patient": str, "center": str, "arm": str})
    except (OSError, ValueError) as error:
        raise MLError(
            "no_predictions", "The folder holds no predictions; finish the training run first, or check the path."
        ) from error


def _summary(table: pd.DataFrame) -> dict[str, Any]:
    from ml.statistics import auc

    n_poor = int(table["label"].sum())
    summary: dict[str, Any] = {"n": len(table), "n_poor": n_poor}
    if n_poor in (0, len(table)):
        return summary | {"auc": None, "se": None, "ci_delong": None, "ci_exact": None}
    area = auc(table["label"], table["probability"])
    return summary | {
        "auc": area.value,
        "se": _finite(area.se),
        "ci_delong": _interval(area.ci_delong),
        "ci_exact": _interval(area.ci_exact),
    }


def compare_all(table: pd.DataFrame, pairs: Iterable[tuple[str, str]]) -> list[dict[str, Any]]:
    """Compare pairs of arms; those that cannot be compared are left out."""
    tests = (compare(table, a, b) for a, b in pairs)
    return [test for test in tests if test is not None]


def compare(table: pd.DataFrame, a: str, b: str) -> dict[str, Any] | None:
    """Return DeLong's paired test of the AUCs of two arms, a minus b, None where it is not defined.

    That is where an arm is not in the table, or fewer than two patients have one of the outcomes.
    """
    from ml.statistics import delong_test

    wide = table[table["arm"].isin((a, b))].pivot(index="id", columns="arm", values="probability")
    labels = table.drop_duplicates("id").set_index("id")["label"].loc[wide.index]
    enough = min(int(labels.sum()), int((1 - labels).sum())) >= 2
    if not {a, b} <= set(wide.columns) or not enough:
        return None
    test = delong_test(labels, wide[a], wide[b])
    return {
        "a": a,
        "b": b,
        "n": test.n,
        "n_poor": test.n_pos,
        "difference": test.difference,
        "z": _finite(test.z),
        "p": test.p,
        "ci": _interval(test.ci),
    }


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _interval(bounds: tuple[float, float]) -> list[float] | None:
    return [float(bounds[0]), float(bounds[1])] if all(map(math.isfinite, bounds)) else None
