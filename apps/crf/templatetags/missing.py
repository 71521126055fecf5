"""The list of reasons why a value is missing, as it stands beside every field."""

from functools import cache

from django import template
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import get_language

from apps.crf.missing import Missing

register = template.Library()


@register.simple_tag
def missing_reasons(chosen: str) -> SafeString:
    """Return the options of the list, one of them chosen; a code that there is not shows as itself."""
    return _options(chosen, get_language() or "") if chosen in Missing.values or not chosen else _with_unknown(chosen)


@cache
def _options(chosen: str, language: str) -> SafeString:
    """Return the options, made once a language: a form has some dozens of these lists."""
    rows = ((code, SafeString(" selected") if code == chosen else "", label) for code, label in Missing.choices)
    return format_html_join("", '<option value="{}"{}>{}</option>', rows)


def _with_unknown(chosen: str) -> SafeString:
    return format_html_join("", '<option value="{}" selected>{}</option>', [(chosen, chosen)]) + _options("", "")
