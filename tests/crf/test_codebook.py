"""The codebook's page and its file: every variable in both languages, conditions in words, and who may read it."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from collections.abc import Callable
from datetime import date
from html.parser import HTMLParser
from typing import Any

import pytest
from django.test import Client
from django.utils import translation
from rest_framework.test import APIClient

from apps.accounts.models import User
from apps.accounts.policy import Role
from apps.crf.codebook.entries import SCORE_INPUTS, checks_of, parts_of
from apps.crf.codebook.words import condition_words, range_words, type_words
from apps.crf.conditions import parse_condition
from apps.crf.dictionary import FOLDER, load_dictionary
from apps.crf.redcap import csv_to_dictionary

Users = dict[Role, User]
PAGE = "/codebook/"
FILE = "/api/v1/dictionary/redcap.csv"
SCRIPT = FOLDER.parent / "static" / "crf" / "codebook.js"


class Rows(HTMLParser):
    """Collects the text of each row by its id."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: dict[str, str] = {}
        self.open = ""
        self.links: list[str] = []
        self.ids: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if found.get("id"):
            self.ids.append(str(found["id"]))
        if tag == "tr" and found.get("id"):
            self.open = str(found["id"])
            self.rows[self.open] = ""
        if tag == "a" and str(found.get("href")).startswith("#"):
            self.links.append(str(found["href"])[1:])

    def handle_endtag(self, tag: str) -> None:
        if tag == "tr":
            self.open = ""

    def handle_data(self, data: str) -> None:
        if self.open:
            self.rows[self.open] = " ".join(f"{self.rows[self.open]} {data}".split())


def read_page(client: Client, language: str = "en") -> Rows:
    page = Rows()
    page.feed(client.get(PAGE, headers={"accept-language": language}).content.decode())
    return page


@pytest.fixture
def client_of(users: Users, client_as: Callable[[User], Client]) -> Callable[[Role], Client]:
    return lambda role: client_as(users[role])


# Written by hand from ich-1.yaml.
ENGLISH = {
    "variable-age": [
        "Age age Completed years at admission.", "whole number (years)", "possible 0 to 120 years",
        "usual 18 to 100 years",
        "always", "required · entered twice", "Model: feature 1", "Table 1: median and quartiles",
        "Clinical scores: age",
        "Patient list: column 1",
    ],
    "variable-onset_to_ct_hours": ["decimal number, up to 2 decimals (hours)", "usual 0.2 to 72 hours"],
    "variable-sex": ["one of male Male female Female", "Table 1: number and percentage"],
    "variable-nihss": ["optional · entered twice", "Clinical scores: NIHSS"],
    "variable-bleed_site": ["lobar_frontal Lobar, frontal", "Clinical scores: site of the hemorrhage, lobar or not"],
    "variable-treatment": ["Model: feature 22", "Decided after admission: left out by a model for the door"],
    "variable-operation_date": [
        "date possible 2000-01-01 to today",
        "if “Treatment” is “Conventional craniotomy (CC)” or “Minimally invasive surgery (MIA)”",
        "checked The operation can't lie after the discharge.",
    ],
    "variable-withdrawal_date": ["if “Withdrawal of care” is “Yes”"],
    "variable-gos_discharge": [
        "1 Dead poor outcome", "4 Moderate disability 5 Good recovery", "Outcome: entered by the assessor",
    ],
    "variable-outcome_assessor": ["text, up to 8 characters", "pattern [A-Z]{1,3}-?[0-9]{1,4}", "required Outcome"],
    "check-diastolic_below_systolic": [
        "“Diastolic blood pressure” is at least “Systolic blood pressure”", "diastolic_bp systolic_bp", "refused",
    ],
    "check-discharge_after_admission": ["“Date of discharge” is before “Date of admission”"],
    "check-coma_fits_gcs": ["“Coma” is “Yes” and “Glasgow Coma Scale” is above 8", "to be checked"],
    "check-death_on_both_scales": [
        "(“Glasgow Outcome Scale at discharge” is “1 – Dead” and “Modified Rankin Scale at discharge” is at most 5)",
    ],
}  # fmt: skip
CHINESE = {
    "variable-age": ["年龄 age 入院时的周岁年龄。", "整数 (岁)", "允许 0至120 岁", "始终", "必填", "模型：第1个特征"],
    "variable-operation_date": ["当“治疗方式”为“常规开颅手术（CC）”或“微创手术（MIA）”"],
    "check-discharge_after_admission": ["“出院日期”早于“入院日期”", "拒绝保存"],
    "check-coma_fits_gcs": ["“昏迷”为“是”且“格拉斯哥昏迷评分（GCS）”高于8", "需核对"],
}


@pytest.mark.parametrize(("language", "expected"), [("en", ENGLISH), ("zh-Hans", CHINESE)])
def test_each_variable_is_told(
    client_of: Callable[[Role], Client], language: str, expected: dict[str, list[str]]
) -> None:
    rows = read_page(client_of(Role.SCIENTIST), language).rows
    for row, texts in expected.items():
        for text in texts:
            assert text in rows[row], row


def test_the_page_holds_every_variable_and_check_and_its_links_lead_somewhere(
    client_of: Callable[[Role], Client],
) -> None:
    page = read_page(client_of(Role.MONITOR))
    dictionary = load_dictionary()
    variables = [f"variable-{name}" for name in dictionary.all_variables]
    assert list(page.rows) == variables + [f"check-{rule.name}" for rule in dictionary.all_rules]
    assert len(page.ids) == len(set(page.ids))
    assert set(page.links) <= set(page.ids)
    assert len(page.links) > len(variables)


