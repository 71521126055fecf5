"""The comparators of a run: same folds, same patients, and against a pipeline of scikit-learn."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss, roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from ml.comparators import run_comparators
from ml.comparators.methods import CHOICES, COMPARATORS, choose
from ml.errors import MLError
from ml.statistics import delong_test
from ml.training import read_manifest, run_cross_validation
from tests.ml.training.factory import make_study, tiny_config

pytestmark = pytest.mark.slow

CONFIG = tiny_config(epochs=1)
FILES = ("comparators_oof.csv", "comparators_test.csv", "comparators.json")


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, dict[str, Any]]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("compared")
    manifest = make_study(folder / "study", 80, record_tells=True)
    run_cross_validation(manifest, folder / "run", CONFIG, device="cpu")
    torch.set_num_threads(threads)
    return manifest, folder / "run", run_comparators(manifest, folder / "run", CONFIG)


def test_every_patient_is_predicted_on_the_folds_of_the_run(compared: tuple[Path, Path, dict[str, Any]]) -> None:
    _, run_dir, metrics = compared
    assert json.loads((run_dir / "comparators.json").read_text()) == metrics
    for name in ("oof.csv", "test.csv"):
        ours, nets = pd.read_csv(run_dir / f"comparators_{name}"), pd.read_csv(run_dir / name)
        assert list(ours.columns) == list(nets.columns)
        keys = [column for column in nets.columns if column not in ("arm", "probability")]
        wanted = nets.loc[nets["arm"] == "imaging", keys].sort_values("id", ignore_index=True)
        assert list(ours["arm"].drop_duplicates()) == list(COMPARATORS)
        for arm in COMPARATORS:
            own = ours[ours["arm"] == arm].sort_values("id", ignore_index=True)
            pd.testing.assert_frame_equal(own[keys], wanted)
            assert own["probability"].between(0, 1).all()
            figures = metrics["arms"][arm][name.removesuffix(".csv")]
            assert figures["auc"] == pytest.approx(roc_auc_score(own["label"], own["probability"]))
            assert figures["auc"] > 0.9  # the record tells


def test_logistic_regression_is_that_of_a_scikit_learn_pipeline(compared: tuple[Path, Path, dict[str, Any]]) -> None:
    manifest, run_dir, metrics = compared
    cases = {case.id: case for case in read_manifest(manifest).cases}
    table = pd.DataFrame([case.clinical for case in cases.values()], index=pd.Index(cases))
    table["age"] = table["age"].astype(float)
    label = pd.Series({case.id: case.label for case in cases.values()})
    oof = pd.read_csv(run_dir / "comparators_oof.csv").query("arm == 'logistic_regression'").set_index("id")
    for number, fold in enumerate(json.loads((run_dir / "splits.json").read_text())["folds"], start=1):
        fit, validation, both = fold["fit"], fold["validation"], fold["fit"] + fold["validation"]
        # Mean and SD are those of the known values, as the networks scale them.
        known = StandardScaler().fit(table.loc[fit, ["age"]].to_numpy())
        impute = SimpleImputer(add_indicator=True).set_params(strategy="median").fit(table.loc[fit, ["age"]].to_numpy())
        others = make_column_transformer(("passthrough", ["coma"]), (OneHotEncoder(), ["treatment"]))
        others.fit(table.loc[fit])

        def encode(ids: list[str], known: Any = known, impute: Any = impute, others: Any = others) -> Any:
            age = impute.transform(table.loc[ids, ["age"]].to_numpy())
            return np.hstack([known.transform(age[:, :1]), age[:, 1:], others.transform(table.loc[ids])])

        def brier(c: float, fit: Any = fit, validation: Any = validation, encode: Any = encode) -> float:
            model = LogisticRegression(C=c, max_iter=1000).fit(encode(fit), label[fit])
            return brier_score_loss(label[validation], model.predict_proba(encode(validation))[:, 1])

        best = min((settings["C"] for settings in CHOICES["logistic_regression"]), key=brier)
        assert metrics["arms"]["logistic_regression"]["folds"][number - 1]["settings"] == {"C": best}
        model = make_pipeline(LogisticRegression(C=best, max_iter=1000)).fit(encode(both), label[both])
        held_out = fold["held_out"]
        np.testing.assert_allclose(
            oof.loc[held_out, "probability"], model.predict_proba(encode(held_out))[:, 1], atol=1e-4
        )


def test_each_network_is_tested_against_each_comparator(compared: tuple[Path, Path, dict[str, Any]]) -> None:
    _, run_dir, metrics = compared
    pairs = [(net, name) for net in ("imaging", "fusion") for name in COMPARATORS]
    for part in ("oof", "test"):
        assert [(test["a"], test["b"]) for test in metrics["comparisons"][part]] == pairs
    nets = pd.read_csv(run_dir / "oof.csv").query("arm == 'imaging'").sort_values("id")
    ours = pd.read_csv(run_dir / "comparators_oof.csv").query("arm == 'random_forest'").sort_values("id")
    expected = delong_test(nets["label"].to_numpy(), nets["probability"].to_numpy(), ours["probability"].to_numpy())
    found = metrics["comparisons"]["oof"][1]
    assert (found["difference"], found["p"]) == pytest.approx((expected.difference, expected.p))


def test_again_is_the_same_to_the_last_digit(compared: tuple[Path, Path, dict[str, Any]]) -> None:
    manifest, run_dir, metrics = compared
    before = [(run_dir / name).read_bytes() for name in FILES]
    assert run_comparators(manifest, run_dir, CONFIG) == metrics
    assert [(run_dir / name).read_bytes() for name in FILES] == before


@pytest.mark.parametrize("name", COMPARATORS)
def test_the_settings_of_the_lowest_brier_score_are_chosen(name: Any) -> None:
    rng = np.random.default_rng(4)
    x, y = rng.normal(size=(90, 5)), np.arange(90) % 2
    x[:, 0] += y
    settings, model = choose(name, (x[:40], y[:40]), (x[40:60], y[40:60]), seed=1)
    assert settings in CHOICES[name]
    again, _ = choose(name, (x[:40], y[:40]), (x[40:60], 1 - y[40:60]), seed=1)
    # Where the validation patients contradict the others, the strongest restraint is the least wrong.
    strongest = {"logistic_regression": {"C": 0.01}, "random_forest": {"min_samples_leaf": 20}}
    assert again == strongest.get(name, {"alpha": 100.0})
    assert roc_auc_score(y[60:], model.predict_proba(x[60:])[:, 1]) > 0.6


def test_another_configuration_or_other_cases_are_refused(
    compared: tuple[Path, Path, dict[str, Any]], tmp_path: Path
) -> None:
    manifest, run_dir, _ = compared
    with pytest.raises(MLError) as caught:
        run_comparators(manifest, run_dir, tiny_config(epochs=1, without=("coma",)))
    assert caught.value.code == "other_run"
    with pytest.raises(MLError) as caught:
        run_comparators(make_study(tmp_path / "study", 40), run_dir, CONFIG)
    assert caught.value.code == "other_run"
    with pytest.raises(MLError) as caught:
        run_comparators(manifest, tmp_path, CONFIG)
    assert caught.value.code == "no_model"
