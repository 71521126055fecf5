"""The data dictionary: the study's variables are in it, and a wrong file is refused with the place of its fault."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
import yaml
from django.utils import translation

from apps.crf.conditions import Compare, Group, OneOf, parse_condition
from apps.crf.dictionary import FOLDER, DictionaryError, load_dictionary, parse_dictionary
from apps.crf.selectors import model_features
from ml.scores import INPUTS
from ml.simulation.cohort import simulate_cohort
from ml.training.manifest import Feature

# Chen 2023 (Eur J Radiol, doi 10.1016/j.ejrad.2023.111081): the clinical features of the fusion model, in its order.
STUDY_FEATURES = [
    "age", "sex", "gcs", "headache", "emesis", "coma", "ivh", "history_hemorrhagic_stroke", "history_ischemic_stroke",
    "hypertension", "diabetes_mellitus", "hyperlipidemia", "coronary_heart_disease", "heart_failure", "arrhythmia",
    "anticoagulant_therapy", "antiplatelet_therapy", "smoking", "alcohol", "systolic_bp", "diastolic_bp", "treatment",
]  # fmt: skip

MINIMAL: dict[str, Any] = {
    "name": "tiny",
    "version": "1",
    "title": {"en": "Tiny", "zh-Hans": "小"},
    "sections": [
        {
            "name": "one",
            "label": {"en": "One", "zh-Hans": "一"},
            "variables": [
                {"name": "number", "label": {"en": "N", "zh-Hans": "数"}, "type": "integer", "range": [0, 9]},
                {"name": "answer", "label": {"en": "A", "zh-Hans": "答"}, "type": "yesno"},
                {
                    "name": "grade",
                    "label": {"en": "G", "zh-Hans": "级"},
                    "type": "choice",
                    "outcome": True,
                    "poor_outcome": [1],
                    "choices": [
                        {"value": 1, "label": {"en": "bad", "zh-Hans": "差"}},
                        {"value": 2, "label": {"en": "good", "zh-Hans": "好"}},
                    ],
                },
            ],
        }
    ],
    "rules": [],
}


def tiny(**changes: dict[str, Any]) -> str:
    """Return the minimal dictionary as YAML with keys of its variables changed; the key None goes into the whole."""
    data = copy.deepcopy(MINIMAL)
    for variable in data["sections"][0]["variables"]:
        variable.update(changes.pop(variable["name"], {}))
    data.update(changes.pop("whole", {}))
    assert not changes
    return yaml.safe_dump(data, allow_unicode=True)


def test_the_model_features_are_the_studys_in_order() -> None:
    assert [feature["name"] for feature in model_features()] == STUDY_FEATURES


def test_model_features_fit_the_manifest_of_a_run() -> None:
    features = {feature["name"]: Feature.model_validate(feature) for feature in model_features()}
    assert (features["age"].kind, features["age"].unit) == ("numeric", "years")
    assert features["ivh"].kind == "binary"
    assert features["treatment"].levels == ("cmt", "cc", "mia")


def test_each_variable_of_the_crf_is_there_once() -> None:
    text = (FOLDER / "ich-1.yaml").read_text(encoding="utf-8")
    for name in load_dictionary().variables:
        assert text.count(f"- name: {name}\n") == 1


def test_poor_outcome_is_gos_1_to_3_and_the_outcome_is_the_assessors() -> None:
    dictionary = load_dictionary()
    assert dictionary.primary_outcome.name == "gos_discharge"
    assert dictionary.primary_outcome.poor_outcome == (1, 2, 3)
    assert {v.name for v in dictionary.variables.values() if v.outcome} == {
        "gos_discharge", "mrs_discharge", "outcome_assessor", "outcome_date",
    }  # fmt: skip


def test_every_score_input_but_the_volume_comes_from_the_form() -> None:
    given = [name for variable in load_dictionary().variables.values() for name in variable.score_inputs]
    assert sorted(given) == sorted(set(INPUTS) - {"volume_ml"})


def test_texts_follow_the_readers_language() -> None:
    gos = load_dictionary().variables["gos_discharge"]
    with translation.override("en"):
        assert str(gos.choices[0]) == "1 – Dead"
    with translation.override("zh-hans"):
        assert str(gos.choices[0]) == "1 – 死亡"
        assert str(load_dictionary().variables["hypertension"].label) == "高血压"


def test_the_dictionary_is_plain_json() -> None:
    data = json.loads(json.dumps(load_dictionary().as_data()))
    operation = next(v for s in data["sections"] for v in s["variables"] if v["name"] == "operation_date")
    assert operation["show_if"] == {"variable": "treatment", "one_of": ["cc", "mia"]}


def test_the_minimal_dictionary_is_right() -> None:
    assert parse_dictionary(tiny()).id == "tiny-1"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"number": {"type": "numeral"}}, "type"),
        ({"number": {"colour": "red"}}, "colour"),
        ({"number": {"range": [9, 0]}}, "lower bound"),
        ({"number": {"range": None}}, "needs a range"),
        ({"number": {"range": ["today", 3]}}, "range"),
        ({"number": {"name": "Number One"}}, "name"),
        ({"number": {"name": "version"}}, "reserved"),
        ({"number": {"name": "answer"}}, "given twice among the variables: answer"),
        ({"number": {"model_feature": 2}}, "without gap"),
        ({"number": {"choices": [{"value": 1, "label": {"en": "a", "zh-Hans": "b"}}]}}, "only a choice"),
        ({"number": {"pattern": {"regex": "(", "sentence": {"en": "a", "zh-Hans": "b"}}}}, "only a text"),
        ({"number": {"score_inputs": {"glucose": "value"}}}, "no clinical score"),
        ({"number": {"score_inputs": {"ivh": "value"}}}, "does not fit"),
        ({"number": {"label": {"en": "N"}}}, "zh-Hans"),
        ({"answer": {"range": [0, 1]}}, "has no range"),
        ({"answer": {"show_if": {"variable": "grade", "one_of": [1]}}}, "variables above it"),
        ({"answer": {"show_if": {"variable": "answer", "one_of": [True]}}}, "variables above it"),
        ({"answer": {"show_if": {"variable": "number"}}}, "show_if"),
        ({"grade": {"show_if": {"variable": "answer", "one_of": [True]}}}, "can't depend on each other"),
        ({"grade": {"show_if": {"variable": "answer", "one_of": ["yes"]}, "outcome": False}}, "takes one of"),
        ({"grade": {"poor_outcome": [3]}}, "no choices"),
        ({"grade": {"poor_outcome": []}}, "poor outcome"),
        ({"grade": {"score_inputs": {"infratentorial": {1: True}}}}, "a value for each choice"),
        ({"grade": {"score_inputs": {"infratentorial": {1: True, 2: "no"}}}}, "takes one of"),
        ({"whole": {"version": "one"}}, "version"),
        ({"whole": {"sections": []}}, "sections"),
        (
            {
                "whole": {
                    "rules": [
                        {
                            "name": "odd",
                            "level": "hard",
                            "forbid": {"variable": "answer", "at_least": "number"},
                            "sentence": {"en": "a", "zh-Hans": "b"},
                        }
                    ]
                }
            },
            "rule odd: only numbers with numbers",
        ),
    ],
)
def test_a_wrong_dictionary_is_refused_with_the_fault(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(DictionaryError, match=said):
        parse_dictionary(tiny(**changes))


@pytest.mark.parametrize("text", ["name: a\nname: b", "name: [", "- a list", ""])
def test_text_that_is_no_dictionary_is_refused(text: str) -> None:
    with pytest.raises(DictionaryError):
        parse_dictionary(text)


@pytest.mark.parametrize(
    "data",
    [
        None, [], {}, {"variable": "a"}, {"one_of": [1]}, {"variable": "a", "one_of": []}, {"variable": "a", "like": 1},
        {"variable": "a", "one_of": 1}, {"variable": "a", "at_least": None}, {"variable": "a", "at_least": True},
        {"variable": "a", "at_least": 1, "at_most": 2}, {"all": []}, {"all": {}, "any": []}, {"not": {}},
    ],
)  # fmt: skip
def test_a_wrong_condition_is_refused(data: object) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_condition(data)


def test_a_comparison_with_a_blank_never_holds() -> None:
    for condition in (
        OneOf("a", (True, False)),
        Compare("a", "at_most", number=5),
        Compare("b", "less_than", other="a"),
    ):
        assert not condition.holds({"b": 1})
        assert not Group("all", (condition,)).holds({"b": 1})


def test_yes_is_not_the_number_one() -> None:
    assert not OneOf("a", (1,)).holds({"a": True})
    assert not OneOf("a", (True,)).holds({"a": 1})


@pytest.mark.parametrize(
    ("order", "below", "equal", "above"),
    [("less_than", 1, 0, 0), ("at_most", 1, 1, 0), ("more_than", 0, 0, 1), ("at_least", 0, 1, 1)],
)
def test_orders(order: str, below: int, equal: int, above: int) -> None:
    condition = Compare("a", order, other="b")
    assert [condition.holds({"a": a, "b": 5}) for a in (4, 5, 6)] == [bool(below), bool(equal), bool(above)]
    days = [condition.holds({"a": f"2024-01-{d:02}", "b": "2024-01-10"}) for d in (9, 10, 11)]
    assert days == [bool(below), bool(equal), bool(above)]


def test_the_simulated_cohort_speaks_the_dictionary() -> None:
    dictionary = load_dictionary()
    columns = set(simulate_cohort(1, seed=0).columns) - {"center", "hematoma_volume_ml", "poor_outcome"}
    assert columns <= set(dictionary.variables)
