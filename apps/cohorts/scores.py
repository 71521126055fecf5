"""The clinical scores of a patient: the CRF's values and the mask's volume brought to the formulas of ml.scores."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from apps.annotation.models import Mask
from apps.crf.selectors import score_inputs_of
from ml.errors import MLError
from ml.scores import SCORES, ScoreDefinition, ScoreResult

VOLUME = "volume_ml"


@dataclass(frozen=True)
class Score:
    """One score of one patient: its definition and either a result or the sentence why there is none."""

    definition: ScoreDefinition
    result: ScoreResult | None
    problem: str = ""

    @property
    def value(self) -> int | None:
        return None if self.result is None else self.result.value


def inputs_of(values: Mapping[str, Any], mask: Mask | None) -> dict[str, Any]:
    """Return the inputs of all scores: those on the CRF, and the volume of the mask with its two decimals."""
    volume = None if mask is None else float(mask.volume_ml)
    return {**score_inputs_of(values), VOLUME: volume}


def score_patient(values: Mapping[str, Any], mask: Mask | None) -> list[Score]:
    """Compute every score that is defined; a blank input makes a score not computable, never zero."""
    inputs = inputs_of(values, mask)
    return [compute_score(definition, inputs) for definition in SCORES.values()]


def compute_score(definition: ScoreDefinition, inputs: Mapping[str, Any]) -> Score:
    """Compute one score from the inputs of all."""
    try:
        return Score(definition, definition.compute(inputs))
    except MLError as error:
        return Score(definition, None, str(error))
