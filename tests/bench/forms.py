"""Case report forms under 50 people at once, as gunicorn serves them: opening one, and saving one."""

from __future__ import annotations

import json
import os
import random
import re
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import requests

from tests.bench.table import Peer, show
from tests.services.servers import Server, free_port
from tests.services.site import ROOT

USERS, SECONDS, PATIENTS_PER_CENTER = 50, 60.0, 400
# Seconds between two steps of one person. A form has 45 fields, so even the longer pause is short for who fills it in;
# the shorter one tells how much more the machine bears.
USUAL, HURRIED = (5.0, 15.0), (1.0, 5.0)
WARM_UP = 20
TARGET = 0.15
TOKEN = "a" * 32
_VERSION = re.compile(r'name="version" value="(\d+)"')


@dataclass
class Times:
    """Seconds of each request, by what it was."""

    open: list[float] = field(default_factory=list)
    save: list[float] = field(default_factory=list)
    empty: list[float] = field(default_factory=list)


def run() -> None:
    from django.db import connection
    from django.test.utils import setup_databases, setup_test_environment, teardown_databases

    setup_test_environment()
    old = setup_databases(verbosity=0, interactive=False)
    try:
        if connection.vendor != "postgresql":
            print("Forms under load are measured on PostgreSQL alone: start it with tests.services.with_servers.")
            return
        sessions, patients = _people()
        with serve_web() as root:
            for _number in range(WARM_UP):
                _session(sessions[0]).get(f"{root}/patients/{patients[0]}/crf/", timeout=60)
            print(f"{USERS} people at once, {len(patients)} patients, 95th percentiles")
            _show("a step in 5 to 15 s", _work(root, sessions, patients, USUAL), target=TARGET)
            _show("a step in 1 to 5 s", _work(root, sessions, patients, HURRIED))
    finally:
        teardown_databases(old, verbosity=0)


def _show(pace: str, times: Times, target: float | None = None) -> None:
    peer = Peer("an empty page", _p95(times.empty))
    show(f"  form opens, {pace}", _p95(times.open), target=target, peer=peer, note=f"n = {len(times.open)}")
    show(f"  form saves, {pace}", _p95(times.save), target=target, peer=peer, note=f"n = {len(times.save)}")


def _p95(seconds: list[float]) -> float:
    return sorted(seconds)[int(0.95 * len(seconds))]


def _people() -> tuple[list[str], list[str]]:
    """Make patients with whole forms, and a session for each of the people."""
    from django.test import Client

    from apps.accounts.models import Membership
    from apps.accounts.policy import Role
    from apps.patients.models import Patient
    from tests.analytics.factory import make_finished_experiment
    from tests.factories import UserFactory

    make_finished_experiment(PATIENTS_PER_CENTER)
    sessions = []
    for number in range(USERS):
        client = Client()
        user = UserFactory(username=f"person-{number}")
        Membership.objects.create(user=user, role=Role.DATA_MANAGER)
        client.force_login(user, backend="allauth.account.auth_backends.AuthenticationBackend")
        sessions.append(client.cookies["sessionid"].value)
    return sessions, list(Patient.objects.values_list("study_id", flat=True))


@contextmanager
def serve_web() -> Iterator[str]:
    """Serve the test database and store as docker/Dockerfile does, on a loopback port."""
    from django.conf import settings
    from django.db import connection

    port = free_port()
    parts = urlsplit(os.environ["DATABASE_URL"])
    environment = os.environ | {
        "ICHOR_TEST_VAR": str(settings.VAR),
        "DATABASE_URL": urlunsplit(parts._replace(path=f"/{connection.settings_dict['NAME']}")),
        "PYTHONPATH": os.pathsep.join([str(ROOT / "platform"), str(ROOT)]),
    }
    command = [sys.executable, "-W", "ignore", "-m", *_served(f"127.0.0.1:{port}")]
    root = f"http://127.0.0.1:{port}"

    def answers() -> bool:
        try:
            return requests.get(f"{root}/healthz", timeout=5).ok
        except requests.RequestException:  # the first answer waits until all is imported
            return False

    with tempfile.TemporaryDirectory() as folder:
        web = Server(command, Path(folder) / "web.log", answers, cwd=ROOT, env=environment)
        web.start()
        try:
            yield root
        finally:
            web.kill()


def _served(address: str) -> list[str]:
    """Return the command of docker/Dockerfile, with another address."""
    lines = (ROOT / "docker" / "Dockerfile").read_text().splitlines()
    command = json.loads(next(line for line in lines if line.startswith("CMD ")).removeprefix("CMD "))
    command[command.index("--bind") + 1] = address
    return list(command)


def _work(root: str, sessions: list[str], patients: list[str], pause: tuple[float, float]) -> Times:
    times = Times()
    end = time.monotonic() + SECONDS
    people = [
        threading.Thread(target=_person, args=(root, cookie, random.Random(number), patients, times, end, pause))
        for number, cookie in enumerate(sessions)
    ]
    for person in people:
        person.start()
    for person in people:
        person.join()
    return times


def _person(
    root: str, cookie: str, chance: random.Random, patients: list[str], times: Times, end: float,
    pause: tuple[float, float],
) -> None:  # fmt: skip
    session = _session(cookie)
    while time.monotonic() < end:
        time.sleep(chance.uniform(*pause))
        address = f"{root}/patients/{chance.choice(patients)}/crf/"
        page = _timed(times.open, session, "get", address)
        version = _VERSION.search(page.text)
        assert page.status_code == 200 and version, page.status_code
        time.sleep(chance.uniform(*pause))
        values = {"version": version[1], "systolic_bp": str(chance.randint(190, 240)), "reason": "bench of forms"}
        answer = _timed(times.save, session, "post", address, data=values, headers={"X-CSRFToken": TOKEN})
        assert answer.status_code in {302, 409}, answer.status_code  # 409: another was there meanwhile
        _timed(times.empty, session, "get", f"{root}/healthz")


def _session(cookie: str) -> requests.Session:
    """Return a signed-in session. Each request has a connection of its own, as a proxy in front makes them."""
    session = requests.Session()
    session.cookies.update({"sessionid": cookie, "csrftoken": TOKEN})
    session.headers["Connection"] = "close"
    return session


def _timed(
    into: list[float], session: requests.Session, method: str, address: str, **options: object
) -> requests.Response:
    start = time.perf_counter()
    answer = session.request(method, address, timeout=60, allow_redirects=False, **options)  # type: ignore[arg-type]
    into.append(time.perf_counter() - start)
    return answer