def test_the_page_costs_no_query_per_variable(
    client_of: Callable[[Role], Client], django_assert_max_num_queries: Any
) -> None:
    client = client_of(Role.PI)
    client.get(PAGE)
    with django_assert_max_num_queries(6):
        client.get(PAGE)


def test_the_navigation_leads_there_for_who_may_read_it(client_of: Callable[[Role], Client]) -> None:
    readers = {role for role in Role if b'href="/codebook/"' in client_of(role).get("/", follow=True).content}
    assert readers == {
        Role.COORDINATOR, Role.ASSESSOR, Role.DATA_MANAGER, Role.PI, Role.SCIENTIST, Role.MONITOR,
    }  # fmt: skip


@pytest.mark.parametrize("accept", ["*/*", "text/csv", "application/json", "text/html"])
def test_the_file_is_the_dictionary(users: Users, api_as: Callable[[User], APIClient], accept: str) -> None:
    answer = api_as(users[Role.SCIENTIST]).get(FILE, headers={"accept": accept})
    assert answer.status_code == 200
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert answer["Content-Disposition"] == 'attachment; filename="ich-1-redcap.csv"'
    assert csv_to_dictionary(answer.content.decode(), name="ich", version="1") == load_dictionary()


@pytest.mark.parametrize("accept", ["*/*", "text/csv"])
def test_who_may_not_read_it_is_told_so_in_json(users: Users, api_as: Callable[[User], APIClient], accept: str) -> None:
    answer = api_as(users[Role.ANNOTATOR]).get(FILE, headers={"accept": accept})
    assert (answer.status_code, answer["Content-Type"]) == (404, "application/json")
    answer = APIClient().get(FILE, headers={"accept": accept})
    assert (answer.status_code, answer["WWW-Authenticate"]) == (401, "Token")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"variable": "age", "less_than": 18}, "“Age” is below 18 years"),
        ({"variable": "onset_to_ct_hours", "at_least": 2.5}, "“Onset to first CT” is at least 2.5 hours"),
        (
            {"variable": "outcome_date", "at_most": "discharge_date"},
            "“Date of assessment” is not after “Date of discharge”",
        ),
        ({"variable": "ivh", "one_of": [True, False]}, "“Extension to the ventricles (IVH)” is “Yes” or “No”"),
        (
            {"all": [{"variable": "coma", "one_of": [True]}, {"any": [{"variable": "gcs", "at_most": 3}] * 2}]},
            "“Coma” is “Yes” and (“Glasgow Coma Scale” is at most 3 or “Glasgow Coma Scale” is at most 3)",
        ),
        ({"any": [{"all": [{"variable": "coma", "one_of": [True]}]}]}, "“Coma” is “Yes”"),
    ],
)
def test_conditions_in_words(data: object, words: str) -> None:
    with translation.override("en"):
        assert condition_words(parse_condition(data), load_dictionary().variables) == words


def test_bounds_and_types_in_words() -> None:
    variables = load_dictionary().variables
    with translation.override("en"):
        assert range_words(variables["admission_date"].range, variables["admission_date"]) == "2000-01-01 to today"
        assert range_words(None, variables["sex"]) == ""
        assert type_words(variables["ivh"]) == "yes or no"
    assert variables["admission_date"].range is not None
    assert variables["admission_date"].range.low == date(2000, 1, 1)


def test_every_check_is_said_without_a_name_of_the_file() -> None:
    dictionary = load_dictionary()
    for language in ("en", "zh-hans"):
        with translation.override(language):
            words = [check.forbids for check in checks_of(dictionary)]
            words += [entry.applies for part in parts_of(dictionary) for entry in part.entries]
        names = [name for name in dictionary.variables if "_" in name]
        assert not [text for text in words if any(name in text for name in names)]


def test_every_input_of_a_score_has_its_word() -> None:
    given = {name for variable in load_dictionary().variables.values() for name in variable.score_inputs}
    assert given == set(SCORE_INPUTS)


RUN = """
import { readFileSync } from "node:fs";
const { source, cases } = JSON.parse(readFileSync(0, "utf8"));
const { fold, matches, wordsOf } = await import("data:text/javascript;base64," + source);
console.log(JSON.stringify(cases.map(([text, query]) => matches(fold(text), wordsOf(query)))));
"""


@pytest.mark.skipif(shutil.which("node") is None, reason="Node.js is not installed")
def test_the_search_finds_what_a_person_means() -> None:
    cases: dict[tuple[str, str], bool] = {
        ("Date of admission admission_date", "admission date"): True,
        ("Date of admission admission_date", "admission_date"): True,
        ("Date of admission admission_date", "DATE  adm"): True,
        ("Admission: the date", "admission_date"): False,
        ("Date of admission admission_date", "discharge"): False,
        ("Naïve", "naive"): True,
        ("naive", "naïve"): True,
        ("年龄 age", "年龄"): True,
        ("年龄 age", "性别"): False,
        ("anything", "   "): True,
        ("a (b) [c] .*", ".* ["): True,
    }
    sent = {"source": base64.b64encode(SCRIPT.read_bytes()).decode(), "cases": list(cases)}
    run = subprocess.run(
        ["node", "--input-type=module", "-e", RUN], input=json.dumps(sent), capture_output=True, text=True, check=True
    )
    assert json.loads(run.stdout) == list(cases.values())
