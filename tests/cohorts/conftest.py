"""Files of the tests of cohorts: in a folder of each test, so that what is left behind can be seen."""

from tests.cohorts.fixtures import files

__all__ = ["files"]
