"""What a prediction rests on: where in the CT, and which values of the clinical record."""

from typing import TYPE_CHECKING

from ml.explanation.result import Contribution, Explanation
from ml.lazy import lazy

if TYPE_CHECKING:
    from ml.explanation.explainer import explain
    from ml.explanation.grid import map_on_ct

__all__ = ["Contribution", "Explanation", "explain", "map_on_ct"]

__getattr__ = lazy(__name__, {"explain": "explainer", "map_on_ct": "grid"})
