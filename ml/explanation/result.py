"""An explanation as plain data."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml.training.config import Arm
from ml.training.manifest import ClinicalValue


@dataclass(frozen=True)
class Contribution:
    """What one clinical feature adds to the logit.

    Attributes
    ----------
    feature
        Name of the feature.
    value
        Its value in the record, None where missing.
    logit
        Its share of the logit, above 0 towards a poor outcome, against the typical training patient.
    """

    feature: str
    value: ClinicalValue
    logit: float


@dataclass(frozen=True, eq=False)
class Explanation:
    """What one prediction rests on.

    Attributes
    ----------
    arm
        The arm that was explained.
    probability
        P(poor outcome) as :meth:`ml.inference.Model.predict` gives it, to 1e-3: computed by torch in single precision.
    map
        (z, y, x) float32 on the network's input (``image_shape`` of its configuration), at least 0, largest 1: where
        the image speaks for a poor outcome. All 0 where no part of it does; None for the clinical arm.
    gate_mean
        Of the fusion arm: mean of the gate over hidden units and networks, 0 (record alone) to 1 (image alone).
    contributions
        One for each clinical feature, the largest share (by amount) first; empty for the imaging arm.
    baseline_logit
        Logit of the typical training patient with this patient's image; with the shares it adds up to the logit of
        ``probability``. None for the imaging arm.
    method
        How the map was made, for its caption; of the clinical arm, how the shares were.
    """

    arm: Arm
    probability: float
    map: NDArray[np.float32] | None
    gate_mean: float | None
    contributions: tuple[Contribution, ...]
    baseline_logit: float | None
    method: str
