"""The comparators of a run: same folds, same patients, and against pipelines of scikit-learn."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss, roc_auc_score
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from ml.comparators import methods, run, run_comparators
from ml.comparators.methods import CHOICES, COMPARATORS, choose, train
from ml.errors import MLError
from ml.hematoma import FEATURES
from ml.statistics import delong_test
from ml.training import TrainingConfig, read_manifest, write_manifest
from ml.training.model_card import ModelCard
from tests.ml.comparators.runs import cases_of, enrich, finish
from tests.ml.training.factory import make_study, tiny_config

pytestmark = pytest.mark.slow

NESTED = tiny_config(inner_folds=2)
PLAIN = tiny_config()
FILES = ("comparators_oof.csv", "comparators_test.csv", "comparators.json")
RECORD = ["logistic_regression", "random_forest", "perceptron"]
ALL = [*RECORD, "hematoma_forest", "ich_score", "func_score"]
Compared = tuple[Path, Path, TrainingConfig, dict[str, Any]]


@pytest.fixture(scope="module", autouse=True)
def few_trees() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(methods, "TREES", 60)
        yield


@pytest.fixture(scope="module", params=[PLAIN, NESTED], ids=["one inner fold", "two inner folds"])
def compared(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Compared:
    folder = tmp_path_factory.mktemp("compared")
    manifest = enrich(make_study(folder / "study", 80, record_tells=True), without=frozenset({3, 8, 9}))
    run_dir = finish(manifest, folder / "run", request.param)
    return manifest, run_dir, request.param, run_comparators(manifest, run_dir, request.param)


def test_every_patient_is_predicted_on_the_outer_folds_of_the_run(compared: Compared) -> None:
    _, run_dir, _, metrics = compared
    assert json.loads((run_dir / "comparators.json").read_text()) == metrics
    assert (list(metrics["arms"]), metrics["left_out"]) == (ALL, [])
    for name in ("oof.csv", "test.csv"):
        ours, nets = pd.read_csv(run_dir / f"comparators_{name}"), pd.read_csv(run_dir / name)
        keys = [column for column in nets.columns if column not in ("arm", "probability")]
        wanted = nets.loc[nets["arm"] == "imaging", keys].sort_values("id", ignore_index=True)
        assert list(ours["arm"].drop_duplicates()) == ALL
        for arm in ALL:
            own = ours[ours["arm"] == arm].sort_values("id", ignore_index=True)
            pd.testing.assert_frame_equal(own[keys], wanted)
            assert own["probability"].between(0, 1).all()
            figures = metrics["arms"][arm][name.removesuffix(".csv")]
            assert figures["auc"] == pytest.approx(roc_auc_score(own["label"], own["probability"]))
            assert figures["auc"] > 0.8  # record, hematoma and these scores tell


def test_logistic_regression_is_that_of_a_scikit_learn_pipeline(compared: Compared) -> None:
    manifest, run_dir, _, metrics = compared
    cases = cases_of(manifest)
    table = pd.DataFrame([case.clinical for case in cases.values()], index=pd.Index(cases))
    table["age"] = table["age"].astype(float)
    label = pd.Series({case.id: case.label for case in cases.values()})
    oof = pd.read_csv(run_dir / "comparators_oof.csv").query("arm == 'logistic_regression'").set_index("id")

    def encoder(fit: list[str]) -> Any:
        # Mean and SD are those of the known values, as the networks scale them.
        known = StandardScaler().fit(table.loc[fit, ["age"]].to_numpy())
        impute = SimpleImputer(add_indicator=True).set_params(strategy="median").fit(table.loc[fit, ["age"]].to_numpy())
        others = make_column_transformer(("passthrough", ["coma"]), (OneHotEncoder(), ["treatment"]))
        others.fit(table.loc[fit])

        def encode(ids: list[str]) -> Any:
            age = impute.transform(table.loc[ids, ["age"]].to_numpy())
            return np.hstack([known.transform(age[:, :1]), age[:, 1:], others.transform(table.loc[ids])])

        return encode

    def brier(c: float, fold: dict[str, list[str]]) -> float:
        encode = encoder(fold["fit"])
        model = LogisticRegression(C=c, max_iter=1000).fit(encode(fold["fit"]), label[fold["fit"]])
        return brier_score_loss(label[fold["validation"]], model.predict_proba(encode(fold["validation"]))[:, 1])

    for number, inner in outer_folds(run_dir).items():
        best = min(
            (settings["C"] for settings in CHOICES["logistic_regression"]),
            key=lambda c, inner=inner: np.mean([brier(c, fold) for fold in inner]),
        )
        assert metrics["arms"]["logistic_regression"]["folds"][number - 1]["settings"] == {"C": best}
        known, held_out = inner[0]["fit"] + inner[0]["validation"], inner[0]["held_out"]
        encode = encoder(known)
        model = LogisticRegression(C=best, max_iter=1000).fit(encode(known), label[known])
        np.testing.assert_allclose(
            oof.loc[held_out, "probability"], model.predict_proba(encode(held_out))[:, 1], atol=1e-4
        )


def test_the_forest_of_hematomas_is_that_of_scikit_learn(compared: Compared) -> None:
    """A hematoma that was not measured gets the medians of those who are learned from."""
    manifest, run_dir, config, metrics = compared
    cases = cases_of(manifest)
    table = pd.DataFrame([case.hematoma or {} for case in cases.values()], index=pd.Index(cases))[list(FEATURES)]
    assert table.isna().all(axis=1).sum() == 3
    label = pd.Series({case.id: case.label for case in cases.values()})
    oof = pd.read_csv(run_dir / "comparators_oof.csv").query("arm == 'hematoma_forest'").set_index("id")
    for number, inner in outer_folds(run_dir).items():
        known, held_out = inner[0]["fit"] + inner[0]["validation"], inner[0]["held_out"]
        medians = table.loc[known].median()
        leaf = metrics["arms"]["hematoma_forest"]["folds"][number - 1]["settings"]["min_samples_leaf"]
        model = RandomForestClassifier(methods.TREES, min_samples_leaf=leaf, random_state=config.seed + number)
        model.fit(table.loc[known].fillna(medians).to_numpy(), label[known])
        expected = model.predict_proba(table.loc[held_out].fillna(medians).to_numpy())[:, 1]
        np.testing.assert_allclose(oof.loc[held_out, "probability"], expected, atol=1e-12)


def test_scores_are_their_points(compared: Compared) -> None:
    manifest, run_dir, _, metrics = compared
    cases = cases_of(manifest)
    tables = [pd.read_csv(run_dir / f"comparators_{name}.csv") for name in ("oof", "test")]
    told = pd.concat(tables).set_index(["arm", "id"])["probability"]
    for case in cases.values():
        ich, func = case.scores["ich_score"], case.scores["func_score"]
        assert ich is not None and func is not None
        assert told["ich_score", case.id] == pytest.approx(ich / 6)
        assert told["func_score", case.id] == pytest.approx(1 - func / 11), "a higher FUNC score is better"
    own = [cases[case] for case in tables[0].query("arm == 'ich_score'")["id"]]
    area = roc_auc_score([case.label for case in own], [case.scores["ich_score"] for case in own])
    assert metrics["arms"]["ich_score"]["oof"]["auc"] == pytest.approx(area)


def test_each_network_is_tested_against_each_comparator(compared: Compared) -> None:
    _, run_dir, _, metrics = compared
    pairs = [(net, name) for net in ("imaging", "fusion") for name in ALL]
    for part in ("oof", "test"):
        assert [(test["a"], test["b"]) for test in metrics["comparisons"][part]] == pairs
    nets = pd.read_csv(run_dir / "oof.csv").query("arm == 'imaging'").sort_values("id")
    table = pd.read_csv(run_dir / "comparators_oof.csv")
    for name in ("random_forest", "ich_score"):
        ours = table.query("arm == @name").sort_values("id")
        expected = delong_test(nets["label"].to_numpy(), nets["probability"].to_numpy(), ours["probability"].to_numpy())
        found = next(test for test in metrics["comparisons"]["oof"] if (test["a"], test["b"]) == ("imaging", name))
        assert (found["difference"], found["p"]) == pytest.approx((expected.difference, expected.p))


def test_again_is_the_same_to_the_last_digit(compared: Compared) -> None:
    manifest, run_dir, config, metrics = compared
    before = [(run_dir / name).read_bytes() for name in FILES]
    (run_dir / run.RESULT).unlink()  # as a worker leaves it that is killed before the end
    assert run_comparators(manifest, run_dir, config) == metrics
    assert [(run_dir / name).read_bytes() for name in FILES] == before


def test_what_was_compared_is_not_trained_again(compared: Compared, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest, run_dir, config, metrics = compared

    def fail(*args: Any) -> Any:
        raise AssertionError("trained again")

    monkeypatch.setattr(run, "choose", fail)
    assert run_comparators(manifest, run_dir, config) == metrics


def test_the_comparison_of_another_model_is_not_taken(compared: Compared) -> None:
    manifest, run_dir, config, metrics = compared
    (run_dir / run.RESULT).write_text(json.dumps({"arms": {}, "model": "0" * 64}))
    assert run_comparators(manifest, run_dir, config) == metrics


def test_what_the_cases_do_not_have_is_left_out(tmp_path: Path) -> None:
    manifest = make_study(tmp_path / "study", 40)
    metrics = run_comparators(manifest, finish(manifest, tmp_path / "run", PLAIN), PLAIN)
    assert (list(metrics["arms"]), metrics["left_out"]) == (RECORD, [])

    blank = read_manifest(manifest)
    cases = tuple(case.model_copy(update={"clinical": {}}) for case in blank.cases)
    write_manifest(blank.model_copy(update={"features": (), "cases": cases}), manifest)
    metrics = run_comparators(manifest, finish(manifest, tmp_path / "other", PLAIN), PLAIN)
    assert metrics.pop("model") == ModelCard.read(tmp_path / "other").digest
    assert metrics == {"arms": {}, "comparisons": {"oof": [], "test": []}, "left_out": []}


def test_points_off_their_scale_are_no_score(tmp_path: Path) -> None:
    manifest = enrich(make_study(tmp_path / "study", 40))
    content = json.loads(manifest.read_text())
    content["cases"][0]["scores"]["ich_score"] = 7
    manifest.write_text(json.dumps(content))
    metrics = run_comparators(manifest, finish(manifest, tmp_path / "run", PLAIN), PLAIN)
    assert [name for name in ALL if name not in metrics["arms"]] == ["ich_score"]


def test_what_cannot_be_trained_is_left_out_and_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = enrich(make_study(tmp_path / "study", 40))
    run_dir, calls = finish(manifest, tmp_path / "run", PLAIN), []

    def fail_on_second_fold(name: Any, *args: Any) -> Any:
        calls.append(name)
        if name == "perceptron" and calls.count(name) == 2:
            raise ValueError("planted")
        return train(name, *args)

    monkeypatch.setattr(run, "train", fail_on_second_fold)
    metrics = run_comparators(manifest, run_dir, PLAIN)
    assert metrics["left_out"] == ["perceptron"]
    assert list(metrics["arms"]) == [name for name in ALL if name != "perceptron"]


def test_one_outcome_cannot_be_learned_from() -> None:
    part = np.zeros((4, 2)), np.ones(4, dtype=np.int64)
    for name in COMPARATORS:
        with pytest.raises(MLError) as caught:
            choose(name, [(part, part)], seed=1)
        assert caught.value.code == "one_outcome"


@pytest.mark.parametrize("name", RECORD)
def test_the_settings_of_the_lowest_mean_brier_score_are_chosen(name: Any) -> None:
    rng = np.random.default_rng(4)
    x, y = rng.normal(size=(90, 5)), np.arange(90) % 2
    x[:, 0] += y
    fit, judges, contrary = (x[:40], y[:40]), (x[40:60], y[40:60]), (x[40:60], 1 - y[40:60])
    settings = choose(name, [(fit, judges)], seed=1)
    assert settings in CHOICES[name]
    assert roc_auc_score(y[60:], train(name, settings, fit, 1).predict_proba(x[60:])[:, 1]) > 0.6
    # Where the validation patients contradict the others, the strongest restraint is the least wrong.
    strongest = {"logistic_regression": {"C": 0.01}, "perceptron": {"alpha": 100.0}}
    assert choose(name, [(fit, contrary)], seed=1) == strongest.get(name, {"min_samples_leaf": 20})

    def mean_brier(settings: Any) -> float:
        told = train(name, settings, fit, 1).predict_proba(x[40:60])[:, 1]
        return float(np.mean([brier_score_loss(labels, told) for _, labels in (judges, judges, contrary)]))

    chosen = choose(name, [(fit, judges), (fit, judges), (fit, contrary)], seed=1)
    assert mean_brier(chosen) == min(map(mean_brier, CHOICES[name]))


def test_another_configuration_or_other_cases_are_refused(tmp_path: Path) -> None:
    manifest = make_study(tmp_path / "study", 40)
    run_dir = finish(manifest, tmp_path / "run", PLAIN)
    with pytest.raises(MLError) as caught:
        run_comparators(manifest, run_dir, tiny_config(without=("coma",)))
    assert caught.value.code == "other_run"
    with pytest.raises(MLError) as caught:
        run_comparators(make_study(tmp_path / "other", 44), run_dir, PLAIN)
    assert caught.value.code == "other_run"
    with pytest.raises(MLError) as caught:
        run_comparators(manifest, tmp_path, PLAIN)
    assert caught.value.code == "no_model"


def outer_folds(run_dir: Path) -> dict[int, list[dict[str, list[str]]]]:
    """The inner folds of each outer fold, from the file of splits."""
    outer: dict[int, list[dict[str, list[str]]]] = {}
    for fold in json.loads((run_dir / "splits.json").read_text())["folds"]:
        outer.setdefault(fold["number"], []).append(fold)
    return outer
