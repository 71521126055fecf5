"""One thread, as for all tests that train."""

from tests.ml.training.conftest import one_thread

__all__ = ["one_thread"]
