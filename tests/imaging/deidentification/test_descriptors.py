"""Descriptions keep words of radiology and lengths, and nobody's name."""

import re
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.imaging.deidentification import clean_ct
from apps.imaging.deidentification.descriptors import clean_words
from apps.imaging.deidentification.vocabulary import CHINESE, CHINESE_JOINTS, LATIN
from tests.imaging.deidentification.slices import STUDY_ID, ct_slice

# What the words of a description may be: of the list, a number of up to three digits, a kernel.
_NUMBER = re.compile(r"[0-9]{1,3}")
_KERNEL = re.compile(r"[a-z]{1,2}[0-9]{2}[a-z]?")
_PIECES = frozenset(piece for word in LATIN for piece in re.split(r"[^a-z0-9]+", word) if piece)

NAMES = (
    "Wang", "Li", "Zhang", "Liu", "Chen", "Yang", "Zhao", "Huang", "Zhou", "Wu", "Xu", "Sun", "Hu", "Zhu", "Gao",
    "Lin", "Guo", "Ma", "Luo", "Long", "Min", "Lan", "An", "He", "Xiaoming", "Jianguo", "Müller", "Mueller",
    "Schmidt", "Kim", "Karl", "Omar", "Ed", "Kev", "Low", "Willis", "Park", "Nguyen", "Smith", "Jones", "Taylor",
    "Kaya", "Özdemir", "García", "Lopez", "Silva", "Rossi", "Ivanov", "王小明", "李建国", "欧阳娜娜", "张伟",
    "刘洋", "陈静", "歐陽修", "山田太郎", "김민수", "Иванов", "محمد",
)  # fmt: skip
_SEPARATORS = st.sampled_from([" ", "_", "^", "-", "/", ",", "+", "", "  ", ".", "(", ")", "\\", "="])
_WORDS = st.sampled_from(sorted(LATIN | CHINESE))
_NUMBERS = st.one_of(st.integers(0, 10**9).map(str), st.dates().map(str), st.decimals(0, 99, places=2).map(str))
_PARTS = st.one_of(
    _WORDS, _WORDS.map(str.upper), _WORDS.map(str.title), st.sampled_from(NAMES), st.text(max_size=8), _NUMBERS
)
_TEXTS = st.lists(st.tuples(_PARTS, _SEPARATORS), max_size=12).map(lambda found: "".join(a + b for a, b in found))


@cache
def _is_made_of_the_list(word: str) -> bool:
    """Say whether a run of letters and digits can be read as words of the list and numbers without a rest."""
    if word == "" or _KERNEL.fullmatch(word):
        return True
    listed = _PIECES | CHINESE | set(CHINESE_JOINTS)
    return any(
        (word[:end] in listed or _NUMBER.fullmatch(word[:end])) and _is_made_of_the_list(word[end:])
        for end in range(1, len(word) + 1)
    )


@settings(max_examples=400, deadline=None)
@given(_TEXTS)
def test_no_word_outside_the_list_comes_out(text: str) -> None:
    cleaned = clean_words(text)
    assert len(cleaned) <= 64
    assert [word for word in re.findall(r"[^\W_]+", cleaned.lower()) if not _is_made_of_the_list(word)] == []


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(NAMES), st.lists(_WORDS, max_size=4), st.lists(_WORDS, max_size=4), _SEPARATORS)
def test_no_name_comes_out(name: str, before: list[str], behind: list[str], separator: str) -> None:
    for form in (name, name.upper(), name.lower()):
        separated = separator or " "
        cleaned = clean_words(separated.join([*before, form, *behind]))
        # Numbers and lengths aside, every word was given as a word of the list.
        given_words = re.findall(r"[^\W_]+", " ".join([*before, *behind]).lower())
        assert [word for word in re.findall(r"[^\W_]+", cleaned.lower()) if word not in given_words] == []


def test_no_name_is_in_the_list() -> None:
    assert {name.lower() for name in NAMES} & (LATIN | CHINESE) == set()


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        # as GE, Siemens, Philips, Toshiba/Canon and Chinese centers write
        ("HEAD W/O", "HEAD W/O"),
        ("CT HEAD W/WO CONTRAST", "CT HEAD W/WO CONTRAST"),
        ("5mm STD AX", "5mm STD AX"),
        ("SMART PREP SERIES", "PREP SERIES"),
        ("HeadRoutine 4.8 H31s", "HeadRoutine 4.8 H31s"),
        ("HeadSeq 5.0 J40s 3", "HeadSeq 5.0 J40s 3"),
        ("Topogram 0.6 T20f", "Topogram 0.6 T20f"),
        ("Head 5.0 Hr60 S3 Bone", "Head 5.0 Hr60 Bone"),
        ("HEAD, iDose (4)", "HEAD, iDose (4)"),
        ("Surview", "Surview"),
        ("Head 5.0 FC26", "Head 5.0 FC26"),
        ("Stroke/Trauma non-contrast", "Stroke/Trauma non-contrast"),
        ("CTA 0.625 C+", "CTA 0.625 C+"),
        ("头颅平扫", "头颅平扫"),
        ("头颅CT平扫+增强 5mm", "头颅CT平扫+增强 5mm"),
        ("颅脑 骨窗 轴位", "颅脑 骨窗 轴位"),
        # with what does not belong there
        ("王小明头颅平扫", "头颅平扫"),
        ("HEAD Wang Xiaoming 67Y", "HEAD"),
        ("Dr. Head^Smith", "Head"),
        ("Brain 2024/01/15", "Brain"),
        ("Brain 15 1 2024", "Brain"),
        ("Brain 20240115 5mm", "Brain 5mm"),
        ("HEAD bed 12345678", "HEAD"),
        ("tel 139 1234 5678", ""),
        ("Hu40 Head", "Head"),
        ("WangHead", ""),
        ("ROUTINE_BRAIN_MUELLER_5.0", "ROUTINE_BRAIN 5.0"),
    ],
)
def test_descriptions_as_centers_write_them(sent: str, kept: str) -> None:
    assert clean_words(sent) == kept


def test_long_description_ends_with_a_whole_word() -> None:
    assert clean_words("axial " * 12) == " ".join(["axial"] * 10)


@pytest.mark.parametrize("stated", [None, "ISO_IR 100", "GB18030"])
def test_chinese_in_the_scanners_own_character_set(stated: str | None) -> None:
    """Chinese scanners write GBK, and often say nothing of it, or something else."""
    dataset = ct_slice()
    if stated:
        dataset.SpecificCharacterSet = stated
    text = "王小明 头颅平扫 5mm"
    raw = text if stated == "GB18030" else text.encode("gb18030").decode("latin-1")
    dataset.SeriesDescription = raw
    done = clean_ct(dataset, STUDY_ID)
    assert done.dataset.SeriesDescription == "头颅平扫 5mm"
    assert done.dataset.SpecificCharacterSet == "ISO_IR 192"
    assert done.changes["(0008,103E) SeriesDescription"] == "cleaned"


def test_plain_letters_need_no_character_set() -> None:
    done = clean_ct(ct_slice(SpecificCharacterSet="ISO_IR 100", SeriesDescription="HEAD 5mm"), STUDY_ID)
    assert done.dataset.SeriesDescription == "HEAD 5mm"
    assert "SpecificCharacterSet" not in done.dataset
    assert "(0008,103E) SeriesDescription" not in done.changes
