"""Exports: the forms of chosen centers, with what is computed of them, as files for other programs."""
