"""The browser branches as the server does: both evaluate the same conditions on the same values."""

from __future__ import annotations

import base64
import itertools
import json
import shutil
import subprocess
from typing import Any

import pytest

from apps.crf.conditions import parse_condition
from apps.crf.dictionary import FOLDER

SCRIPT = FOLDER.parent / "static" / "crf" / "form.js"
RUN = """
import { readFileSync } from "node:fs";
const { source, cases } = JSON.parse(readFileSync(0, "utf8"));
const { holds } = await import("data:text/javascript;base64," + source);
console.log(JSON.stringify(cases.map(([condition, fields]) => holds(condition, (name) => fields[name] ?? ""))));
"""
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
