"""manage.py dictionary: the file that it writes, and the dry run of a file that somebody brings."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from apps.crf.dictionary import load_dictionary
from apps.crf.redcap import csv_to_dictionary, dictionary_to_csv

FILES = Path(__file__).parent / "redcap" / "files"


def run(*arguments: object) -> str:
    out = StringIO()
    call_command("dictionary", *map(str, arguments), stdout=out)
    return out.getvalue()


def test_the_file_comes_back_as_the_dictionary(tmp_path: Path) -> None:
    out = tmp_path / "ich.csv"
    assert run("--redcap", out) == f"ich-1: 70 variables written to {out}.\n"
    data = out.read_bytes()
    assert b"\r" not in data
    assert csv_to_dictionary(data.decode(), name="ich", version="1") == load_dictionary()
    said = run("--check", out)
    assert said.startswith(
        "ich-2: 10 sections, 70 variables, 18 rules.\n  admission: admission_date (date), age (integer), "
    )
    assert said.endswith("Beside ich-1: the same variables.\n")
    assert "Left out" not in said


def test_a_file_is_never_written_over(tmp_path: Path) -> None:
    out = tmp_path / "kept.csv"
    out.write_text("mine")
    with pytest.raises(CommandError, match="There is a file of that name"):
        run("--redcap", out)
    assert out.read_text() == "mine"


def test_what_would_become_of_a_file_is_told() -> None:
    lines = run("--check", FILES / "registry.csv", "--as", "registry-7").splitlines()
    assert lines[0] == "registry-7: 4 sections, 10 variables, 0 rules."
    assert lines[2] == "  demographics__body_measures: weight (decimal)"
    assert "Left out, or different here:" in lines
    assert "  Row 9, vent_days: Of the Field Annotation this is left out: “@HIDDEN-SURVEY”." in lines
    assert lines[-1].startswith("Beside ich-1: new: weight, admitted, ")
    assert "; gone: admission_date, " in lines[-1]
    assert lines[-1].endswith("; changed: age, sex.")


def test_an_edit_is_seen_as_a_change(tmp_path: Path) -> None:
    edited = tmp_path / "edited.csv"
    edited.write_text(dictionary_to_csv(load_dictionary()).replace(",0,120,", ",0,110,"), encoding="utf-8", newline="")
    assert run("--check", edited).endswith("Beside ich-1: changed: age.\n")


def test_all_faults_are_printed_and_the_command_fails() -> None:
    err = StringIO()
    with pytest.raises(CommandError, match=r"Faults: 41\. Nothing would be taken over"):
        call_command("dictionary", "--check", str(FILES / "unsupported.csv"), stderr=err)
    lines = err.getvalue().splitlines()
    assert len(lines) == 41
    assert lines[1].startswith("Row 3, symptoms: The type “checkbox” can't be kept")
    assert lines[-1] == "Row 38, last: The rows of the form “basics” do not follow each other."


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "one of the arguments --redcap --check is required"),
        (("--redcap", "a.csv", "--check", "b.csv"), "not allowed with argument"),
        (("--check", "/no/such/file.csv"), "No such file"),
        (("--check", FILES / "registry.csv", "--as", "Registry 7"), "by its name and number, such as ich-2"),
        (("--redcap", "/no/such/folder/a.csv"), "No such file"),
    ],
)
def test_a_wrong_call_is_refused(arguments: tuple[object, ...], said: str) -> None:
    with pytest.raises(CommandError, match=said):
        run(*arguments)


def test_another_encoding_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "old.csv"
    file.write_bytes(dictionary_to_csv(load_dictionary()).replace("Age,", "Âge,", 1).encode("cp1252", "replace"))
    with pytest.raises(CommandError, match="not UTF-8"):
        run("--check", file)
