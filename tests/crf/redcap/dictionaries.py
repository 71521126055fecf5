"""Dictionaries of every kind that the format allows, drawn by hypothesis."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from hypothesis import strategies as st
from pydantic import TypeAdapter

from apps.crf.dictionary import Dictionary

# What breaks a CSV file, a list of choices, HTML, a spreadsheet, or the reader of an annotation.
AWKWARD = [
    "=1+1", "+1", "-1", "@SUM(A1)", "=cmd|' /C calc'!A0", "a | b", "1, Yes | 0, No", "<b>bold</b>", "x <b y",
    "x < 3 & y > 2", "R&amp;D", "&#124;", "&copy it", "&lt;", "<script>alert(1)</script>", " lead", "trail ", "\ttab\t",
    "two\nlines", "\r\n", "\r",
    'say "no", then', "'", "@HIDDEN", "@ICHOR={\"a\": 1}", "Ichor: x", "Unit: mmHg; first", "; ",
    "גיל \u200fבשנים", "年龄",
    "\N{BYTE ORDER MARK}x", "\u2028", "e\u0301", "😀", "<", "&", "\\u0041", "nbsp\u00a0", "\u3000wide",
]  # fmt: skip
TEXTS = st.one_of(
    st.sampled_from(AWKWARD),
    st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=20),
    st.lists(st.sampled_from(AWKWARD), min_size=2, max_size=3).map("".join),
)
BOTH = st.one_of(
    st.builds(lambda en, zh: {"en": en, "zh-Hans": zh}, TEXTS, TEXTS),
    TEXTS.map(lambda text: {"en": text, "zh-Hans": text}),
)
CODES = st.one_of(
    st.integers(-99, 10**20), st.from_regex(r"-[0-9]+|[A-Za-z0-9_.][A-Za-z0-9_.-]{0,5}", fullmatch=True),
    st.sampled_from(["1", "01", "-9", "1.0", "None", "true"]),
)  # fmt: skip
NUMBERS = st.one_of(st.integers(-1000, 1000).map(float), st.floats(-1e6, 1e6))
DAYS = st.dates(date(1900, 1, 1), date(2100, 1, 1))
SECTION_NAMES = st.from_regex(r"[a-z][a-z0-9]?(_{1,2}[a-z0-9]{1,3}){0,2}_?", fullmatch=True)
KINDS = ["integer", "decimal", "yesno", "choice", "date", "text"]


@st.composite
def ranges(draw: st.DrawFn, kind: str) -> list[Any]:
    if kind == "date":
        low = draw(DAYS)
        return [low, draw(st.one_of(st.just("today"), st.integers(0, 999).map(lambda days: low + timedelta(days))))]
    return sorted(draw(st.lists(NUMBERS, min_size=2, max_size=2)))


@st.composite
def typed(draw: st.DrawFn, kind: str) -> dict[str, Any]:
    """Draw what belongs to one type."""
    data: dict[str, Any] = {"type": kind}
    if kind in {"integer", "decimal", "date"}:
        data["range"] = draw(ranges(kind))
        if draw(st.booleans()):
            data["usual"] = draw(ranges(kind))
        if kind != "date" and draw(st.booleans()):
            data["unit"] = draw(BOTH)
    if kind == "choice":
        codes = draw(st.lists(CODES, min_size=1, max_size=4, unique_by=str))
        data["choices"] = [{"value": code, "label": draw(BOTH)} for code in codes]
    if kind == "text" and draw(st.booleans()):
        data["pattern"] = {
            "regex": draw(st.sampled_from(["[A-Z]{1,3}", "a|b", '"\\d+"', "<@>"])),
            "sentence": draw(BOTH),
        }
    return data


@st.composite
def roles(draw: st.DrawFn) -> dict[str, Any]:
    """Draw what belongs to every type."""
    chosen = {
        "short": BOTH, "help": BOTH, "required": st.booleans(), "double_entry": st.booleans(), "outcome": st.booleans(),
        "decided_later": st.booleans(), "table_one": st.sampled_from(["median_iqr", "count_pct"]),
        "decimals": st.integers(1, 6), "max_length": st.integers(1, 500),
    }  # fmt: skip
    return {name: draw(strategy) for name, strategy in chosen.items() if draw(st.booleans())}


@st.composite
def conditions(draw: st.DrawFn, above: list[dict[str, Any]], *, deep: bool = True) -> dict[str, Any]:
    """Draw a condition on variables that stand above."""
    if deep and draw(st.booleans()):
        parts = draw(st.lists(conditions(above, deep=False), min_size=1, max_size=3))
        return {draw(st.sampled_from(["all", "any"])): parts}
    variable = draw(st.sampled_from(above))
    order = draw(st.sampled_from(["less_than", "at_most", "more_than", "at_least"]))
    if variable["type"] in {"integer", "decimal"}:
        return {"variable": variable["name"], order: draw(NUMBERS)}
    if variable["type"] == "date":
        return {"variable": variable["name"], order: variable["name"]}
    values = [True, False] if variable["type"] == "yesno" else [choice["value"] for choice in variable["choices"]]
    return {"variable": variable["name"], "one_of": draw(st.lists(st.sampled_from(values), min_size=1, unique=True))}


@st.composite
def dictionaries(draw: st.DrawFn) -> Dictionary:
    variables: list[dict[str, Any]] = []
    for number, kind in enumerate(draw(st.lists(st.sampled_from(KINDS), max_size=7))):
        name = draw(st.sampled_from([f"v{number}", f"record_id{number or ''}", f"long_name__{number}_x"]))
        data = {"name": name, "label": draw(BOTH), **draw(roles()), **draw(typed(kind))}
        outcome = data.get("outcome", False)
        above = [v for v in variables if v.get("outcome", False) == outcome and v["type"] != "text"]
        if above and draw(st.booleans()):
            data["show_if"] = draw(conditions(above))
        variables.append(data)
    codes = draw(st.lists(st.integers(0, 9), min_size=1, max_size=3, unique=True))
    choices = [{"value": code, "label": draw(BOTH)} for code in codes]
    variables.append(
        {
            "name": "gos", "label": draw(BOTH), "type": "choice", "outcome": True, "choices": choices,
            "poor_outcome": codes[:1],
            "score_inputs": {"infratentorial": {code: code > 4 for code in codes}},
        }
    )  # fmt: skip
    for role in ("model_feature", "list_column"):
        for place, data in enumerate(draw(st.permutations(variables))[: draw(st.integers(0, 4))], start=1):
            data[role] = place
    named = [v for v in variables if v["type"] != "text"]
    rules = [
        {
            "name": f"rule_{n}", "level": draw(st.sampled_from(["hard", "soft"])),
            "forbid": draw(conditions(named)), "sentence": draw(BOTH),
        }
        for n in range(draw(st.integers(0, 3)))
    ]  # fmt: skip
    data = {
        "name": "drawn",
        "version": "12",
        "title": draw(BOTH),
        "sections": _sections(draw, variables),
        "rules": rules,
        **_visits_and_forms(draw),
    }
    found: Dictionary = TypeAdapter(Dictionary).validate_python(data)
    return found


def _visits_and_forms(draw: st.DrawFn) -> dict[str, Any]:
    """Draw forms beside the main one, each with a question, a branch and a rule of its own."""
    visits = [
        {"name": f"visit_{n}", "label": draw(BOTH)}
        | draw(st.sampled_from([{}, {"months": 3 * n}, {"unless": {"variable": "gos", "at_most": 3}}]))
        for n in (1, 2, 3)
    ]
    forms = []
    for name in draw(st.lists(st.sampled_from(["gos", "gos_2", "follow_up", "x__y"]), max_size=3, unique=True)):
        first, second = f"{name}_asked", f"{name}_then"
        variables = [
            {"name": first, "label": draw(BOTH), **draw(typed("yesno"))},
            {
                "name": second,
                "label": draw(BOTH),
                "show_if": {"variable": first, "one_of": [True]},
                **draw(typed("integer")),
            },
        ]
        sections = [{"name": f"{name}_1", "label": draw(BOTH), "variables": variables}]
        if draw(st.booleans()):
            sections = [
                {"name": f"{name}_{n}", "label": draw(BOTH), "variables": [v]} for n, v in enumerate(variables, 1)
            ]
        forbid = {"variable": second, "more_than": 5}
        rules = [{"name": f"{name}_rule", "level": "soft", "forbid": forbid, "sentence": draw(BOTH)}]
        repeats = draw(st.booleans())
        at = ["visit_1"] if repeats else draw(st.permutations(["visit_1", "visit_3"]))
        forms.append(
            {
                "name": name, "label": draw(BOTH), "visits": at, "repeats": repeats, "sections": sections,
                "rules": rules if draw(st.booleans()) else [],
            }
        )  # fmt: skip
    return {"visits": visits, "forms": forms}


def _sections(draw: st.DrawFn, variables: list[dict[str, Any]]) -> list[dict[str, Any]]:
    cuts = sorted(draw(st.sets(st.integers(1, len(variables) - 1)))) if len(variables) > 1 else []
    parts = [variables[low:high] for low, high in zip([0, *cuts], [*cuts, len(variables)], strict=True)]
    names = draw(st.lists(SECTION_NAMES, min_size=len(parts), max_size=len(parts), unique=True))
    labels = [draw(st.one_of(BOTH, st.just({"en": name.title(), "zh-Hans": "节"}))) for name in names]
    return [
        {"name": name, "label": label, "variables": part}
        for name, label, part in zip(names, labels, parts, strict=True)
    ]
