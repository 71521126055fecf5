"""Files as REDCap writes them: what comes over, what is said to be left out, and every fault named with its row."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from django.utils import translation

from apps.core.errors import Refusal
from apps.crf.dictionary import Range
from apps.crf.redcap import RedcapRefusal, csv_to_dictionary, decode, dictionary_to_csv, read_dictionary
from apps.crf.redcap.texts import as_cell, plain
from tests.crf.redcap.test_round_trip import HEADS, rows_of

FILES = Path(__file__).parent / "files"
OUTCOME = 'gos,basics,,radio,GOS,"1, Dead | 2, Alive",,,,,,,,,,,,"@ICHOR={""outcome"": true, ""poor_outcome"": [1]}"\n'
RECORD = "record_id,basics,,text,Record ID,,,,,,,,,,,,,\n"

YES = "x,basics,,yesno,X,,,,,,,,,,,,"
UNIT = '"@ICHOR={""unit"": {""en"": ""mmHg"", ""zh-Hans"": ""x""}}"'


def file(*rows: str, head: str = HEADS) -> str:
    """Return a small file: the record ID, the rows, the outcome."""
    return head + "\n" + RECORD + "".join(row + "\n" for row in rows) + OUTCOME


def faults_of(text: str) -> list[str]:
    with pytest.raises(RedcapRefusal) as caught:
        csv_to_dictionary(text, name="other", version="1")
    return [str(fault) for fault in caught.value.faults]


def notes_of(text: str) -> list[str]:
    return [str(note) for note in read_dictionary(text, name="other", version="1").notes]


@pytest.fixture(scope="module")
def registry() -> str:
    return decode((FILES / "registry.csv").read_bytes())


def test_a_registrys_dictionary_comes_over(registry: str) -> None:
    dictionary = csv_to_dictionary(registry, name="registry", version="7")
    assert dictionary.id == "registry-7"
    assert [
        (section.name, section.label.en, [v.name for v in section.variables]) for section in dictionary.sections
    ] == [
        ("demographics", "Who the patient is", ["age", "sex"]),
        ("demographics__body_measures", "Body measures", ["weight"]),
        ("hospital_stay", "Hospital Stay", ["admitted", "ventilated", "vent_days", "young_reason", "dnr"]),
        ("outcome", "Outcome", ["tone", "mrs90"]),
    ]
    of = dictionary.variables
    assert [of[name].type for name in ("age", "sex", "weight", "admitted", "dnr", "young_reason")] == [
        "integer", "choice", "decimal", "date", "yesno", "text",
    ]  # fmt: skip
    assert (of["age"].range, of["weight"].range) == (Range(low=18.0, high=110.0), Range(low=20.0, high=250.5))
    assert of["admitted"].range == Range(low=date(2015, 1, 1), high="today")
    assert (of["age"].label.en, of["weight"].label.en) == ("Age, in completed years", "Weight & clothes")
    assert of["tone"].label.en == 'Line\nbreak and "quotes"'
    assert [(c.value, c.label.en) for c in of["tone"].choices] == [
        ("a", "One"), ("b", "Two, with a comma"), ("c-1", "Three"),
    ]  # fmt: skip
    assert [choice.value for choice in of["sex"].choices] == [1, 2, 99]
    assert [name for name, v in of.items() if v.required] == ["age", "sex", "admitted", "ventilated", "mrs90"]
    assert (of["weight"].decimals, of["young_reason"].max_length) == (1, 120)
    assert dictionary.primary_outcome.poor_outcome == (3, 4, 5, 6)
    assert (of["mrs90"].label.zh_hans, of["age"].label.zh_hans) == ("90天mRS", "Age, in completed years")


def test_its_branches_hold_as_in_redcap(registry: str) -> None:
    of = csv_to_dictionary(registry, name="registry", version="7").variables
    days, young, tone = (of[name].show_if for name in ("vent_days", "young_reason", "tone"))
    assert days is not None and young is not None and tone is not None
    assert days.holds({"ventilated": True, "age": 50})
    assert days.holds({"ventilated": True, "sex": 99})
    assert not days.holds({"ventilated": False, "age": 50})
    assert [young.holds({"age": age}) for age in (None, 44, 45)] == [False, True, False]
    assert [tone.holds({"ventilated": True, "dnr": dnr}) for dnr in (None, True, False)] == [False, False, True]


def test_what_does_not_come_over_is_said(registry: str) -> None:
    assert [str(note) for note in read_dictionary(registry, name="registry", version="7").notes] == [
        "10 rows have texts without Chinese ones; the English stand in their place.",
        "Row 2, record_id: The record ID is left out; the study ID takes its place.",
        "Row 3, intro: A text without an answer; it is left out.",
        "Row 4, age: “Custom Alignment” is left out: it concerns only how REDCap shows the field.",
        "Row 4, age: “Question Number (surveys only)” is left out: it concerns only how REDCap shows the field.",
        "Row 5, sex: “Custom Alignment” is left out: it concerns only how REDCap shows the field.",
        "Row 6, weight: Formatting (HTML) is left out of “Field Label”; the text stays.",
        "Row 6, weight: Takes up to so many decimals here, not exactly so many; goes back to REDCap as number.",
        "Row 6, weight: Of the Field Annotation this is left out: “source: nurse's chart”.",
        "Row 7, admitted: Dates are shown as year-month-day here; goes back to REDCap as date_ymd.",
        "Row 9, vent_days: Outside its bounds REDCap only warns (without @FORCE-MINMAX); here such a value is refused.",
        "Row 9, vent_days: Of the Field Annotation this is left out: “@HIDDEN-SURVEY”.",
        "Row 11, dnr: Asked as yes or no here, not as true or false; goes back to REDCap as yesno.",
        "Row 12, tone: A list in REDCap; goes back there as radio buttons.",
        "Row 12, tone: Formatting (HTML) is left out of “Choices, Calculations, OR Slider Labels”; the text stays.",
        "Row 12, tone: The comments in the branching logic are left out.",
    ]


# What comes back to REDCap: the columns that both know, for each row that was not left out.
BACK = {
    "age": ("demographics", "Who the patient is", "text", "Age, in completed years", "integer", "18", "110", "", "y"),
    "sex": ("demographics", "", "radio", "Sex", "", "", "", "", "y"),
    "weight": ("demographics", "Body measures", "text", "Weight &amp; clothes", "number", "20", "250.5", "", ""),
    "admitted": ("hospital_stay", "", "text", "Date of admission", "date_ymd", "2015-01-01", "today", "", "y"),
    "ventilated": ("hospital_stay", "", "yesno", "Mechanical ventilation", "", "", "", "", "y"),
    "vent_days": (
        "hospital_stay", "", "text", "Days on the ventilator", "integer", "0", "365",
        "[ventilated] = '1' and ([age] >= 18 or [sex] = '99')", "",
    ),
    "young_reason": (
        "hospital_stay", "", "text", "Why so young?", "", "", "", "[age] <> '' and [age] < 45", "",
    ),
    "dnr": ("hospital_stay", "", "yesno", "Order not to resuscitate", "", "", "", "", ""),
    "tone": ("outcome", "", "radio", 'Line\nbreak and "quotes"', "", "", "", "[ventilated] = '1' and [dnr] = '0'", ""),
    "mrs90": ("outcome", "", "radio", "mRS at 90 days", "", "", "", "", "y"),
}  # fmt: skip


def test_nothing_that_both_know_is_lost_on_the_way_back(registry: str) -> None:
    text = dictionary_to_csv(csv_to_dictionary(registry, name="registry", version="7"))
    rows = {row["Variable / Field Name"]: row for row in rows_of(text)}
    columns = (
        "Form Name", "Section Header", "Field Type", "Field Label", "Text Validation Type OR Show Slider Number",
        "Text Validation Min", "Text Validation Max", "Branching Logic (Show field only if...)", "Required Field?",
    )  # fmt: skip
    back = {name: tuple(row[column] for column in columns) for name, row in rows.items() if name != "record_id"}
    # An ampersand needs no reference where nothing could be mistaken.
    assert back == BACK | {"weight": (*BACK["weight"][:3], "Weight & clothes", *BACK["weight"][4:])}
    first = {row["Variable / Field Name"]: row for row in rows_of(registry)}
    assert (
        rows["sex"]["Choices, Calculations, OR Slider Labels"]
        == first["sex"]["Choices, Calculations, OR Slider Labels"]
    )
    assert rows["age"]["Field Note"] == "At admission"
    # From here on every trip is the same.
    again = csv_to_dictionary(text, name="registry", version="7")
    assert dictionary_to_csv(again) == text


def test_every_fault_of_a_file_is_named() -> None:
    faults = faults_of(decode((FILES / "unsupported.csv").read_bytes()))
    expected = [
        (2, None, "No variable says what a poor outcome is"),
        (2, "symptoms", "“checkbox” can't be kept"),
        (2, "symptoms", "@NONEOFTHEABOVE changes which values"),
        (3, "bmi", "“calc” can't be kept"),
        (4, "scan", "“file” can't be kept"),
        (5, "consent", "“file” can't be kept"),
        (6, "pain", "“slider” can't be kept"),
        (7, "story", "“notes” can't be kept"),
        (8, "site", "“sql” can't be kept"),
        (9, "odd", "REDCap has no type “matrix”"),
        (10, "full_name", "marked as an identifier"),
        (11, "phone", "validation “phone” has no counterpart"),
        (12, "seen_at", "validation “datetime_ymd” has no counterpart"),
        (13, "weight_c", "validation “number_comma_decimal” has no counterpart"),
        (14, "weight", "needs “Text Validation Min” and “Text Validation Max”, such as 0 and 120"),
        (15, "height", "“12..3” in “Text Validation Min” can't be read"),
        (15, "height", "“[weight]” in “Text Validation Max” can't be read"),
        (16, "born", "can end at today, not begin there"),
        (17, "due", "“2024-02-30” in “Text Validation Min” can't be read"),
        (17, "due", "“now” in “Text Validation Max” can't be read"),
        (18, "q1", "There is no matrix"),
        (19, "q2", "There is no matrix"),
        (20, "empty_choice", "The choices are missing"),
        (21, "bare_choice", "“Yes” is no choice"),
        (22, "twice_choice", "given twice among the choices"),
        (23, "yes_choice", "has no choices of its own"),
        (24, "maybe", "“Required Field?” holds y or nothing"),
        (25, "Upper", "A name begins with a small letter"),
        (26, "maybe", "The name is there twice (first in row 25)"),
        (27, "nolabel", "The Field Label is missing"),
        (28, "filled", "@DEFAULT changes which values"),
        (29, "computed", "@CALCTEXT changes which values"),
        (30, "damaged", "no proper JSON"),
        (31, "unknown_key", "@ICHOR has no “color”"),
        (32, "checked", "one box of a checkbox"),
        (33, "unequal", "“[maybe] <> '1'”: <> has no counterpart"),
        (34, "by_event", "an event in front of a variable"),
        (35, "by_function", "the function datediff() has no counterpart"),
        (36, "later_ref", "[last] is no variable of an earlier row"),
        (37, "last", "The rows of the form “basics” do not follow each other"),
    ]
    for row, name, said in expected:
        start = f"Row {row + 1}, {name}: " if name else ""
        assert [fault for fault in faults if fault.startswith(start) and said in fault], (row, name, said)
    assert len(faults) == len(expected) + 1, faults  # Upper is faulted by the dictionary itself too
    with pytest.raises(RedcapRefusal, match=r"40 further faults\."):
        csv_to_dictionary(decode((FILES / "unsupported.csv").read_bytes()), name="x", version="1")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "The column “Variable / Field Name” is missing."),
        ("a,b\n", "No column of a REDCap data dictionary is called “a”."),
        (HEADS.replace(",", ";") + "\n", "separated by semicolons"),
        (HEADS + ",Field Label\n", "The column “Field Label” is there twice."),
        (HEADS + "\n", "The file defines no variable."),
        (HEADS + "\n" + RECORD, "The file defines no variable."),
        (file('x,basics,,text,"X,,,,,,,,,,,,,'), "is no proper CSV"),
        (file('x,basics,,text,"X" y,,,,,,,,,,,,,'), "is no proper CSV"),
        (file("x,basics,,text,X,,,,,"), "Row 3, x: The row has 10 cells instead of 18."),
        (file("x,basics,,text,X,,,,,,,,,,,,,,,,,"), "Row 3, x: The row has 22 cells instead of 18."),
        (file(f"x,basics,,text,{'y' * 1_000_000},,,,,,,,,,,,,"), "Row 3: A cell has more than 131072 characters."),
        (file("x,basics,,text,a\x00b,,,,,,,,,,,,,"), "Row 3, x: The cell “Field Label” holds a character"),
        (file("x,basics,,text,a\x1bb,,,,,,,,,,,,,"), "holds a character that can't be seen"),
        (file("x,123,,text,X,,,,,,,,,,,,,"), "The Form Name must begin with a letter"),
        (HEADS + "\nid,1,,text,ID,,,,,,,,,,,,,\nx,1,,text,X,,,,,,,,,,,,,\n", "The Form Name must begin with a letter"),
        (file(YES + ',"@ICHOR={""section"": {""name"": ""No Name""}}"'), "sections"),
        (file(YES + ',"@ICHOR={""show_if"": ' + '{""all"": [' * 60 + "]}" * 60 + '}"'), "nested more than 40 deep"),
        (file(f"{'x' * 61},basics,,text,X,,,,,,,,,,,,,"), "A name begins with a small letter and has at most 60"),
        (file("version,basics,,text,X,,,,,,,,,,,,,"), "'version' is a reserved name"),
        (file("x,basics,,text,X,,,,1,2,,,,,,,,"), "Bounds belong to a number or a date."),
        (file("x,basics,,text,X,,,integer,9,1,,,,,,,,"), "the lower bound lies above the upper one"),
        (file("x,basics,,text,X,,,,,,,,,,,,,@CHARLIMIT=9000"), "@CHARLIMIT must be from 1 to 500."),
        (file("x,basics,,yesno,X,,,integer,,,,,,,,,,"), "A validation type belongs to a text."),
        (file('x,basics,,text,X,,,,,,,,,,,,,"@ICHOR={""outcome"": true} @ICHOR={}"'), "stands there twice"),
        (file('x,basics,,text,X,,,,,,,,,,,,,"@ICHOR={""outcome"": true, ""outcome"": false}"'), "no proper JSON"),
        (file('x,basics,,text,X,,,,,,,,,,,,,"@ICHOR=[1]"'), "not written as {...}"),
        (file("x,basics,,text,X,,,,,,,,,,,,,@ICHOR"), "after @ICHOR comes no ="),
        (file("x,basics,,text,X,,,,,,,,,,,,,@ICHOR=" + "[" * 100_000), "no proper JSON"),
        (file('x,basics,,yesno,X,,,,,,,,,,,,,"@ICHOR={""max_length"": 9000}"'), "max_length"),
        (file('x,basics,,yesno,X,,,,,,,,,,,,,"@ICHOR={""zh-Hans"": {""label"": 5}}"'), "zh-Hans"),
        (file('x,basics,,yesno,X,,,,,,,,,,,,,"@ICHOR={""model_feature"": 3}"'), "model_feature must count 1, 2, 3"),
        (file('x,basics,,text,X,,in mmHg,,,,,,,,,,,' + UNIT), "does not begin with “Unit: mmHg”"),
        (file(YES + ',"@ICHOR={""rules"": [{""name"": ""r""}]}"'), "A rule in @ICHOR is wrong: level"),
        (file('x,basics,,yesno,X,,,,,,,,,,,,,"@ICHOR={""rules"": [5]}"'), "A rule in @ICHOR is wrong"),
        (file("x,basics,,yesno,X,,,,,,,[gos] = '1',,,,,,"), "[gos] is no variable of an earlier row"),
        (
            file(YES + ",", 'y,basics,,yesno,Y,,,,,,,[x] = 1,,,,,,"@ICHOR={""show_if"": {""not"": 1}}"'),
            "The condition in @ICHOR is wrong",
        ),
        (HEADS + "\nage,basics,,radio,Age,,,,,,,,,,,,,\n" + OUTCOME, "The first row must be the record ID"),
        (file(YES + ',"@ICHOR={""outcome"": true, ""poor_outcome"": [1]}"'), "names values that are no choices"),
        (file(OUTCOME.strip().replace("gos", "mrs")), "one variable, and only one, says what a poor outcome is"),
        (file(YES + ',"@ICHOR={""model_feature"": 2, ""list_column"": 2}"'), "list_column must count"),
    ],
)  # fmt: skip
def test_a_fault_is_said_with_its_place(text: str, said: str) -> None:
    assert any(said in fault for fault in faults_of(text)), faults_of(text)


def test_all_faults_of_the_whole_are_said() -> None:
    faults = faults_of(file('x,basics,,yesno,X,,,,,,,,,,,,,"@ICHOR={""model_feature"": 2, ""list_column"": 2}"'))
    assert faults == [
        "model_feature must count 1, 2, 3, ... without gap or repetition.",
        "list_column must count 1, 2, 3, ... without gap or repetition.",
    ]


@pytest.mark.parametrize(
    "data", ["naïve".encode("cp1252"), "标".encode("gb18030"), "a,b".encode("utf-16"), b"\xff\xfe\x00"]
)
def test_another_encoding_is_refused_with_the_way_out(data: bytes) -> None:
    with pytest.raises(Refusal, match=r"not UTF-8\. Save it as “CSV UTF-8”"):
        decode(data)


def test_line_ends_and_byte_order_mark_do_not_matter() -> None:
    text = file("x,basics,,text,Naïve ✓,,,,,,,,,,,,,")
    plain_one = csv_to_dictionary(text, name="other", version="1")
    for data in (b"\xef\xbb\xbf" + text.encode(), text.replace("\n", "\r\n").encode("utf-8-sig")):
        assert csv_to_dictionary(decode(data), name="other", version="1") == plain_one
    assert csv_to_dictionary("\ufeff" + text, name="other", version="1") == plain_one


def test_the_heads_of_the_api_are_read_too() -> None:
    """PyCap's and REDCapR's metadata, as redcapAPI maps them to the heads of the download."""
    heads = (
        "field_name,form_name,section_header,field_type,field_label,select_choices_or_calculations,field_note,"
        "text_validation_type_or_show_slider_number,text_validation_min,text_validation_max,identifier,branching_logic,"
        "required_field,custom_alignment,question_number,matrix_group_name,matrix_ranking,field_annotation"
    )
    row = "x,basics,,yesno,X,,,,,,,,,,,,,"
    assert csv_to_dictionary(file(row, head=heads), name="other", version="1") == csv_to_dictionary(
        file(row), name="other", version="1"
    )


def test_a_text_from_right_to_left_stays_as_it_is() -> None:
    label = "\u200fגיל (שנים) 18-100\u200f"
    of = csv_to_dictionary(file(f"x,basics,,text,{label},,,,,,,,,,,,,"), name="other", version="1").variables
    assert of["x"].label.en == label


def test_a_formula_is_a_text() -> None:
    of = csv_to_dictionary(file("xx,basics,,text,=1+1,,,,,,,,,,,,,"), name="other", version="1")
    assert of.variables["xx"].label.en == "=1+1"
    cell = next(row for row in rows_of(dictionary_to_csv(of)) if row["Variable / Field Name"] == "xx")["Field Label"]
    assert cell == "&#61;1+1"  # REDCap shows =1+1; a spreadsheet computes nothing


def test_form_names_are_written_as_redcap_writes_them() -> None:
    text = file().replace("basics", "My First  Form!")
    assert csv_to_dictionary(text, name="other", version="1").sections[0].name == "my_first_form"


def test_faults_are_said_in_chinese() -> None:
    with translation.override("zh-hans"):
        [fault] = faults_of(file("x,basics,,slider,X,,,,,,,,,,,,,"))
    assert fault.startswith("第3行")


@pytest.mark.parametrize(
    ("cell", "text", "marked"),
    [
        ("Age", "Age", False), ("a < b & c", "a < b & c", False), ("R&amp;D", "R&D", False),
        ("<b>Age</b>", "Age", True),
        ("<p>One</p><p>Two</p>", "One Two", True), ("x<br>y", "x y", True), ("&lt;b&gt;", "<b>", False),
        ("<script>x()</script>Age", "Age", True), ("<!-- note -->Age", "Age", True), ("&#61;1", "=1", False),
        ("a&nbsp;b", "a\u00a0b", False),
    ],
)  # fmt: skip
def test_html_becomes_text(cell: str, text: str, marked: bool) -> None:
    assert plain(cell) == (text, marked)
    assert plain(as_cell(text)) == (text, False)


def test_a_form_with_a_long_name_and_two_sections_comes_back() -> None:
    form = "f" + "o" * 44
    rows = ("xx,basics,,yesno,X,,,,,,,,,,,,,", "yy,basics,A head of some length,yesno,Y,,,,,,,,,,,,,")
    dictionary = csv_to_dictionary(file(*rows).replace("basics", form), name="other", version="1")
    assert [section.name for section in dictionary.sections] == [form, f"{form}__a_head_of"]
    assert {row["Form Name"] for row in rows_of(dictionary_to_csv(dictionary))} == {form}
