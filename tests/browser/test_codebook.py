"""The codebook in a real browser: found by typing, linked to, readable in every shape, and printed on A4."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.test import Client
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from apps.accounts.models import User
from apps.accounts.policy import Role
from apps.crf.dictionary import load_dictionary
from tests.browser.axe import assert_accessible

VARIABLES = len(load_dictionary().all_variables)
pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.xdist_group("browser"),
    pytest.mark.django_db(transaction=True),
]


@pytest.fixture
def open_page(
    browser: Browser, live_server: LiveServer, client_as: Callable[[User], Client], users: dict[Role, User]
) -> Iterator[Callable[..., Page]]:
    """Return a function that opens the codebook; an error of a script or of the page's policy fails the test."""
    cookie = client_as(users[Role.SCIENTIST]).cookies["sessionid"].value
    faults: list[str] = []
    contexts = []

    def open_it(width: int = 1400, address: str = "/codebook/", **options: Any) -> Page:
        context = browser.new_context(base_url=live_server.url, viewport={"width": width, "height": 900}, **options)
        contexts.append(context)
        context.add_cookies([{"name": "sessionid", "value": cookie, "url": live_server.url}])
        page = context.new_page()
        page.set_default_timeout(90_000)  # the first page of a server that has just begun
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda line: faults.append(line.text) if line.type == "error" else None)
        page.goto(address)
        return page

    yield open_it
    for context in contexts:
        context.close()
    assert faults == []


def test_a_variable_is_found_by_typing(open_page: Callable[..., Page]) -> None:
    page = open_page()
    rows = page.locator("tr[id^=variable-]:visible")
    expect(rows).to_have_count(VARIABLES)
    page.keyboard.press("/")
    page.keyboard.type("systolic_bp")
    expect(rows).to_have_count(1)
    expect(rows.first).to_contain_text("Systolic blood pressure")
    expect(page.get_by_role("status").filter(has_text="variables")).to_have_text(f"1 of {VARIABLES} variables")
    expect(page.get_by_role("heading", name="History")).to_be_hidden()
    search = page.get_by_role("searchbox")
    search.fill("zzz")
    expect(page.get_by_text("No variable matches.")).to_be_visible()
    # A check links to both of its variables; one that the search hides comes back.
    search.fill("diastolic_below")
    page.locator("#check-diastolic_below_systolic a[href='#variable-systolic_bp']").click()
    expect(page.locator("#variable-systolic_bp")).to_be_in_viewport()
    expect(search).to_have_value("")
    expect(rows).to_have_count(VARIABLES)


def test_an_address_leads_to_a_variable(open_page: Callable[..., Page]) -> None:
    page = open_page(address="/codebook/#variable-gos_discharge")
    expect(page.locator("#variable-gos_discharge")).to_be_in_viewport()


@pytest.mark.parametrize("width", [1400, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("locale", ["en", "zh-Hans"])
def test_everybody_can_use_it(open_page: Callable[..., Page], width: int, scheme: str, locale: str) -> None:
    page = open_page(width, color_scheme=scheme, locale=locale)
    assert_accessible(page)


def test_without_a_script_everything_is_there(open_page: Callable[..., Page]) -> None:
    page = open_page(java_script_enabled=False)
    expect(page.locator("tr[id^=variable-]:visible")).to_have_count(VARIABLES)
    expect(page.get_by_role("searchbox")).to_be_hidden()


def test_it_prints_on_a4_with_everything(open_page: Callable[..., Page]) -> None:
    """What the search hides is printed too, the tools are not, and the pages are A4 (210 mm x 297 mm)."""
    page = open_page()
    page.get_by_role("searchbox").fill("age")
    page.emulate_media(media="print")
    expect(page.locator("tr[id^=variable-]:visible")).to_have_count(VARIABLES)
    expect(page.get_by_role("searchbox")).to_be_hidden()
    expect(page.get_by_role("button", name="Print")).to_be_hidden()
    expect(page.locator(".codebook-print-head")).to_contain_text(re.compile(r"\d{4}-\d\d-\d\d"))
    boxes = re.findall(rb"/MediaBox \[0 0 ([\d.]+) ([\d.]+)\]", plain_pdf(page.pdf(prefer_css_page_size=True)))
    assert len(boxes) > 3
    assert {(round(float(w) / 72 * 25.4), round(float(h) / 72 * 25.4)) for w, h in boxes} == {(210, 297)}


def plain_pdf(data: bytes) -> bytes:
    """Return a PDF with its compressed streams opened."""
    found = [data]
    for stream in re.findall(rb"stream\r?\n(.*?)\r?\nendstream", data, re.DOTALL):
        try:
            found.append(zlib.decompress(stream))
        except zlib.error:
            continue
    return b"\n".join(found)


def test_the_file_is_downloaded(open_page: Callable[..., Page]) -> None:
    page = open_page()
    with page.expect_download() as started:
        page.get_by_role("link", name="REDCap data dictionary (CSV)").click()
    assert started.value.suggested_filename == "ich-1-redcap.csv"
