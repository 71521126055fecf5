"""Reading the source tree by its syntax: what imports what, and how long things are."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

# Each app may import those to its left, and none that stands beside it in its own group.
ORDER: tuple[frozenset[str], ...] = (
    frozenset({"core"}),
    frozenset({"accounts"}),
    frozenset({"audit"}),
    frozenset({"patients"}),
    frozenset({"crf", "imaging"}),
    frozenset({"annotation"}),
    frozenset({"cohorts"}),
    frozenset({"experiments"}),
    frozenset({"predictions"}),
    frozenset({"analytics"}),
    frozenset({"demonstration"}),
)
LEVEL = {app: level for level, group in enumerate(ORDER) for app in group}
MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 40


@dataclass(frozen=True)
class Import:
    """One imported module, and where."""

    path: str
    line: int
    module: str


def sources(root: Path, *folders: str) -> list[Path]:
    """Return the Python files below the folders, without migrations."""
    found = (path for folder in folders for path in (root / folder).rglob("*.py"))
    return sorted(path for path in found if "migrations" not in path.parts)


def imports_in(path: Path, root: Path) -> Iterator[Import]:
    """Yield every module that a file imports, at its top or inside a function, by its full name."""
    place = str(path.relative_to(root))
    package = list(path.relative_to(root).with_suffix("").parts)
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(place, node.lineno, alias.name)
        elif isinstance(node, ast.ImportFrom):
            base = package[: -node.level] if node.level else []
            module = ".".join([*base, *(node.module or "").split(".")]).strip(".")
            yield Import(place, node.lineno, module)
            for alias in node.names:  # `from apps import crf` imports apps.crf
                yield Import(place, node.lineno, f"{module}.{alias.name}")
        elif isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] == "import_module":
            yield from (Import(place, node.lineno, str(a.value)) for a in node.args[:1] if isinstance(a, ast.Constant))


def wrong_imports(root: Path) -> list[str]:
    """Return each import against the direction platform -> apps -> ml, and among the apps."""
    wrong = []
    for path in sources(root, "ml", "apps", "platform"):
        for found in imports_in(path, root):
            reason = _reason(found)
            if reason:
                wrong.append(f"{found.path}:{found.line}: {reason}")
    return sorted(set(wrong))


def _reason(found: Import) -> str:
    part = found.path.split("/")
    target = found.module.split(".")
    if part[0] == "ml":
        return f"ml imports {target[0]}" if target[0] in {"django", "apps", "ichor", "rest_framework", "celery"} else ""
    if part[0] == "apps":
        if target[0] == "ichor":
            return "an app imports the project"
        if target[0] == "apps" and len(target) > 1 and len(part) > 2:
            return _reason_among_apps(part[1], target[1])
    if target[0] == "docker" or target[0] == "frontend":
        return f"{target[0]} is a folder here, so its import always succeeds"
    return ""


def _reason_among_apps(app: str, target: str) -> str:
    if app not in LEVEL or target not in LEVEL:
        return f"{app} -> {target}: not an app of the order in tests/layout.py"
    if app == target or LEVEL[target] < LEVEL[app]:
        return ""
    return f"{app} imports {target}"


def too_long(root: Path) -> list[str]:
    """Return the files and functions that are longer than the project allows."""
    found = []
    for path in sources(root, "apps", "ml", "platform"):
        text = path.read_text()
        place = path.relative_to(root)
        if (lines := len(text.splitlines())) > MAX_FILE_LINES:
            found.append(f"{place}: {lines} lines")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = _length(node)
                if length > MAX_FUNCTION_LINES:
                    found.append(f"{place}:{node.lineno}: {node.name} has {length} lines")
    return found


def _length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Count a function's lines without its docstring: shapes, units and sources are wanted there."""
    assert node.end_lineno is not None
    length = node.end_lineno - node.lineno + 1
    if ast.get_docstring(node) is not None:
        first = node.body[0]
        assert first.end_lineno is not None
        length -= first.end_lineno - first.lineno + 1
    return length


def calls_of(path: Path) -> Iterator[tuple[int, str]]:
    """Yield (line, dotted name) of each call and each decorator of a file."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            yield node.lineno, ast.unparse(node.func)
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            for decorator in node.decorator_list:
                yield decorator.lineno, ast.unparse(decorator)
