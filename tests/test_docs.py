"""The reference pages name all that they are the reference of."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from apps.accounts.policy import Permission, Role
from tests.conftest import ROOT

REFERENCE = ROOT / "docs" / "reference"


def page(name: str) -> str:
    return (REFERENCE / name).read_text()


@pytest.mark.parametrize("role", list(Role))
def test_each_role_is_described(role: Role) -> None:
    assert f"| {role.label} |" in page("roles.md")


@pytest.mark.parametrize("permission", list(Permission))
def test_each_permission_is_named(permission: Permission) -> None:
    assert f"`{permission}`" in page("roles.md")


def environment_variables() -> list[str]:
    sources = [*(ROOT / "platform" / "ichor" / "settings").glob("*.py")]
    names = {
        name for file in sources for name in re.findall(r'"((?:ICHOR_|DATABASE_|REDIS_)[A-Z_]+)"', file.read_text())
    }
    assert len(names) > 10
    return sorted(names)


@pytest.mark.parametrize("name", environment_variables())
def test_each_setting_is_described(name: str) -> None:
    assert f"`{name}`" in page("settings.md")


def management_commands() -> list[Path]:
    return [file for file in (ROOT / "apps").glob("*/management/commands/*.py") if file.name != "__init__.py"]


@pytest.mark.parametrize("file", management_commands(), ids=lambda file: file.stem)
def test_each_command_is_described(file: Path) -> None:
    assert re.search(rf"`{file.stem}\b", page("command-line.md"))


@pytest.mark.parametrize("text", [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")], ids=lambda file: file.name)
def test_links_between_pages_lead_somewhere(text: Path) -> None:
    for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", text.read_text()):
        assert (text.parent / target).exists(), target
