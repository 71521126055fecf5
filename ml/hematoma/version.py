"""Which program suggests outlines; a change of what it finds makes those from before stale."""

SUGGESTION_VERSION = 1
