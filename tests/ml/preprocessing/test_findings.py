"""Which findings are raised, and that each is a sentence."""

from __future__ import annotations

import numpy as np
import pytest

from ml.preprocessing.findings import collect_findings

GOOD = {
    "tilt_degrees": 0.0,
    "gaps": ((30, 5.0),),
    "volume_ml": 1400.0,
    "foramen_confidence": 1.0,
    "vertex_covered": True,
    "enclosure": 1.0,
    "size_mm": np.array([140.0, 170.0, 140.0]),
}


def test_a_good_scan_has_none():
    assert collect_findings(**GOOD) == ()


@pytest.mark.parametrize(
    ("change", "code", "level"),
    [
        ({"foramen_confidence": 0.0}, "foramen_magnum_not_found", "warn"),
        ({"foramen_confidence": 0.9}, "foramen_magnum_unsure", "warn"),
        ({"vertex_covered": False}, "vertex_missing", "warn"),
        ({"volume_ml": 700.0}, "unusual_brain_volume", "warn"),
        ({"volume_ml": 2000.0}, "unusual_brain_volume", "warn"),
        ({"enclosure": 0.8}, "skull_open", "warn"),
        ({"size_mm": np.array([140.0, 193.0, 140.0])}, "larger_than_field", "warn"),
        ({"tilt_degrees": -18.5}, "tilted", "info"),
        ({"gaps": ((13, 4.0), (13, 7.0))}, "mixed_gaps", "info"),
        ({"gaps": ((13, 12.5),)}, "wide_gap", "warn"),
    ],
)
def test_each_fault_gives_its_finding(change, code, level):
    (finding,) = collect_findings(**(GOOD | change))
    assert (finding.code, finding.level) == (code, level)
    assert finding.sentence.endswith(".")
