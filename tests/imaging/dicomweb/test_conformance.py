"""The conformance page claims nothing that no test backs."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from apps.imaging.dicomweb.query import CAP, KEYS
from tests.conftest import ROOT

pytestmark = pytest.mark.slow

PAGE = (ROOT / "docs" / "reference" / "dicomweb.md").read_text()
HERE = Path(__file__).parent


def rows() -> list[str]:
    lines = [line for line in PAGE.splitlines() if line.startswith("| ")]
    return [line for line in lines if not line.endswith("| test |")]


@pytest.mark.parametrize("row", rows(), ids=lambda row: row.split("|")[1].strip())
def test_each_row_is_backed_by_a_test(row: str) -> None:
    named = re.fullmatch(r".*\| `(\w+\.py)::(\w+)` \|", row)
    assert named is not None, "the row names no test"
    file, function = named.groups()
    tree = ast.parse((HERE / file).read_text())
    assert function in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_the_page_has_rows() -> None:
    assert len(rows()) > 50


@pytest.mark.parametrize("keyword", sorted(KEYS))
def test_each_search_key_is_named(keyword: str) -> None:
    assert re.search(rf"\b{keyword}\b", PAGE)


def test_the_cap_is_the_one_named() -> None:
    assert f"| {CAP} results;" in PAGE
