"""Dictionary -> CSV -> the identical dictionary, and CSV -> dictionary -> the CSV of all that both know."""

from __future__ import annotations

import csv
import html
import io
import json
import re
from itertools import pairwise
from typing import Any

import pytest
from django.utils import translation
from hypothesis import HealthCheck, given, settings

from apps.core.errors import Refusal
from apps.crf.dictionary import Dictionary, load_dictionary, parse_dictionary
from apps.crf.redcap import csv_to_dictionary, decode, dictionary_to_csv, read_dictionary
from tests.crf.redcap.dictionaries import AWKWARD, dictionaries
from tests.crf.test_dictionary import tiny

# The columns as REDCap heads them, copied from the head of a downloaded dictionary (18, in this order).
HEADS = (
    '"Variable / Field Name","Form Name","Section Header","Field Type","Field Label",'
    '"Choices, Calculations, OR Slider Labels","Field Note","Text Validation Type OR Show Slider Number",'
    '"Text Validation Min","Text Validation Max",Identifier?,"Branching Logic (Show field only if...)",'
    '"Required Field?","Custom Alignment","Question Number (surveys only)","Matrix Group Name","Matrix Ranking?",'
    '"Field Annotation"'
)


def rows_of(text: str) -> list[dict[str, str]]:
    """Read as PyCap and REDCapR do: a plain CSV with the heads as keys."""
    return list(csv.DictReader(io.StringIO(text, newline="")))


def same(one: Dictionary, other: Dictionary) -> None:
    """Equal, and alike in what equality can't tell apart (1, 1.0 and true)."""
    assert one == other
    assert repr(one) == repr(other)
    assert json.dumps(one.as_data()) == json.dumps(other.as_data())


def test_the_studys_dictionary_comes_back_as_it_was() -> None:
    dictionary = load_dictionary()
    reading = read_dictionary(dictionary_to_csv(dictionary), name="ich", version="1")
    same(reading.dictionary, dictionary)
    assert reading.notes == ()


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_the_file_is_the_same_for_every_reader(language: str) -> None:
    with translation.override("en"):
        english = dictionary_to_csv(load_dictionary())
    with translation.override(language):
        assert dictionary_to_csv(load_dictionary()) == english


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(dictionary=dictionaries())
def test_every_dictionary_comes_back_as_it_was(dictionary: Dictionary) -> None:
    text = dictionary_to_csv(dictionary)
    reading = read_dictionary(text, name="drawn", version="12")
    same(reading.dictionary, dictionary)
    assert reading.notes == ()
    # Through a file with Windows line ends and a byte order mark as well.
    lines = io.StringIO(newline="")
    csv.writer(lines, lineterminator="\r\n").writerows(csv.reader(io.StringIO(text, newline="")))
    same(csv_to_dictionary(decode(lines.getvalue().encode("utf-8-sig")), name="drawn", version="12"), dictionary)


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(dictionary=dictionaries())
def test_every_file_is_a_proper_redcap_dictionary(dictionary: Dictionary) -> None:
    """The rules of REDCap's own upload, as its documentation gives them."""
    text = dictionary_to_csv(dictionary)
    rows = rows_of(text)
    names = [row["Variable / Field Name"] for row in rows]
    assert names[1:] == list(dictionary.all_variables)
    assert len(set(names)) == len(names)
    assert rows[0]["Field Type"] == "text"  # the record ID
    forms = [row["Form Name"] for row in rows]
    assert len([one for one, other in pairwise(forms) if one != other]) == len(set(forms)) - 1
    for row in rows:
        assert re.fullmatch(r"[a-z][a-z0-9_]*[a-z0-9]", row["Variable / Field Name"])
        assert re.fullmatch(r"[a-z](?:_?[a-z0-9])+", row["Form Name"])
        assert row["Field Type"] in {"text", "radio", "yesno"}
        assert row["Text Validation Type OR Show Slider Number"] in {"", "integer", "number", "date_ymd"}
        assert bool(row["Choices, Calculations, OR Slider Labels"]) is (row["Field Type"] == "radio")
        assert row["Required Field?"] in {"", "y"}
        assert None not in row
        # Neither a formula for a spreadsheet nor a tag that REDCap acts on.
        free = (
            "Field Label",
            "Section Header",
            "Field Note",
            "Field Annotation",
            "Branching Logic (Show field only if...)",
        )
        assert not any(row[column].startswith(("=", "+", "-", "@", "\t", "\r")) for column in free)
        assert set(re.findall(r"@[A-Z-]+", row["Field Annotation"])) <= {"@ICHOR", "@FORCE-MINMAX", "@CHARLIMIT"}


