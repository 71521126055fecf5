"""Column heads that sort the patient list."""

from typing import Any

from django import template
from django.template.context import Context
from django.utils.html import format_html
from django.utils.safestring import SafeString

register = template.Library()


@register.simple_tag(takes_context=True)
def sort_header(context: Context, key: str, title: Any, unit: Any = "") -> SafeString:
    """A table head whose link sorts by its column, and the other way round on the second click."""
    sort = context["listing"].sort
    query = context["request"].GET.copy()
    query.pop("page", None)
    descending = sort == f"-{key}"
    query["sort"] = f"-{key}" if sort == key else key
    state = "descending" if descending else "ascending" if sort == key else "none"
    arrow = {"ascending": " ↑", "descending": " ↓", "none": ""}[state]
    shown_unit = format_html(' <span class="unit">{}</span>', unit) if unit else ""
    return format_html(
        '<th scope="col" aria-sort="{}"><a class="sort" href="?{}">{}{}<span aria-hidden="true">{}</span></a></th>',
        state,
        query.urlencode(),
        title,
        shown_unit,
        arrow,
    )
