"""Drawing the parts of the patient page, each with a context of its own."""

from typing import Any

from django import template
from django.template.context import Context
from django.template.loader import render_to_string
from django.utils.safestring import SafeString

register = template.Library()


@register.simple_tag(takes_context=True)
def render_section(context: Context, part: dict[str, Any]) -> SafeString:
    """Render one section's template with what its app gave for it."""
    return render_to_string(part["section"].template, part["context"], request=context["request"])
