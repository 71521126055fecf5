"""Fixtures of the tests of experiments."""

from tests.cohorts.fixtures import files
from tests.experiments.fixtures import cohort, scientist, trained, training_store

__all__ = ["cohort", "files", "scientist", "trained", "training_store"]
