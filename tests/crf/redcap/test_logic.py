"""Branching logic: read as REDCap evaluates it, on every value and on blanks, and refused where we can't say the same.

The truth table is not ours: each expression stands beside the same thing in Python, over values with blanks.
"""

from __future__ import annotations

import itertools
import math
import operator
import re
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from apps.crf.conditions import Compare, Condition, Group, OneOf
from apps.crf.dictionary import Variable
from apps.crf.redcap.logic import LogicError, has_comment, parse_logic
from apps.crf.redcap.logic_text import write_logic

LABEL = {"en": "L", "zh-Hans": "标"}


def variable(name: str, kind: str, **more: Any) -> Variable:
    found: Variable = TypeAdapter(Variable).validate_python({"name": name, "label": LABEL, "type": kind, **more})
    return found


def choices(*codes: int | str) -> list[dict[str, Any]]:
    return [{"value": code, "label": LABEL} for code in codes]


KNOWN = {
    "treatment": variable("treatment", "choice", choices=choices("cmt", "cc", "mia")),
    "mrs": variable("mrs", "choice", choices=choices(0, 1, 2, 3)),
    "ivh": variable("ivh", "yesno"),
    "age": variable("age", "integer", range=[0, 120]),
    "other": variable("other", "decimal", range=[0, 120]),
    "day": variable("day", "date", range=[date(2000, 1, 1), "today"]),
    "later": variable("later", "date", range=[date(2000, 1, 1), "today"]),
    "note": variable("note", "text"),
}
VALUES: dict[str, list[Any]] = {
    "treatment": [None, "cmt", "cc", "mia"],
    "mrs": [None, 0, 1, 3],
    "ivh": [None, True, False],
    "age": [None, 0, 17, 18, 19],
    "other": [None, 0, 18.5],
}
Truth = Callable[[Mapping[str, Any]], bool]


def below(value: Any, bound: Any) -> bool:
    return value is not None and bound is not None and value < bound


TABLE: list[tuple[str, Truth]] = [
    ("[treatment] = 'cc'", lambda v: v["treatment"] == "cc"),
    ('[treatment]="cc"', lambda v: v["treatment"] == "cc"),
    ("'cc' = [treatment]", lambda v: v["treatment"] == "cc"),
    ("[treatment] == 'cc'", lambda v: v["treatment"] == "cc"),
    ("[treatment] = 'cc' or [treatment]='mia'", lambda v: v["treatment"] in {"cc", "mia"}),
    ("[treatment] = 'cc' || [treatment]='mia'", lambda v: v["treatment"] in {"cc", "mia"}),
    ("[ivh] = '1'", lambda v: v["ivh"] is True),
    ("[ivh]=1", lambda v: v["ivh"] is True),
    ("[ivh] = '0'", lambda v: v["ivh"] is False),
    ("[mrs] = '0'", lambda v: v["mrs"] == 0 and v["mrs"] is not None),
    ("[mrs] <= 1", lambda v: v["mrs"] is not None and v["mrs"] <= 1),
    ("[age] >= 18", lambda v: v["age"] is not None and v["age"] >= 18),
    ("[age]>='18'", lambda v: v["age"] is not None and v["age"] >= 18),
    ("18 <= [age]", lambda v: v["age"] is not None and v["age"] >= 18),
    ("18 > [age]", lambda v: below(v["age"], 18)),
    ("[age] < 18", lambda v: below(v["age"], 18)),
    ("[age] <> '' and [age] < 18", lambda v: below(v["age"], 18)),
    ('[age] != "" and ([age] < 18 and [ivh] = 1)', lambda v: below(v["age"], 18) and v["ivh"] is True),
    ("([age] <> '' and [other] <> '') and [age] < [other]", lambda v: below(v["age"], v["other"])),
    ("[age] <> '' and ([age] < 18 or [age] > 18)", lambda v: v["age"] not in {None, 18}),
    ("[age] = 18", lambda v: v["age"] == 18),
    ("[age] = 18.0", lambda v: v["age"] == 18),
    ("[age] < [other]", lambda v: below(v["age"], v["other"])),
    ("[other] = [age]", lambda v: v["age"] is not None and v["age"] == v["other"]),
    ("[age] > -1", lambda v: v["age"] is not None),
    ("[other] > 18.25", lambda v: below(18.25, v["other"])),
    # and binds closer than or
    ("[ivh]='1' or [age]>=18 and [mrs]='3'", lambda v: v["ivh"] is True or (v["age"] in {18, 19} and v["mrs"] == 3)),
    ("[age]>=18 and [mrs]='3' or [ivh]='1'", lambda v: v["ivh"] is True or (v["age"] in {18, 19} and v["mrs"] == 3)),
    ("([ivh]='1' or [age]>=18) and [mrs]='3'", lambda v: (v["ivh"] is True or v["age"] in {18, 19}) and v["mrs"] == 3),
    ("[mrs]='3' AND ([ivh]='1' OR [age]>=18)", lambda v: (v["ivh"] is True or v["age"] in {18, 19}) and v["mrs"] == 3),
    ("((([ivh]='1')))", lambda v: v["ivh"] is True),
    ("\n [ivh]\t=\n'1' \r\n And\n[mrs] = '3'\n", lambda v: v["ivh"] is True and v["mrs"] == 3),
    ("// only with blood\n[ivh] = '1'\n# and so on", lambda v: v["ivh"] is True),
    (
        "[treatment]='cc' or [mrs]='1' or [treatment]='mia'",
        lambda v: v["treatment"] in {"cc", "mia"} or v["mrs"] == 1,
    ),
]


