"""The template tags that every page uses: numbers with units, estimates, controls, icons."""

import json
from datetime import timedelta

import pytest
from django import forms
from django.conf import settings
from django.core.paginator import Paginator
from django.template import Context, Template
from django.utils import timezone
from django.utils.html import strip_tags

from apps.core.templatetags import ui

NARROW = "\u202f"


def text(markup: str) -> str:
    return strip_tags(markup).replace(NARROW, " ")


@pytest.mark.parametrize(
    ("value", "unit", "digits", "expected"),
    [
        (23.4123, "mL", 2, "23.41 mL"),
        (15, "", None, "15"),
        (-0.001, "mL", 2, "0.00 mL"),
        (-1.5, "HU", 1, "\u22121.5 HU"),
        (None, "mL", 2, "–not recorded"),
        ("", "mL", 2, "–not recorded"),
        (0, "mL", 2, "0.00 mL"),
    ],
)
def test_quantity_puts_the_unit_beside_the_number(value, unit, digits, expected):
    assert text(ui.quantity(value, unit, digits)) == expected


def test_quantity_escapes_what_it_is_given():
    assert "<script>" not in ui.quantity("<script>", "<b>")


def test_estimate_prints_its_interval():
    assert text(ui.estimate(0.7327, 0.7111, 0.7552)) == "0.733 (95 % CI 0.711–0.755)"
    assert text(ui.estimate(0.546, 0.524, 0.568, digits=1, percent=True)) == "54.6 % (95 % CI 52.4–56.8)"
    assert text(ui.estimate(0.5)) == "0.500"
    assert text(ui.estimate(None)) == "–not recorded"


def test_estimate_with_a_negative_bound_has_no_dash_that_could_be_a_minus():
    assert text(ui.estimate(0.01, -0.02, 0.04, digits=2)) == "0.01 (95 % CI \u22120.02 to 0.04)"


def test_percent_names_what_it_was_counted_from():
    assert text(ui.percent(1079, 1990)) == "54.2 % (1079/1990)"
    assert text(ui.percent(0, 7)) == "0.0 % (0/7)"
    assert text(ui.percent(0, 0)) == "–not recorded"


@pytest.mark.parametrize(("p", "expected"), [(0.00099, "<0.001"), (0.001, "0.001"), (0.0496, "0.050"), (None, "–")])
def test_p_value(p, expected):
    assert ui.p_value(p) == expected


@pytest.mark.parametrize(("p", "expected"), [(0.00099, "P < 0.001"), (0.0496, "P = 0.050"), (None, "P = –")])
def test_p_statement(p, expected):
    assert ui.p_statement(p) == expected


@pytest.mark.parametrize(("seconds", "expected"), [(4, "4 s"), (-3, "0 s"), (119, "119 s"), (125, "2 min")])
def test_age(seconds, expected):
    assert ui.age(timezone.now() - timedelta(seconds=seconds)).replace(NARROW, " ") == expected


def test_page_numbers_are_elided_in_the_middle():
    paginator = Paginator(range(1000), 10)
    assert ui.page_numbers(paginator, 50) == [1, paginator.ELLIPSIS, 48, 49, 50, 51, 52, paginator.ELLIPSIS, 100]


class Form(forms.Form):
    gcs = forms.IntegerField(label="GCS", help_text="Total of three responses.", min_value=3, max_value=15)
    sex = forms.ChoiceField(choices=[("f", "Female"), ("m", "Male")], widget=forms.RadioSelect)
    side = forms.ChoiceField(choices=[("l", "Left"), ("r", "Right")])
    ivh = forms.BooleanField(required=False)


def field_markup(name: str, data: dict[str, str], **extra: str) -> str:
    template = Template('{% include "partials/field.html" %}')
    return template.render(Context({"field": Form(data)[name], **extra}))


def test_field_links_its_control_to_its_help_and_its_errors():
    markup = field_markup("gcs", {"gcs": "16"}, unit="points")
    assert 'for="id_gcs"' in markup
    assert 'aria-invalid="true"' in markup
    described = markup.split('aria-describedby="')[1].split('"')[0].split()
    assert described
    assert all(f'id="{name}"' in markup for name in described)
    assert "less than or equal to 15" in markup
    assert "points" in markup


def test_field_shows_choices_as_a_group_and_keeps_the_answer():
    markup = field_markup("sex", {"sex": "m"})
    assert "<fieldset" in markup
    assert markup.count('type="radio"') == 2
    checked = next(tag for tag in markup.split("<input")[1:] if "checked" in tag.split(">")[0])
    assert 'value="m"' in checked


@pytest.mark.parametrize(
    ("name", "css"), [("gcs", "form-control"), ("side", "form-select"), ("ivh", "form-check-input")]
)
def test_control_has_the_class_of_its_kind(name, css):
    assert f'class="{css}"' in ui.control(Form()[name])


def test_series_colors_are_the_ones_that_the_browser_reads():
    palette = json.loads((settings.ROOT / "frontend" / "palette.json").read_text())
    assert set(palette["series"]) == set(palette["light"]) == set(palette["dark"])


def test_job_partial_asks_again_only_while_the_job_runs():
    template = Template('{% include "partials/job.html" with job_url="/job/1/" retry_url="/job/1/retry/" %}')
    shown = {
        state: template.render(Context({"job": {"state": state, "percent": 40, "failure": "No slices."}}))
        for state in ("queued", "running", "succeeded", "failed")
    }
    assert {state for state, markup in shown.items() if "hx-get" in markup} == {"queued", "running"}
    assert "No slices." in shown["failed"]
    assert 'action="/job/1/retry/"' in shown["failed"]
    assert 'action="/job/1/retry/"' not in shown["running"]
