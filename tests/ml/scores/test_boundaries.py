"""Every boundary of the published tables, each item alone: the other items of the patient stay at their lowest points.

Each row reads: what is changed in the mildest patient, and the points above that patient's total.
"""

from collections.abc import Callable

import pytest

from ml.scores import func_score, ich_gs, ich_score, max_ich, modified_ich_cheung_zou_2003

MILD_ICH = {"age": 40, "gcs": 15, "volume_ml": 5.0, "ivh": False, "infratentorial": False}
MILD_CHEUNG_ZOU = {"age": 40, "nihss": 0, "volume_ml": 5.0, "ivh": False, "infratentorial": False}
MILD_MAX_ICH = {"age": 40, "nihss": 0, "volume_ml": 5.0, "lobar": True, "ivh": False, "anticoagulation": False}
# FUNC is the other way round: this patient has the fewest points, so the worst outlook.
WORST_FUNC = {"age": 90, "gcs": 3, "volume_ml": 100.0, "site": "infratentorial", "cognitive_impairment": True}

ICH_ROWS = [
    *[({"gcs": gcs}, 2) for gcs in (3, 4)],
    *[({"gcs": gcs}, 1) for gcs in range(5, 13)],
    *[({"gcs": gcs}, 0) for gcs in (13, 14, 15)],
    ({"volume_ml": 0}, 0),
    ({"volume_ml": 29.99}, 0),
    ({"volume_ml": 30}, 1),
    ({"volume_ml": 30.01}, 1),
    ({"ivh": True}, 1),
    ({"infratentorial": True}, 1),
    ({"age": 79}, 0),
    ({"age": 79.99}, 0),
    ({"age": 80}, 1),
    ({"age": 81}, 1),
]

ICH_GS_ROWS = [
    ({"age": 44}, 0),
    ({"age": 44.9}, 0),
    ({"age": 45}, 1),
    ({"age": 64}, 1),
    ({"age": 64.9}, 1),
    ({"age": 65}, 2),
    *[({"gcs": gcs}, 0) for gcs in (13, 14, 15)],
    *[({"gcs": gcs}, 1) for gcs in (9, 10, 11, 12)],
    *[({"gcs": gcs}, 2) for gcs in range(3, 9)],
    ({"volume_ml": 39.99}, 0),
    ({"volume_ml": 40}, 1),
    ({"volume_ml": 70}, 1),
    ({"volume_ml": 70.01}, 2),
    # infratentorial itself adds one point, and its own volume table applies
    ({"infratentorial": True, "volume_ml": 9.99}, 1),
    ({"infratentorial": True, "volume_ml": 10}, 2),
    ({"infratentorial": True, "volume_ml": 20}, 2),
    ({"infratentorial": True, "volume_ml": 20.01}, 3),
    ({"infratentorial": True, "volume_ml": 40}, 3),
    ({"ivh": True}, 1),
]

CHEUNG_ZOU_ROWS = [
    ({"nihss": 10}, 0),
    ({"nihss": 11}, 1),
    ({"nihss": 20}, 1),
    ({"nihss": 21}, 2),
    ({"nihss": 41}, 2),
    ({"nihss": 42}, 2),
    ({"volume_ml": 29.99}, 0),
    ({"volume_ml": 30}, 1),
    ({"ivh": True}, 1),
    ({"infratentorial": True}, 1),
    ({"age": 79}, 0),
    ({"age": 80}, 1),
]

MAX_ICH_ROWS = [
    ({"nihss": 6}, 0),
    ({"nihss": 7}, 1),
    ({"nihss": 13}, 1),
    ({"nihss": 14}, 2),
    ({"nihss": 20}, 2),
    ({"nihss": 21}, 3),
    ({"nihss": 42}, 3),
    ({"age": 69}, 0),
    ({"age": 69.9}, 0),
    ({"age": 70}, 1),
    ({"age": 74}, 1),
    ({"age": 75}, 2),
    ({"age": 79}, 2),
    ({"age": 80}, 3),
    ({"lobar": True, "volume_ml": 10}, 0),
    ({"lobar": True, "volume_ml": 29.99}, 0),
    ({"lobar": True, "volume_ml": 30}, 1),
    ({"lobar": False, "volume_ml": 9.99}, 0),
    ({"lobar": False, "volume_ml": 10}, 1),
    ({"lobar": False, "volume_ml": 30}, 1),
    ({"ivh": True}, 1),
    ({"anticoagulation": True}, 1),
]

FUNC_ROWS = [
    ({"volume_ml": 29.99}, 4),
    ({"volume_ml": 30}, 2),
    ({"volume_ml": 60}, 2),
    ({"volume_ml": 60.01}, 0),
    ({"age": 69}, 2),
    ({"age": 69.9}, 2),
    ({"age": 70}, 1),
    ({"age": 79}, 1),
    ({"age": 79.9}, 1),
    ({"age": 80}, 0),
    ({"site": "lobar"}, 2),
    ({"site": "deep"}, 1),
    ({"site": "infratentorial"}, 0),
    ({"gcs": 8}, 0),
    ({"gcs": 9}, 2),
    ({"gcs": 15}, 2),
    ({"cognitive_impairment": False}, 1),
]

TABLES: list[tuple[Callable[..., int], dict[str, object], int, list[tuple[dict[str, object], int]]]] = [
    (ich_score, MILD_ICH, 0, ICH_ROWS),
    (ich_gs, MILD_ICH, 5, ICH_GS_ROWS),
    (modified_ich_cheung_zou_2003, MILD_CHEUNG_ZOU, 0, CHEUNG_ZOU_ROWS),
    (max_ich, MILD_MAX_ICH, 0, MAX_ICH_ROWS),
    (func_score, WORST_FUNC, 0, FUNC_ROWS),
]

CASES = [
    pytest.param(score, {**baseline, **change}, lowest + points, id=f"{score.__name__}-{change}")
    for score, baseline, lowest, rows in TABLES
    for change, points in rows
]


@pytest.mark.parametrize(("score", "patient", "expected"), CASES)
def test_points_at_each_boundary(score: Callable[..., int], patient: dict[str, object], expected: int) -> None:
    assert score(**patient) == expected


SEVERE_ICH = {"age": 80, "gcs": 3, "volume_ml": 100, "ivh": True, "infratentorial": True}
EXTREMES = [
    (ich_score, MILD_ICH, 0),
    (ich_score, SEVERE_ICH, 6),
    (ich_gs, MILD_ICH, 5),
    (ich_gs, SEVERE_ICH, 13),
    (modified_ich_cheung_zou_2003, MILD_CHEUNG_ZOU, 0),
    (
        modified_ich_cheung_zou_2003,
        {"age": 80, "nihss": 42, "volume_ml": 30, "ivh": True, "infratentorial": True},
        6,
    ),
    (max_ich, MILD_MAX_ICH, 0),
    (
        max_ich,
        {"age": 80, "nihss": 42, "volume_ml": 30, "lobar": True, "ivh": True, "anticoagulation": True},
        9,
    ),
    (
        max_ich,
        {"age": 80, "nihss": 42, "volume_ml": 30, "lobar": False, "ivh": True, "anticoagulation": True},
        9,
    ),
    (func_score, WORST_FUNC, 0),
    (func_score, {"age": 40, "gcs": 15, "volume_ml": 5, "site": "lobar", "cognitive_impairment": False}, 11),
]


@pytest.mark.parametrize(("score", "patient", "expected"), EXTREMES)
def test_lowest_and_highest_total(score: Callable[..., int], patient: dict[str, object], expected: int) -> None:
    total = score(**patient)
    assert total == expected
    assert type(total) is int