def all_values() -> list[dict[str, Any]]:
    return [dict(zip(VALUES, values, strict=True)) for values in itertools.product(*VALUES.values())]


@pytest.mark.parametrize(("expression", "truth"), TABLE, ids=[expression for expression, _ in TABLE])
def test_an_expression_means_what_redcap_means(expression: str, truth: Truth) -> None:
    condition = parse_logic(expression, KNOWN)
    again = parse_logic(write_logic(condition), KNOWN)
    for values in all_values():
        assert condition.holds(values) is truth(values), values
        assert again.holds(values) is truth(values), (write_logic(condition), values)


@pytest.mark.parametrize(
    ("condition", "text"),
    [
        (OneOf("treatment", ("cc", "mia")), "[treatment] = 'cc' or [treatment] = 'mia'"),
        (OneOf("ivh", (True,)), "[ivh] = '1'"),
        (OneOf("mrs", (0,)), "[mrs] = '0'"),
        (Compare("age", "at_least", number=18), "[age] >= 18"),
        # REDCap may take a blank for zero: it must not open what lies below 18.
        (Compare("age", "less_than", number=18), "[age] <> '' and [age] < 18"),
        (Compare("age", "at_least", number=0), "[age] <> '' and [age] >= 0"),
        (Compare("other", "more_than", number=1e-07), "[other] > 0.0000001"),
        (Compare("age", "less_than", other="other"), "[age] <> '' and [other] <> '' and [age] < [other]"),
        (
            Group("all", (OneOf("treatment", ("cc", "mia")), OneOf("ivh", (False,)))),
            "([treatment] = 'cc' or [treatment] = 'mia') and [ivh] = '0'",
        ),
    ],
)
def test_a_condition_is_written_so_that_a_blank_opens_nothing(condition: Condition, text: str) -> None:
    assert write_logic(condition) == text
    assert parse_logic(text, KNOWN) == condition


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("[ivh] <> '1'", "<> has no counterpart here"),
        ("[ivh] != '1'", "!= has no counterpart here"),
        ("[age] <> ''", "only beside a comparison of the same variable"),
        ("[age] <> '' and [ivh] = '1'", "only beside a comparison of the same variable"),
        ("[age] > 3 and ([age] <> '' or [ivh]='1')", "joined by or"),
        ("[age] = ''", "a blank can't be asked for"),
        ("[age] = \"\"", "a blank can't be asked for"),
        ("[symptoms(1)] = '1'", "one box of a checkbox"),
        ("[baseline_arm_1][age] > 3", "an event in front of a variable"),
        ("[user-role-name] = 'x'", "smart variables"),
        ("[event-name][age] > 3", "smart variables"),
        ("[age:value] = '3'", "smart variables"),
        ("[Age] > 3", "is no variable"),
        ("[nobody] = '1'", r"\[nobody\] is no variable of an earlier row"),
        ("datediff([day], 'today', 'd') > 3", r"function datediff\(\) has no counterpart"),
        ("sum([age], [other]) > 3", r"function sum\(\) has no counterpart"),
        ("[age] + [other] > 3", "calculations have no counterpart"),
        ("[age] * 2 > 3", "calculations have no counterpart"),
        ("[age] - 1 > 3", "calculations have no counterpart"),
        ("not [ivh] = '1'", "“not” is not understood"),
        ("[treatment] = cc", "“cc” is not understood; texts stand in quotation marks"),
        ("[treatment] = 'none'", r"\[treatment\] has no choice “none”"),
        ("[ivh] = 'yes'", "1 for yes or 0 for no"),
        ("[ivh] > 0", "is no number"),
        ("[treatment] > 1", "is no number"),
        ("[note] = 'x'", "is no number"),
        ("[day] > '2024-01-01'", "date can only be compared with another date"),
        ("[age] > 'x'", "“x” is no number"),
        ("[age] >", "ends too early"),
        ("[age]", "ends too early"),
        ("[age] 18", "ends too early"),
        ("[age] 18 >", "comparison such as"),
        ("18 > 3", "comparison such as"),
        ("(([age] > 3)", "opened and not closed"),
        ("[age] > 3)", "in the wrong place"),
        ("[age] > 3 [ivh] = '1'", "in the wrong place"),
        ("[age > 3", "is opened and not closed"),
        ("[ivh] = '1", "is opened and not closed"),
        ("[ivh] = ‘1’", "curly quotation marks"),
        ("[age] > 3 and", "ends too early"),
        ("and [age] > 3", "comparison such as"),
        ("()", "ends too early"),
        ("{age} > 3", "“{” is not understood"),
        ("[age] > 3; drop", "“;” is not understood"),
        ("[age] > " + "9" * 5000, "is no number"),
        ("(" * 21 + "[age] > 3" + ")" * 21, "more than 20 brackets"),
        ("(" * 9000, "more than 20 brackets"),
        ("[age] > 3 " * 1001, "more than 10000 characters"),
        ("// nothing", "ends too early"),
    ],
)  # fmt: skip
def test_what_a_condition_cannot_say_is_refused_with_the_expression(expression: str, said: str) -> None:
    with pytest.raises(LogicError, match=said) as caught:
        parse_logic(expression, KNOWN)
    assert " ".join(expression.split())[:200] in str(caught.value)


