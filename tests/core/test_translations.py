"""The Chinese texts: complete, with the placeholders of the English ones, up to date, and shown."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.pofile import read_po
from django.test import Client
from django.utils.translation import gettext, override

from apps.accounts.models import User
from apps.accounts.policy import Role
from apps.cohorts.table import REASONS
from apps.core.errors import Refusal
from apps.experiments.presets import config_of
from apps.patients.models import Patient
from tests.conftest import ROOT

CATALOG = Path("apps/core/locale/zh_Hans/LC_MESSAGES/django.po")
CHINESE = {"accept-language": "zh-Hans"}
HAN = re.compile(r"[\u4e00-\u9fff]")
PLACEHOLDER = re.compile(r"%\(\w+\)[sd]|\{\w+\}|%%")
# Written alike in both languages.
SAME = {"AUC", "CI", "CT", "HU", "Ichor", "ICH", "ICH-GS", "GCS", "GOS", "UTC"}


def read_catalog(path: Path) -> Catalog:
    with path.open("rb") as file:
        return read_po(file, locale="zh_Hans")


def entries(catalog: Catalog) -> list[Message]:
    return [message for message in catalog if message.id]


def texts(value: str | tuple[str, ...] | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else list(value)


def names(catalog: Catalog) -> set[tuple[str | None, str]]:
    return {(message.context, text) for message in entries(catalog) for text in texts(message.id)}


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return read_catalog(ROOT / CATALOG)


def test_each_text_has_a_chinese_one(catalog: Catalog) -> None:
    assert len(entries(catalog)) > 400
    assert [message.id for message in entries(catalog) if message.fuzzy] == []
    words = (PLACEHOLDER.sub("", text).strip(" ，") for message in entries(catalog) for text in texts(message.string))
    assert {text for text in words if not HAN.search(text)} <= SAME


def test_a_chinese_text_has_the_placeholders_of_the_english_one(catalog: Catalog) -> None:
    for message in entries(catalog):
        forms = [set(PLACEHOLDER.findall(text)) for text in texts(message.id)]
        for text in texts(message.string):
            found = set(PLACEHOLDER.findall(text))
            # A singular may spell its number out; what all forms have, the translation must have.
            assert set.intersection(*forms) <= found <= set.union(*forms), message.id


def test_there_is_one_plural_form(catalog: Catalog) -> None:
    assert catalog.num_plurals == 1
    assert {len(texts(message.string)) for message in entries(catalog)} == {1}


@pytest.mark.skipif(shutil.which("xgettext") is None, reason="xgettext is absent; it comes with Debian's gettext")
def test_the_catalog_is_up_to_date(catalog: Catalog, tmp_path: Path) -> None:
    shutil.copy(ROOT / "manage.py", tmp_path)
    for folder in ("apps", "platform"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("locale", "__pycache__"))
    (tmp_path / CATALOG).parent.mkdir(parents=True)
    command = [sys.executable, "manage.py", "makemessages", "-l", "zh_Hans", "--no-location"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, timeout=120)
    current = names(read_catalog(tmp_path / CATALOG))
    kept = names(catalog)
    assert current - kept == set(), "not in the catalog: run `make messages` and translate"
    assert kept - current == set(), "no longer in the sources: run `make messages`"


class Headings(HTMLParser):
    """Collects the texts of headings, labels, buttons and navigation."""

    TAGS = frozenset({"title", "h1", "h2", "h3", "th", "label", "legend", "button"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in self.TAGS:
            self.open.append(tag)
            # The menu of languages names each in itself.
            self.found.append("" if dict(attrs).get("lang") is None else "中文")

    def handle_endtag(self, tag: str) -> None:
        if self.open and tag == self.open[-1]:
            self.open.pop()

    def handle_data(self, data: str) -> None:
        if self.open:
            self.found[-1] += data


def headings(html: str) -> list[str]:
    parser = Headings()
    parser.feed(html)
    return [" ".join(text.split()) for text in parser.found if text.strip()]


def is_chinese(text: str) -> bool:
    return bool(HAN.search(text)) or text in SAME


@pytest.mark.django_db
def test_the_sign_in_page_is_chinese(client: Client) -> None:
    html = client.get("/account/login/", headers=CHINESE).content.decode()
    assert 'lang="zh-hans"' in html
    assert "仅供研究使用，不得用于临床决策。" in html
    assert "登录" in headings(html)
    assert [text for text in headings(html) if not is_chinese(text)] == []


def test_the_patient_list_is_chinese(
    users: dict[Role, User], patient: Patient, client_as: Callable[[User], Client]
) -> None:
    html = client_as(users[Role.COORDINATOR]).get("/patients/", headers=CHINESE).content.decode()
    assert {"患者", "研究编号", "入组日期"} <= {text.rstrip(" ↑↓") for text in headings(html)}
    rows = {patient.study_id}
    assert [text for text in headings(html) if not is_chinese(text) and text not in rows] == []


def test_an_upload_is_refused_in_chinese(
    users: dict[Role, User], patient: Patient, client_as: Callable[[User], Client]
) -> None:
    client = client_as(users[Role.COORDINATOR])
    answer = client.post(f"/patients/{patient.study_id}/ct/", headers=CHINESE | {"accept": "application/json"})
    assert answer.status_code == 422
    assert answer.json()["detail"] == "未选择文件。请选择ZIP文件或一个CT序列的文件。"


def test_a_refusal_is_chinese_for_chinese_readers() -> None:
    with override("zh-hans"), pytest.raises(Refusal) as caught:
        config_of("none")
    assert caught.value.sentence == "没有这一配置。请选择study或small。"


def test_the_reasons_for_leaving_patients_out_are_translated() -> None:
    with override("zh-hans"):
        assert all(HAN.search(gettext(reason)) for reason in REASONS)
