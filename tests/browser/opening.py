"""Names for opening pages in tests."""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import Page

# (role, address, width=1400, **options of the browser's context)
OpenAs = Callable[..., Page]
# What the console says of an answer that refuses; any other fault fails a test.
REFUSED = re.compile(r"status of 4\d\d")
