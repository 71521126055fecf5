"""What a spreadsheet must not run."""

# A spreadsheet takes what begins so for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def safe_cell(text: str) -> str:
    """Return a text that a spreadsheet shows and never computes."""
    return f"'{text}" if text.startswith(_FORMULA) else text
