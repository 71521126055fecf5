"""Drawing the fields of a form. Their template is Jinja's, which is compiled: a form draws some fifty of them."""

from collections import defaultdict
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from django import template
from django.template import Context
from django.utils.html import format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language, gettext, ngettext
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from apps.core.templatetags.ui import icon, missing, quantity
from apps.crf.forms import FormField
from apps.crf.missing import Missing

register = template.Library()


@register.simple_tag(takes_context=True)
def draw_fields(context: Context, fields: Iterable[FormField]) -> SafeString:
    """Draw some fields. Expects form_url in the context; query_counts and can_ask where queries are shown."""
    counts = context.get("query_counts") or {}
    words = {name: ngettext("%(n)s query", "%(n)s queries", n) % {"n": n} for name, n in counts.items()}
    html: str = _template(get_language() or "").render(
        fields=fields, form_url=context["form_url"], queries=defaultdict(str, words),
        can_ask=context.get("can_ask", False),
    )  # fmt: skip
    return mark_safe(html)  # noqa: S308 -- of a template that escapes by itself


@cache
def _template(language: str) -> Any:
    """Return the template for one language, whose words are looked up once."""
    loader = FileSystemLoader(Path(__file__).parent.parent / "jinja2")
    environment = Environment(
        loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined
    )
    environment.globals.update(
        _=cache(gettext), icon=cache(icon), quantity=quantity, nothing=missing, missing_reasons=missing_reasons
    )
    return environment.get_template("crf/fields.html")


def missing_reasons(chosen: str) -> SafeString:
    """Return the options of the list of reasons, one of them chosen; a code that there is not shows as itself."""
    if not chosen or chosen in Missing.values:
        return _options(chosen, get_language() or "")
    return format_html_join("", '<option value="{}" selected>{}</option>', [(chosen, chosen)]) + _options("", "")


@cache
def _options(chosen: str, language: str) -> SafeString:
    """Return the options, made once a language."""
    rows = ((code, mark_safe(" selected") if code == chosen else "", label) for code, label in Missing.choices)
    return format_html_join("", '<option value="{}"{}>{}</option>', rows)
