"""Versions of the data dictionary."""
