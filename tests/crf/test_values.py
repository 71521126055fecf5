"""Single values: what is taken, what is refused, and that each refusal is a sentence."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from unittest.mock import patch

import pytest
from django.utils import translation
from hypothesis import given
from hypothesis import strategies as st

from apps.crf.conditions import Value
from apps.crf.dictionary import Variable, VariableType, load_dictionary
from apps.crf.texts import Text
from apps.crf.values import RefusedValueError, bounds, clean_text, display, parse_value

VARIABLES = load_dictionary().variables
NUMBERS = [v for v in VARIABLES.values() if v.type in (VariableType.INTEGER, VariableType.DECIMAL)]
NOTE = Variable(name="note", label=Text(en="Note", **{"zh-Hans": "备注"}), type=VariableType.TEXT, max_length=100)


def refusal(variable: Variable, raw: object) -> str:
    with pytest.raises(RefusedValueError) as caught:
        parse_value(variable, raw)
    sentence = str(caught.value)
    assert sentence.endswith((".", "。"))
    assert len(sentence) < 200
    return sentence


@pytest.mark.parametrize("variable", NUMBERS, ids=lambda v: v.name)
def test_every_range_edge(variable: Variable) -> None:
    low, high = bounds(variable.range)
    step = 1 if variable.type == VariableType.INTEGER else 10**-variable.decimals
    for edge in (low, high):
        shown = f"{edge:g}"
        assert parse_value(variable, shown) == edge
        assert parse_value(variable, int(edge)) == edge
    for outside in (low - step, high + step):
        assert "outside" in refusal(variable, f"{outside:.{variable.decimals}f}" if step < 1 else f"{outside:g}")


@pytest.mark.parametrize(
    ("name", "raw", "value"),
    [
        ("gcs", "7", 7), ("gcs", " 7 ", 7), ("gcs", 7, 7), ("gcs", 7.0, 7), ("gcs", "", None), ("gcs", "  ", None),
        ("gcs", None, None), ("onset_to_ct_hours", "2.5", 2.5), ("onset_to_ct_hours", 2.5, 2.5),
        ("onset_to_ct_hours", "2", 2.0), ("onset_to_ct_hours", "-0", 0.0), ("ivh", "true", True), ("ivh", False, False),
        ("sex", "male", "male"), ("gos_discharge", "1", 1), ("gos_discharge", 5, 5),
        ("admission_date", "2024-02-29", "2024-02-29"), ("outcome_assessor", " NS-02 ", "NS-02"),
    ],
)  # fmt: skip
def test_what_is_taken(name: str, raw: object, value: Value) -> None:
    parsed = parse_value(VARIABLES[name], raw)
    assert parsed == value
    assert type(parsed) is type(value)


@pytest.mark.parametrize(
    ("name", "raw"),
    [
        ("gcs", "12,5"), ("gcs", "12.5"), ("gcs", "7.0"), ("gcs", "1e1"), ("gcs", "seven"), ("gcs", "１２"),
        ("gcs", True), ("gcs", float("nan")), ("gcs", float("inf")), ("gcs", 7.5), ("gcs", "0x7"), ("gcs", "9" * 400),
        ("gcs", [7]), ("gcs", {"value": 7}), ("onset_to_ct_hours", "2.555"), ("onset_to_ct_hours", ".5"),
        ("onset_to_ct_hours", "nan"), ("ivh", "yes"), ("ivh", 1), ("ivh", "1"), ("sex", "other"), ("sex", True),
        ("gos_discharge", "0"), ("gos_discharge", 6), ("gos_discharge", True), ("gos_discharge", 1.5),
        ("admission_date", "2023-02-29"), ("admission_date", "29.02.2024"), ("admission_date", "20240229"),
        ("admission_date", 20240229), ("admission_date", "1999-12-31"), ("admission_date", "2024-1-1"),
        ("outcome_assessor", "Dr. Wang Wei"), ("outcome_assessor", 7), ("outcome_assessor", "=A1"),
        ("outcome_assessor", "A1\x00"), ("gcs", "7\u202e"), ("sex", "male\x1b"), ("gcs", "\ud800"),
    ],
)  # fmt: skip
def test_what_is_refused(name: str, raw: object) -> None:
    refusal(VARIABLES[name], raw)


def test_a_decimal_comma_is_explained() -> None:
    assert refusal(VARIABLES["onset_to_ct_hours"], "12,5") == "Write the decimal sign as a point: 12.5, not 12,5."


def test_a_million_characters_are_refused_without_repeating_them() -> None:
    for variable in (*VARIABLES.values(), NOTE):
        refusal(variable, "9" * 1_000_000)


def test_formula_like_text_stays_text() -> None:
    for text in ("=1+1", "+CMD|' /C calc'!A0", "@SUM(A1)", "-2"):
        assert parse_value(NOTE, text) == text


def test_chinese_text_is_text() -> None:
    assert parse_value(NOTE, "左侧基底节 ") == "左侧基底节"


def test_a_date_may_be_today_anywhere_on_earth_and_no_later() -> None:
    noon = datetime(2024, 3, 31, 12, 0, tzinfo=UTC)
    with patch("apps.crf.values.timezone.now", return_value=noon):
        assert parse_value(VARIABLES["admission_date"], "2024-04-01") == "2024-04-01"  # it is, in Kiribati
        assert "future" in refusal(VARIABLES["admission_date"], "2024-04-02")
        assert "future" in refusal(VARIABLES["admission_date"], "9999-12-31")


def test_sentences_name_range_and_unit() -> None:
    assert refusal(VARIABLES["age"], "200") == "Enter a value from 0 to 120 years; 200 lies outside."
    with translation.override("zh-hans"):
        assert refusal(VARIABLES["age"], "200") == "请输入0至120 岁的值；200超出范围。"


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("gcs", 7, "7"), ("onset_to_ct_hours", 2.0, "2"), ("onset_to_ct_hours", 2.25, "2.25"), ("ivh", True, "Yes"),
        ("ivh", False, "No"), ("sex", "female", "Female"), ("gos_discharge", 3, "3 – Severe disability"),
        ("gcs", None, ""),
    ],
)  # fmt: skip
def test_display(name: str, value: Value, text: str) -> None:
    assert display(VARIABLES[name], value) == text


@given(st.text(max_size=300))
def test_any_text_is_taken_or_refused_by_every_variable(text: str) -> None:
    for variable in VARIABLES.values():
        try:
            value = parse_value(variable, text)
        except RefusedValueError:
            continue
        assert value is None or parse_value(variable, value) == value


@given(st.dates(min_value=date(2000, 1, 1), max_value=date.today() - timedelta(days=1)))
def test_every_past_day_is_taken(day: date) -> None:
    assert parse_value(VARIABLES["admission_date"], day.isoformat()) == day.isoformat()


def test_clean_text_counts_before_it_strips() -> None:
    assert clean_text(" a ", 3) == "a"
    with pytest.raises(RefusedValueError, match="at most 3"):
        clean_text(" ab ", 3)
