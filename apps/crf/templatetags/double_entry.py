"""Addresses of second entries in templates."""

from django import template

from apps.crf.models import CrfForm
from apps.crf.schedule import form_url

register = template.Library()


@register.simple_tag
def second_entry_url(form: CrfForm) -> str:
    """Return where a second entry of a form is begun."""
    return f"{form_url(form.patient, form.place)}second-entry/"
