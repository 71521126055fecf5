"""Clinical scores and plain models, on the very folds of a run: what the networks have to be better than."""

from typing import TYPE_CHECKING

from ml.lazy import lazy

if TYPE_CHECKING:
    from ml.comparators.run import run_comparators

__all__ = ["run_comparators"]

__getattr__ = lazy(__name__, {"run_comparators": "run"})