def test_the_columns_are_redcaps() -> None:
    text = dictionary_to_csv(load_dictionary())
    assert next(csv.reader([text.splitlines()[0]])) == next(csv.reader([HEADS]))


# Written by hand from ich-1.yaml and REDCap's documentation: form, type, label, choices, note, validation, min, max,
# logic, required.
EXPECTED = {
    "record_id": ("admission", "text", "Study ID", "", "", "", "", "", "", ""),
    "admission_date": ("admission", "text", "Date of admission", "", "", "date_ymd", "2000-01-01", "today", "", "y"),
    "age": (
        "admission", "text", "Age", "", "Unit: years; Completed years at admission.", "integer", "0", "120", "", "y",
    ),
    "sex": ("admission", "radio", "Sex", "male, Male | female, Female", "", "", "", "", "", "y"),
    "nihss": ("presentation", "text", "NIH Stroke Scale", "", "Total at admission.", "integer", "0", "42", "", ""),
    "ivh": ("hemorrhage", "yesno", "Extension to the ventricles (IVH)", "", "", "", "", "", "", "y"),
    "operation_date": (
        "course", "text", "Date of operation", "", "", "date_ymd", "2000-01-01", "today",
        "[treatment] = 'cc' or [treatment] = 'mia'", "y",
    ),
    "withdrawal_date": (
        "course", "text", "Date of withdrawal", "", "", "date_ymd", "2000-01-01", "today",
        "[withdrawal_of_care] = '1'", "y",
    ),
    "gos_discharge": (
        "outcome", "radio", "Glasgow Outcome Scale at discharge",
        "1, Dead | 2, Vegetative state | 3, Severe disability | 4, Moderate disability | 5, Good recovery",
        "", "", "", "", "", "y",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", list(EXPECTED))
def test_another_reader_finds_what_redcap_knows_in_redcaps_columns(name: str) -> None:
    row = {row["Variable / Field Name"]: row for row in rows_of(dictionary_to_csv(load_dictionary()))}[name]
    columns = (
        "Form Name", "Field Type", "Field Label", "Choices, Calculations, OR Slider Labels", "Field Note",
        "Text Validation Type OR Show Slider Number", "Text Validation Min", "Text Validation Max",
        "Branching Logic (Show field only if...)", "Required Field?",
    )  # fmt: skip
    assert tuple(row[column] for column in columns) == EXPECTED[name]


def test_what_only_ichor_knows_is_json_in_the_annotation() -> None:
    row = {row["Variable / Field Name"]: row for row in rows_of(dictionary_to_csv(load_dictionary()))}[
        "outcome_assessor"
    ]
    annotation = row["Field Annotation"]
    assert annotation.startswith("Ichor: @ICHOR={")
    assert annotation.endswith("} @CHARLIMIT=8")
    data = json.loads(annotation.removeprefix("Ichor: @ICHOR=").removesuffix(" @CHARLIMIT=8"))
    assert data["pattern"]["regex"] == "[A-Z]{1,3}-?[0-9]{1,4}"
    assert (data["outcome"], data["double_entry"], data["zh-Hans"]["label"]) == (True, False, "评估者")
    assert annotation.isascii()


def test_no_cell_is_longer_than_a_spreadsheet_holds() -> None:
    cells = [cell for row in rows_of(dictionary_to_csv(load_dictionary())) for cell in row.values()]
    assert max(map(len, cells)) < 32_767  # Excel cuts the rest off


@pytest.mark.parametrize("text", AWKWARD)
def test_an_awkward_label_comes_back_and_shows_as_itself(text: str) -> None:
    """What a browser makes of the cell's HTML is the text."""
    dictionary = parse_dictionary(tiny(number={"label": {"en": text, "zh-Hans": "数"}}))
    cell = rows_of(dictionary_to_csv(dictionary))[1]["Field Label"]
    same(csv_to_dictionary(dictionary_to_csv(dictionary), name="tiny", version="1"), dictionary)
    assert not re.search(r"<\w", cell)
    assert html.unescape(cell) == text


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"number": {"name": "n"}}, "can't hold the name “n”"),
        ({"number": {"name": "number_"}}, "can't hold the name “number_”"),
        ({"number": {"range": [0, float("inf")]}}, "can't hold the range of number"),
        (
            {"answer": {"type": "choice", "choices": [{"value": "a, b", "label": {"en": "x", "zh-Hans": "y"}}]}},
            "can't hold the code “a, b” of answer",
        ),
        (
            {"answer": {"type": "choice", "choices": [{"value": "a|b", "label": {"en": "x", "zh-Hans": "y"}}]}},
            "code “a|b”",
        ),
    ],
)
def test_what_redcap_cannot_hold_is_refused(changes: dict[str, dict[str, Any]], said: str) -> None:
    with pytest.raises(Refusal, match=re.escape(said)):
        dictionary_to_csv(parse_dictionary(tiny(**changes)))


