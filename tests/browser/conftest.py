"""A small demonstration study with its web server and workers, as real processes, and a real Chromium."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright
from pytest_django.live_server_helper import LiveServer

from apps.accounts.models import User
from apps.accounts.policy import Role
from tests.browser.opening import REFUSED, OpenAs
from tests.conftest import ROOT

CHROMIUM = "/usr/bin/chromium"
FLAGS = [
    "--no-sandbox",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--ignore-gpu-blocklist",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# A server that shares two cores with three browsers may well take more than the five seconds that are usual.
expect.set_options(timeout=15_000)
PASSWORD = "simulated-study"  # the demonstration's, shown on its sign-in page
# Enough that every center has five patients of either outcome, which its curves need.
PATIENTS = 80


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run `manage.py demo` with few patients and one epoch, as a stranger would, and give its address.

    ICHOR_TEST_SITE names a demonstration that runs already, for work on these tests.
    """
    if running := os.environ.get("ICHOR_TEST_SITE"):
        yield running
        return
    var = tmp_path_factory.mktemp("demonstration")
    port = free_port()
    environment = {
        **{name: value for name, value in os.environ.items() if name not in {"DATABASE_URL", "REDIS_URL"}},
        "DJANGO_SETTINGS_MODULE": "ichor.settings.embedded",
        "ICHOR_DEMONSTRATION": "1",
        "ICHOR_VAR": str(var),
    }
    command = [
        sys.executable,
        "manage.py",
        "demo",
        "--port",
        str(port),
        "--patients",
        str(PATIENTS),
        "--in-hospital",
        "1",
        "--epochs",
        "1",
    ]
    log = var / "demo.log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=output)
        try:
            url = f"http://127.0.0.1:{port}"
            wait_until(lambda: answers(f"{url}/readyz") or ended(process, log), 1800)
            yield url
        finally:
            # Not an interrupt: a shell that runs in the background has its children ignore that.
            process.terminate()
            process.wait(timeout=60)
            shutil.rmtree(var, ignore_errors=True)


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return bool(response.status == 200)
    except OSError:
        return False


def ended(process: subprocess.Popen[bytes], log: Path) -> bool:
    if process.poll() is not None:
        raise AssertionError("the demonstration ended:\n" + log.read_text()[-3000:])
    return False


def wait_until(condition: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError("waited too long")
        time.sleep(0.5)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if not Path(CHROMIUM).exists():
        pytest.fail("Chromium is missing; `make system` installs it.")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield running
        running.close()


@pytest.fixture
def sign_in(site: str, browser: Browser) -> Iterator[Callable[..., Page]]:
    """Return a function that signs a demonstration account in and gives its page; a script error fails the test."""
    faults: list[str] = []
    contexts = []

    def open_page(username: str, **options: object) -> Page:
        context = browser.new_context(base_url=site, viewport={"width": 1400, "height": 900}, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(30_000)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
        page.goto("/account/login/")
        page.locator("form input[name=login]").fill(username)
        page.locator("form input[type=password]").fill(PASSWORD)
        page.locator("form button[type=submit]").first.click()
        page.wait_for_url(re.compile(r"^(?!.*login)"))
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not [fault for fault in faults if not REFUSED.search(fault)]


@pytest.fixture
def sign_in_as(
    live_server: LiveServer, client_as: Callable[[User], Client], users: dict[Role, User]
) -> Callable[[BrowserContext, Role], None]:
    """Return a function that gives a browser the session of a role of C1 at the test's own server."""

    def sign_in(context: BrowserContext, role: Role) -> None:
        cookie = client_as(users[role]).cookies["sessionid"].value
        context.add_cookies([{"name": "sessionid", "value": cookie, "url": live_server.url}])

    return sign_in


@pytest.fixture
def open_as(
    browser: Browser, live_server: LiveServer, sign_in_as: Callable[[BrowserContext, Role], None]
) -> Iterator[OpenAs]:
    """Return a function that opens a page for a role; an error of a script or of the page's policy fails the test."""
    faults: list[str] = []
    contexts = []

    def open_page(role: Role, address: str, width: int = 1400, **options: Any) -> Page:
        context = browser.new_context(base_url=live_server.url, viewport={"width": width, "height": 900}, **options)
        contexts.append(context)
        sign_in_as(context, role)
        page = context.new_page()
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda line: faults.append(line.text) if line.type == "error" else None)
        page.goto(address)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert [fault for fault in faults if not REFUSED.search(fault)] == []
