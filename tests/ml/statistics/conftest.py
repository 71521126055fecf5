"""Settings of the property tests in this folder."""

from hypothesis import settings

# How long an example takes says nothing about whether it is right, and machines differ.
settings.register_profile("no_deadline", deadline=None)
settings.load_profile("no_deadline")
