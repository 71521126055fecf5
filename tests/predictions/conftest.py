"""Fixtures of the tests of predictions."""

from tests.cohorts.fixtures import files
from tests.experiments.fixtures import cohort, one_thread, scientist, trained, training_store

__all__ = ["cohort", "files", "one_thread", "scientist", "trained", "training_store"]
