"""Addresses of second entries in templates."""

import math

from django import template

from apps.crf.models import CrfForm
from apps.crf.schedule import form_url

register = template.Library()


@register.simple_tag
def second_entry_url(form: CrfForm) -> str:
    """Return where a second entry of a form is begun."""
    return f"{form_url(form.patient, form.place)}second-entry/"


@register.filter
def is_number(value: float) -> bool:
    """Say whether a figure is defined."""
    return not math.isnan(value)