def test_a_change_made_in_redcap_wins_over_what_was_kept() -> None:
    """English label, note, choices and logic edited there; the Chinese and the roles stay."""
    text = dictionary_to_csv(load_dictionary())
    edited = (
        text.replace(
            ",Age,,Unit: years; Completed years at admission.,", ",Age at onset,,Unit: years; Completed years.,"
        )
        .replace("1, Dead | 2, Vegetative state", "1, Deceased | 2, Vegetative state", 1)
        .replace("[treatment] = 'cc' or [treatment] = 'mia'", "[treatment] = 'mia'")
    )
    assert edited.count("Age at onset") == edited.count("Deceased") == 1
    variables = csv_to_dictionary(edited, name="ich", version="2").variables
    assert (variables["age"].label.en, variables["age"].label.zh_hans) == ("Age at onset", "年龄")
    assert variables["age"].help is not None and variables["age"].help.en == "Completed years."
    assert variables["age"].model_feature == 1
    assert str(variables["gos_discharge"].choices[0]) == "1 – Deceased"
    assert variables["gos_discharge"].choices[0].label.zh_hans == "死亡"
    show_if = variables["operation_date"].show_if
    assert show_if is not None and show_if.as_data() == {"variable": "treatment", "one_of": ["mia"]}


def test_an_edited_logic_wins_over_the_condition_that_was_kept() -> None:
    group = {"all": [{"all": [{"variable": "number", "at_least": 3}]}]}
    dictionary = parse_dictionary(tiny(answer={"show_if": group}))
    text = dictionary_to_csv(dictionary)
    assert '""show_if""' in text
    same(csv_to_dictionary(text, name="tiny", version="1"), dictionary)
    edited = csv_to_dictionary(text.replace("[number] >= 3", "[number] >= 4"), name="tiny", version="1")
    show_if = edited.variables["answer"].show_if
    assert show_if is not None and show_if.as_data() == {"variable": "number", "at_least": 4}
    cleared = csv_to_dictionary(text.replace("([number] >= 3)", ""), name="tiny", version="1")
    assert cleared.variables["answer"].show_if is None


def test_a_rule_whose_row_was_deleted_is_missed() -> None:
    lines = dictionary_to_csv(load_dictionary()).splitlines(keepends=True)
    kept = "".join(line for line in lines if not line.startswith("coma,"))
    # The features of the model no longer count 1, 2, 3: refused first.
    with pytest.raises(Refusal, match="model_feature must count"):
        csv_to_dictionary(kept, name="ich", version="2")
    kept = re.sub(r'""model_feature"": \d+, ', "", kept)
    kept = re.sub(r', ""model_feature"": \d+', "", kept)
    notes = [str(note) for note in read_dictionary(kept, name="ich", version="2").notes]
    assert notes == ["1 rule was kept on a row that is no longer in the file, and is left out."]
