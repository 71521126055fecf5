"""Hematoma and scores of a case: there where they are known, and no other digest for manifests that lack them."""

import hashlib
import json
from pathlib import Path

import pytest

from ml.errors import MLError
from ml.training import read_manifest, write_manifest
from tests.ml.comparators.runs import enrich
from tests.ml.training.factory import make_study


def test_a_manifest_without_them_keeps_its_file_and_its_digest(tmp_path: Path) -> None:
    path = make_study(tmp_path, 4)
    content = json.loads(path.read_text())
    assert set(content["cases"][0]) == {"id", "patient", "center", "label", "image", "image_sha256", "clinical"}
    # The rule by which digests were made before the fields were known.
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"))
    assert read_manifest(path).digest() == hashlib.sha256(canonical.encode()).hexdigest()


def test_they_come_back_and_change_the_digest(tmp_path: Path) -> None:
    path = make_study(tmp_path, 8)
    before = read_manifest(path)
    enriched = read_manifest(enrich(path, without=frozenset({2})))
    assert enriched.digest() != before.digest()
    assert [case.hematoma is None for case in enriched.cases] == [False, False, True] + [False] * 5
    assert enriched.cases[5].scores["max_ich"] is None
    write_manifest(enriched, path)
    assert read_manifest(path) == enriched


@pytest.mark.parametrize(
    ("field", "value"),
    [("hematoma", {"volume_ml": "large"}), ("hematoma", {"volume_ml": None}), ("scores", {"ich_score": 2.5})],
)
def test_nonsense_in_them_is_named(tmp_path: Path, field: str, value: object) -> None:
    path = make_study(tmp_path, 4)
    content = json.loads(path.read_text())
    content["cases"][0][field] = value
    path.write_text(json.dumps(content))
    with pytest.raises(MLError, match=field) as caught:
        read_manifest(path)
    assert caught.value.code == "bad_manifest"
