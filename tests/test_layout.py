"""The house rules that a machine can check: direction of imports, names, sizes, and the folder named platform."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command

from tests.layout import LEVEL, calls_of, sources, too_long, wrong_imports

ROOT = Path(__file__).resolve().parents[1]


def test_imports_point_one_way() -> None:
    assert wrong_imports(ROOT) == []


@pytest.mark.parametrize(
    ("file", "text", "reason"),
    [
        ("ml/scores/x.py", "import django.db\n", "ml imports django"),
        ("ml/x.py", "def f():\n    from apps.core import store\n", "ml imports apps"),
        ("apps/core/x.py", "from apps.accounts.models import User\n", "core imports accounts"),
        ("apps/crf/x.py", "def f():\n    import apps.imaging.models\n", "crf imports imaging"),
        ("apps/crf/x.py", "from apps import predictions\n", "crf imports predictions"),
        ("apps/crf/x.py", "from ..cohorts import models\n", "crf imports cohorts"),
        ("apps/crf/x.py", "import_module('apps.analytics.selectors')\n", "crf imports analytics"),
        ("apps/crf/x.py", "from ichor.settings import base\n", "an app imports the project"),
        ("apps/billing/x.py", "from apps.core import jobs\n", "not an app of the order"),
        ("platform/ichor/x.py", "try:\n    import docker\nexcept ImportError:\n    pass\n", "is a folder here"),
    ],
)
def test_a_planted_import_is_found(tmp_path: Path, file: str, text: str, reason: str) -> None:
    path = tmp_path / file
    path.parent.mkdir(parents=True)
    path.write_text(text)
    found = wrong_imports(tmp_path)
    assert len(found) >= 1
    assert all(f"{file}:" in line for line in found)
    assert any(reason in line for line in found)


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("apps/crf/x.py", "from apps.patients.models import Patient\nimport ml.scores\n"),
        ("apps/crf/x.py", "from . import models\nfrom .models import CrfForm\n"),
        ("platform/ichor/x.py", "from apps.core.health import healthz\nimport platform\n"),
        ("ml/x.py", "import numpy\nfrom ml.errors import MLError\n"),
    ],
)
def test_an_import_in_the_right_direction_passes(tmp_path: Path, file: str, text: str) -> None:
    path = tmp_path / file
    path.parent.mkdir(parents=True)
    path.write_text(text)
    assert wrong_imports(tmp_path) == []


def test_every_app_has_its_place_in_the_order() -> None:
    folders = {path.parent.name for path in (ROOT / "apps").glob("*/apps.py")}
    assert folders == set(LEVEL)
    assert {path.name for path in (ROOT / "apps").iterdir() if path.is_dir()} - folders <= {"__pycache__"}


def test_files_that_every_app_may_have_hold_what_their_names_say() -> None:
    """A write is found in services.py, a task in tasks.py, and so on, in every app alike."""
    wrong = []
    for path in sources(ROOT, "apps"):
        names = {name for _, name in calls_of(path)}
        place = path.relative_to(ROOT)
        if "durable_task" in names and path.name != "tasks.py":
            wrong.append(f"{place}: a durable task outside tasks.py")
        if path.name in {"views.py", "api.py"} and names & {"transaction.atomic", "record"}:
            wrong.append(f"{place}: a write; it belongs into services.py")
        if path.name == "selectors.py" and names & {"transaction.atomic", "record"}:
            wrong.append(f"{place}: a write in a selector")
        if "path" in names and path.name not in {"urls.py", "api_urls.py"}:
            wrong.append(f"{place}: addresses outside urls.py")
    assert wrong == []


def test_nothing_fetches_an_object_past_the_gates() -> None:
    """`Model.objects.get` in a view would raise a 500 for an absent object and show a foreign one."""
    wrong = [
        f"{path.relative_to(ROOT)}:{line}: {name}"
        for path in sources(ROOT, "apps")
        if path.name in {"views.py", "api.py"}
        for line, name in calls_of(path)
        if name.endswith((".objects.get", "get_object_or_404"))
    ]
    assert wrong == []


def test_celery_is_used_through_durable_task_alone() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{line}: {name}"
        for path in sources(ROOT, "apps", "platform")
        if path.relative_to(ROOT).parts[:2] != ("apps", "core")
        for line, name in calls_of(path)
        if name.endswith((".delay", ".apply_async", ".send_task")) or name.split("(")[0] in {"shared_task", "app.task"}
    ]
    assert wrong == []


def test_arrays_are_read_in_one_place() -> None:
    """numpy's own reader fails at random where two threads read at once: `ml/arrays.py` says why."""
    wrong = [
        f"{path.relative_to(ROOT)}:{line}: {name}"
        for path in sources(ROOT, "apps", "ml", "platform")
        if path != ROOT / "ml" / "arrays.py"
        for line, name in calls_of(path)
        if name in {"np.load", "numpy.load", "ast.literal_eval", "ast.parse"} or name.startswith("np.lib.format.")
    ]
    assert wrong == []


def test_files_and_functions_are_short() -> None:
    assert too_long(ROOT) == []


def test_length_is_measured(tmp_path: Path) -> None:
    (tmp_path / "ml").mkdir()
    body = "    x = 1\n"
    (tmp_path / "ml" / "a.py").write_text("def short():\n" + 39 * body + "def long():\n" + 40 * body)
    (tmp_path / "ml" / "b.py").write_text("x = 1\n" * 401)
    doc = '    """\n' + "    word\n" * 50 + '    """\n'
    (tmp_path / "ml" / "c.py").write_text("def told():\n" + doc + 39 * body)
    assert too_long(tmp_path) == ["ml/a.py:41: long has 41 lines", "ml/b.py: 401 lines"]


def test_platform_is_the_standard_librarys() -> None:
    """A module or package marker right in platform/ would take the place of Python's own module `platform`."""
    assert platform.__file__ is not None
    assert not Path(platform.__file__).is_relative_to(ROOT / "platform")
    assert list((ROOT / "platform").glob("*.py")) == []
    assert {path.name for path in (ROOT / "platform").iterdir()} - {"__pycache__"} == {"ichor"}


@pytest.mark.slow
def test_the_library_stands_alone() -> None:
    """`import ml` and each of its parts, in a fresh interpreter, loads nothing of the web."""
    parts = sorted({".".join(path.relative_to(ROOT).parent.parts) for path in sources(ROOT, "ml")})
    assert len(parts) > 5
    script = (
        f"import sys, importlib\nfor name in {parts!r}: importlib.import_module(name)\n"
        "print(sorted({name.split('.')[0] for name in sys.modules} & {'django', 'apps', 'ichor', 'celery'}))"
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith("DJANGO")}
    ran = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.strip() == "[]"


@pytest.mark.django_db
def test_migrations_are_complete() -> None:
    said = StringIO()
    call_command("makemigrations", "--check", "--dry-run", stdout=said)  # with status 1 where one is missing
    assert said.getvalue().strip() == "No changes detected"
