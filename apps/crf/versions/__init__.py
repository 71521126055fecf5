"""Versions of the data dictionary: a draft with its impact, and its publication, which moves what is stored."""
