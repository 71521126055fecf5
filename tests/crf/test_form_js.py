"""The browser branches as the server does: both evaluate the same conditions on the same values."""

from __future__ import annotations

import base64
import itertools
import json
import shutil
import subprocess
from typing import Any

import pytest
from pydantic import TypeAdapter

from apps.crf.computed import computed_value
from apps.crf.conditions import parse_condition
from apps.crf.dictionary import FOLDER, Variable
from apps.crf.values import format_number

VARIABLE = TypeAdapter(Variable)
SCRIPT = FOLDER.parent / "static" / "crf" / "form.js"
RUN = """
import { readFileSync } from "node:fs";
const { source, cases } = JSON.parse(readFileSync(0, "utf8"));
const { holds } = await import("data:text/javascript;base64," + source);
console.log(JSON.stringify(cases.map(([condition, fields]) => holds(condition, (name) => fields[name] ?? ""))));
"""
COMPUTE = """
import { readFileSync } from "node:fs";
const { source, cases } = JSON.parse(readFileSync(0, "utf8"));
const { compute, rounded } = await import("data:text/javascript;base64," + source);
const shown = (formula, fields, decimals) => {
  const value = compute(formula, (name) => fields[name] ?? "");
  return value === null ? "" : rounded(value, decimals);
};
console.log(JSON.stringify(cases.map((one) => shown(...one))));
"""
FORMULAS: list[dict[str, Any]] = [
    {"sum": ["eye", "verbal", "motor"]},
    {"mean": {"systolic": 1, "diastolic": 2}},
    {"days": ["from", "to"]},
]
PARTS: list[dict[str, Any]] = [
    {},
    {"eye": 3, "verbal": 4, "motor": 5, "systolic": 151, "diastolic": 83, "from": "2024-02-28", "to": "2024-03-01"},
    {"eye": 1, "verbal": 1, "motor": 1, "systolic": 120, "diastolic": 80, "from": "2023-12-31", "to": "2024-01-01"},
    {"eye": 4, "motor": 6, "systolic": 120, "from": "2024-03-30", "to": "2024-03-30"},
]
ATOMS: list[dict[str, Any]] = [
    {"variable": "treatment", "one_of": ["cc", "mia"]},
    {"variable": "ivh", "one_of": [True]},
    {"variable": "gos", "one_of": [1, 2]},
    *({"variable": "number", order: 5} for order in ("less_than", "at_most", "more_than", "at_least")),
    *({"variable": "number", order: "other"} for order in ("less_than", "at_most", "more_than", "at_least")),
    *({"variable": "day", order: "later"} for order in ("less_than", "at_most", "more_than", "at_least")),
]
VALUES: list[dict[str, Any]] = [
    {},
    {"treatment": "cc", "ivh": True, "gos": 1, "number": 5, "other": 5, "day": "2024-02-01", "later": "2024-02-01"},
    {"treatment": "cmt", "ivh": False, "gos": 5, "number": 10, "other": 9, "day": "2024-10-01", "later": "2024-09-30"},
    {"treatment": "mia", "gos": 2, "number": 4.5, "other": 40, "day": "2023-12-31"},
    {"ivh": True, "other": 1, "later": "2024-01-01"},
]


def as_field(value: object) -> str:
    return json.dumps(value) if not isinstance(value, str) else value


@pytest.mark.skipif(shutil.which("node") is None, reason="Node.js is not installed")
def test_browser_and_server_agree() -> None:
    groups = [{kind: list(pair)} for kind in ("all", "any") for pair in itertools.combinations(ATOMS, 2)]
    cases = list(itertools.product(ATOMS + groups, VALUES))
    sent = {
        "source": base64.b64encode(SCRIPT.read_bytes()).decode(),
        "cases": [[condition, {name: as_field(v) for name, v in values.items()}] for condition, values in cases],
    }
    run = subprocess.run(
        ["node", "--input-type=module", "-e", RUN], input=json.dumps(sent), capture_output=True, text=True, check=True
    )
    expected = [parse_condition(condition).holds(values) for condition, values in cases]
    assert json.loads(run.stdout) == expected
    assert True in expected
    assert False in expected


@pytest.mark.skipif(shutil.which("node") is None, reason="Node.js is not installed")
@pytest.mark.parametrize("kind", ["integer", "decimal"])
def test_browser_and_server_compute_the_same(kind: str) -> None:
    cases = list(itertools.product(FORMULAS if kind == "decimal" else FORMULAS[::2], PARTS))
    sent = {
        "source": base64.b64encode(SCRIPT.read_bytes()).decode(),
        "cases": [
            [formula, {name: as_field(v) for name, v in parts.items()}, 1 if kind == "decimal" else 0]
            for formula, parts in cases
        ],
    }
    run = subprocess.run(
        ["node", "--input-type=module", "-e", COMPUTE],
        input=json.dumps(sent),
        capture_output=True,
        text=True,
        check=True,
    )
    expected = []
    for formula, parts in cases:
        days = (
            {"type": "integer", "range": [0, 9999]} if "days" in formula or kind == "integer" else {"type": "decimal"}
        )
        variable = VARIABLE.validate_python(
            {"name": "x", "label": {"en": "x", "zh-Hans": "x"}, "range": [0, 9999], "required": False,
             "double_entry": False, "computed": formula, **days}
        )  # fmt: skip
        value = computed_value(variable, parts)
        expected.append("" if value is None else format_number(float(value)))
    assert json.loads(run.stdout) == expected
    assert "" in expected
