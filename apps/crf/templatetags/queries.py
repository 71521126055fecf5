"""What the pages of queries write the same way."""

from collections.abc import Mapping

from django import template

register = template.Library()


@register.filter
def count_of(counts: Mapping[str, int], name: str) -> int:
    """How many there are under a name."""
    return counts.get(name, 0)
