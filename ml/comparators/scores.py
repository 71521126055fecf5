"""Clinical scores as comparators: nothing is trained, their points are the prediction."""

from collections.abc import Mapping

from ml.scores import SCORES, ScoreDefinition
from ml.training.manifest import Case


def points_of(cases: Mapping[str, Case]) -> dict[str, dict[str, float]]:
    """Return, for each score that every case has, a number 0..1 by case id; more is worse.

    It is the points over their maximum, or one less that where more points are better: no probability, but in the same
    order, so that the area under the curve is that of the points. Points off a score's scale count as unknown.
    """
    found = {}
    for key, definition in SCORES.items():
        told = {case.id: _told(definition, case.scores.get(key)) for case in cases.values()}
        known = {case: value for case, value in told.items() if value is not None}
        if len(known) == len(cases):
            found[key] = known
    return found


def _told(definition: ScoreDefinition, points: int | None) -> float | None:
    if points is None or not definition.minimum <= points <= definition.maximum:
        return None
    share = points / definition.maximum
    return share if definition.higher_is_worse else 1 - share
