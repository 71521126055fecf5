"""The command line of the library."""

from ml.cli.main import main

__all__ = ["main"]
