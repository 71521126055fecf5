"""What every page writes the same way: icons, numbers with units, estimates with intervals, form controls."""

from datetime import datetime
from typing import Any

from django import forms, template
from django.core.paginator import Paginator
from django.forms.boundfield import BoundField, BoundWidget
from django.templatetags.static import static
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

register = template.Library()

NARROW_SPACE = "\u202f"
EN_DASH = "\u2013"
MINUS = "\u2212"


@register.simple_tag
def icon(name: str, css: str = "") -> SafeString:
    """Draw an icon of the sprite (frontend/icons/<name>.svg). It is decoration: say in words what it stands for."""
    return format_html(
        '<svg class="icon {}" width="24" height="24" fill="none" stroke="currentColor" stroke-width="2" '
        'stroke-linecap="round" stroke-linejoin="round" aria-hidden="true" focusable="false">'
        '<use href="{}#{}"></use></svg>',
        css,
        static("icons.svg"),
        name,
    )


def _number(value: float, digits: int | None) -> str:
    text = str(value) if digits is None else f"{value:.{int(digits)}f}"
    if text.startswith("-"):
        return text[1:] if float(text) == 0 else MINUS + text[1:]
    return text


@register.simple_tag
def missing() -> SafeString:
    """A dash that screen readers speak as "not recorded"."""
    return format_html(
        '<span class="missing"><span aria-hidden="true">{}</span><span class="visually-hidden">{}</span></span>',
        EN_DASH,
        _("not recorded"),
    )


@register.simple_tag
def quantity(value: float | str | None, unit: str = "", digits: int | None = None) -> SafeString:
    """A value with its unit beside it: 23.41 mL. No value gives the dash of `missing`."""
    if value is None or value == "":
        return missing()
    shown = value if isinstance(value, str) else _number(value, digits)
    if not unit:
        return format_html('<span class="quantity">{}</span>', shown)
    return format_html('<span class="quantity">{}{}<span class="unit">{}</span></span>', shown, NARROW_SPACE, unit)


@register.simple_tag
def estimate(
    value: float | None, low: float | None = None, high: float | None = None, digits: int = 3, percent: bool = False
) -> SafeString:
    """An estimate with its 95 % confidence interval: 0.733 (95 % CI 0.711-0.755). With percent=True, fractions as %."""
    if value is None:
        return missing()
    scale, sign = (100, f"{NARROW_SPACE}%") if percent else (1, "")
    shown = _number(scale * value, digits) + sign
    if low is None or high is None:
        return format_html('<span class="quantity">{}</span>', shown)
    # A dash before a negative bound would read as a second minus sign.
    between = EN_DASH if low >= 0 and high >= 0 else pgettext("between the bounds of an interval", " to ")
    return format_html(
        '<span class="quantity">{}</span> <span class="interval">(95{}% {} {}{}{})</span>',
        shown,
        NARROW_SPACE,
        pgettext("confidence interval", "CI"),
        _number(scale * low, digits),
        between,
        _number(scale * high, digits),
    )


@register.simple_tag
def percent(count: int | None, total: int | None, digits: int = 1) -> SafeString:
    """A percentage with what it was counted from: 54.2 % (1079/1990)."""
    if count is None or not total:
        return missing()
    return format_html(
        '<span class="quantity">{}{}%</span> <span class="interval">({}/{})</span>',
        _number(100 * count / total, digits),
        NARROW_SPACE,
        count,
        total,
    )


@register.filter
def p_value(value: float | None) -> str:
    """A P value as journals print it: three decimals, and below 0.001 only "<0.001"."""
    if value is None:
        return EN_DASH
    return "<0.001" if value < 0.001 else f"{value:.3f}"


@register.filter
def p_statement(value: float | None) -> str:
    """A P value in a sentence: "P = 0.023", "P < 0.001"."""
    text = p_value(value)
    return f"P < {text[1:]}" if text.startswith("<") else f"P = {text}"


@register.filter
def age(moment: datetime) -> str:
    """How long ago something was, to the second while that matters: "4 s", later "12 min"."""
    seconds = max(0, round((timezone.now() - moment).total_seconds()))
    return f"{seconds}{NARROW_SPACE}s" if seconds < 120 else f"{seconds // 60}{NARROW_SPACE}min"


def _control_class(widget: forms.Widget) -> str:
    if isinstance(widget, forms.CheckboxInput | forms.RadioSelect | forms.CheckboxSelectMultiple):
        return "form-check-input"
    return "form-select" if isinstance(widget, forms.Select) else "form-control"


def _choice(choice: BoundWidget, css: str) -> SafeString:
    choice.data["attrs"]["class"] = css
    return format_html(
        '<label class="form-check form-check-inline">{}<span class="form-check-label">{}</span></label>',
        choice.tag(),
        choice.choice_label,
    )


@register.simple_tag
def control(field: BoundField) -> SafeString:
    """Draw a form field's control in the page's style; Django adds the links to its help and its errors."""
    widget = field.field.widget
    invalid = "is-invalid" if field.errors else None
    css = " ".join(filter(None, [widget.attrs.get("class"), _control_class(widget), invalid]))
    if isinstance(widget, forms.RadioSelect | forms.CheckboxSelectMultiple):
        return format_html_join("", "{}", ((_choice(choice, css),) for choice in field.subwidgets))
    return field.as_widget(attrs={"class": css})


@register.filter
def control_kind(field: BoundField) -> str:
    """Tell partials/field.html how to lay a field out: "check", "group" (several buttons) or "input"."""
    widget = field.field.widget
    if isinstance(widget, forms.RadioSelect | forms.CheckboxSelectMultiple):
        return "group"
    return "check" if isinstance(widget, forms.CheckboxInput) else "input"


@register.filter
def page_numbers(paginator: "Paginator[Any]", number: int) -> list[int | str]:
    """The page numbers worth a link: the first, the last, and those around the page shown."""
    return list(paginator.get_elided_page_range(number, on_each_side=2, on_ends=1))