def test_two_dates_are_compared() -> None:
    condition = parse_logic("[later] < [day]", KNOWN)
    assert condition == Compare("later", "less_than", other="day")
    assert condition.holds({"later": "2024-01-01", "day": "2024-01-02"})
    assert not condition.holds({"later": None, "day": "2024-01-02"})


def test_comments_are_seen() -> None:
    assert has_comment("  // so\n[ivh] = '1'")
    assert has_comment("[ivh] = '1'\n#")
    assert not has_comment("[treatment] = '#' and [treatment] = '//'")


ORDERS = ["less_than", "at_most", "more_than", "at_least"]
ATOMS = st.one_of(
    st.sampled_from([OneOf("treatment", ("cc",)), OneOf("treatment", ("cmt", "mia")), OneOf("mrs", (0, 3)),
                     OneOf("ivh", (True,)), OneOf("ivh", (False,))]),
    st.builds(Compare, st.sampled_from(["age", "other", "mrs"]), st.sampled_from(ORDERS),
              number=st.sampled_from([-1, 0, 1, 18, 18.5])),
    st.builds(Compare, st.just("age"), st.sampled_from(["less_than", "at_least"]), other=st.just("other")),
)  # fmt: skip
CONDITIONS = st.recursive(
    ATOMS,
    lambda part: st.builds(Group, st.sampled_from(["all", "any"]), st.lists(part, min_size=1, max_size=3).map(tuple)),
    max_leaves=6,
)


COMPARISON = re.compile(r"\[(\w+)\] (<>|<=|>=|=|<|>) ('[^']*'|\[\w+\]|[-.\d]+)")
PYTHON = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}


def redcap_holds(expression: str, values: Mapping[str, Any], blank: float) -> bool:
    """Evaluate as a REDCap that takes a blank number for NaN (its browser side), or for zero."""

    def stored(name: str) -> str:
        value = values[name]
        return "" if value is None else str(int(value) if isinstance(value, bool) else value)

    def number(text: str) -> float:
        text = stored(text[1:-1]) if text.startswith("[") else text
        return float(text) if text else blank

    def answer(found: re.Match[str]) -> str:
        name, sign, right = found.groups()
        if sign in PYTHON:
            return str(PYTHON[sign](number(f"[{name}]"), number(right)))
        return str((stored(name) == right[1:-1]) is (sign == "="))

    return bool(eval(COMPARISON.sub(answer, expression)))


@given(condition=CONDITIONS, values=st.sampled_from(all_values()), blank=st.sampled_from([math.nan, 0.0]))
def test_what_we_write_holds_in_redcap_when_it_holds_here(
    condition: Condition, values: dict[str, Any], blank: float
) -> None:
    assert redcap_holds(write_logic(condition), values, blank) is condition.holds(values)


@given(condition=CONDITIONS, values=st.sampled_from(all_values()))
def test_what_we_write_we_read_with_the_same_meaning(condition: Condition, values: dict[str, Any]) -> None:
    assert parse_logic(write_logic(condition), KNOWN).holds(values) is condition.holds(values)


@given(st.text(alphabet="[]()'\"<>=!&|andor age ivh 13.,-/#\n", max_size=60))
def test_no_text_breaks_the_parser(expression: str) -> None:
    try:
        parse_logic(expression, KNOWN)
    except LogicError as error:
        assert len(str(error)) > 20
