"""Every attribute of DICOM PS3.15 table E.1-1, planted wherever it can stand, is treated as the table says."""

from collections.abc import Iterator
from types import ModuleType

import pytest
from dicomanonymizer.dicom_anonymization_databases import dicomfields_2023, dicomfields_2024b, dicomfields_2026c
from pydicom.datadict import dictionary_has_tag, dictionary_VR, keyword_for_tag
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.sr.codedict import codes
from pydicom.tag import BaseTag, Tag
from pydicom.uid import UID

from apps.imaging.deidentification import clean_ct, clean_picture, to_bytes
from tests.imaging.deidentification.slices import STUDY_ID, ct_slice, screen_shot

pytestmark = pytest.mark.slow

EDITIONS = (dicomfields_2023, dicomfields_2024b, dicomfields_2026c)
ACTIONS = {
    "D_TAGS": "D", "Z_TAGS": "Z", "X_TAGS": "X", "U_TAGS": "U", "Z_D_TAGS": "ZD", "X_Z_TAGS": "XZ", "X_D_TAGS": "XD",
    "X_Z_D_TAGS": "XZD", "X_Z_U_STAR_TAGS": "XZU",
}  # fmt: skip
# K in the column Retain Patient Characteristics, with a proper value of each.
CHARACTERISTICS = {
    "PatientSex": "F", "PatientAge": "077Y", "PatientSize": "1.77", "PatientWeight": "77.5", "SmokingStatus": "YES",
    "PregnancyStatus": 2, "PatientSexNeutered": "ALTERED", "EthnicGroup": "ASIAN",
}  # fmt: skip
# C in the column Retain Longitudinal Temporal Information with Modified Dates, of what a CT image has.
DATES = ("StudyDate", "SeriesDate", "AcquisitionDate", "ContentDate", "InstanceCreationDate", "AcquisitionDateTime",
         "DateOfSecondaryCapture")  # fmt: skip
TIMES = ("StudyTime", "SeriesTime", "AcquisitionTime", "ContentTime", "InstanceCreationTime", "TimeOfSecondaryCapture")
# C in the column Clean Descriptors, of what a CT image needs.
DESCRIPTIONS = ("StudyDescription", "SeriesDescription", "ProtocolName", "ContrastBolusAgent")

MARK = "PLANT"
PLANTED_DAY = "19210317"
PLANTED_UID = "1.2.826.0.1.777"
VALUES = {
    "AS": "077Y", "DA": PLANTED_DAY, "TM": "112233", "DT": f"{PLANTED_DAY}112233", "DS": "77.345", "IS": "77345",
    "US": 7734, "SS": 7734, "UL": 7734, "FL": 0.5, "FD": 0.5, "AT": 0x00100010, "OB": b"PLANTED.", "OW": b"PLANTED.",
    "UN": b"PLANTED.", "OB or OW": b"PLANTED.",
}  # fmt: skip


def _tags(entry: tuple[int, ...]) -> Iterator[BaseTag]:
    """Return the tags that a row of the table means; curves and overlays stand for a range of groups."""
    if len(entry) == 2:
        yield Tag(entry)
        return
    group, element, _, mask = entry
    for offset in (0, 2, 0x1E):
        yield Tag(group + offset, element if mask else 0x3000)


def _table(edition: ModuleType) -> dict[BaseTag, str]:
    return {tag: action for name, action in ACTIONS.items() for entry in getattr(edition, name) for tag in _tags(entry)}


def _planted(tag: BaseTag) -> DataElement:
    vr = dictionary_VR(tag) if dictionary_has_tag(tag) else "LO"
    if vr == "SQ":
        item = Dataset()
        item.PatientName, item.PatientID, item.ReferencedSOPInstanceUID = MARK, MARK, PLANTED_UID
        return DataElement(tag, vr, Sequence([item]))
    keyword = keyword_for_tag(tag)
    if keyword in CHARACTERISTICS:
        return DataElement(tag, vr, CHARACTERISTICS[keyword])
    if vr == "UI":
        return DataElement(tag, vr, UID(f"{PLANTED_UID}.{int(tag)}"))
    return DataElement(tag, vr, VALUES.get(vr, f"{MARK}{tag.element:04X}"))


def _plant(dataset: Dataset, table: dict[BaseTag, str]) -> Dataset:
    for tag in table:
        if tag.group != 2:  # the file meta information has a test of its own
            dataset[tag] = _planted(tag)
    return dataset


def _fault(tag: BaseTag, action: str, original: Dataset, clean: Dataset) -> str:
    """Return what is wrong with an attribute at one level of a data set, empty where it obeys the table."""
    if tag not in clean:
        return ""
    old, new, keyword = original[tag].value, clean[tag].value, keyword_for_tag(tag)
    empty = new is None or new == ""
    if keyword in CHARACTERISTICS:
        right = new == old
    elif keyword in TIMES:
        right = empty or new == old
    elif keyword in DATES:
        right = empty or (new[:8] != old[:8] and new[8:] == old[8:])
    elif keyword in DESCRIPTIONS:
        right = new == "CONTRAST"
    elif action == "U":
        right = UID(new).is_valid and new != old
    else:
        right = action != "X" and (empty or new == STUDY_ID)
    return "" if right else f"{tag} {keyword}: {action}"


@pytest.fixture(params=EDITIONS, ids=lambda edition: edition.__name__.rpartition("_")[2])
def table(request: pytest.FixtureRequest) -> dict[BaseTag, str]:
    return _table(request.param)


def test_the_table_is_whole(table: dict[BaseTag, str]) -> None:
    assert len(table) > 600
    assert table[Tag("PatientName")] == "Z"
    assert table[Tag("InstitutionAddress")] == "X"


def test_the_check_finds_what_is_left_as_it_was(table: dict[BaseTag, str]) -> None:
    original = _plant(ct_slice(), table)
    allowed = {*CHARACTERISTICS, *TIMES}
    found = [tag for tag, action in table.items() if tag.group != 2 and _fault(tag, action, original, original)]
    expected = [tag for tag in table if tag.group != 2 and keyword_for_tag(tag) not in allowed]
    assert found == expected


def test_at_the_top(table: dict[BaseTag, str]) -> None:
    for original, clean in ((ct_slice(), clean_ct), (screen_shot(), clean_picture)):
        _plant(original, table)
        done = clean(original, STUDY_ID)
        assert [fault for tag, action in table.items() if (fault := _fault(tag, action, original, done.dataset))] == []
        text = to_bytes(done.dataset)
        assert [mark for mark in (MARK, PLANTED_DAY, PLANTED_UID) if mark.encode() in text] == []


def test_what_the_options_retain_is_there(table: dict[BaseTag, str]) -> None:
    done = clean_ct(_plant(ct_slice(), table), STUDY_ID)
    assert [keyword for keyword in (*CHARACTERISTICS, *TIMES, *DATES) if not done.dataset.get(keyword)] == []
    assert {keyword: done.dataset[keyword].value for keyword in CHARACTERISTICS} == CHARACTERISTICS


@pytest.mark.parametrize("holder", ["RequestAttributesSequence", "ProcedureCodeSequence", "SourceImageSequence"])
def test_inside_a_sequence(holder: str, table: dict[BaseTag, str]) -> None:
    """The rules hold inside sequences: here no sequence of the original stays at all."""
    for clean in (clean_ct, clean_picture):
        original = ct_slice()
        inner = _plant(Dataset(), table)
        middle = Dataset()
        middle.add(DataElement("ReferencedStudySequence", "SQ", Sequence([inner])))
        original.add(DataElement(holder, "SQ", Sequence([middle, inner])))
        original.private_block(0x0009, MARK, create=True).add_new(0x01, "SQ", Sequence([inner]))
        done = clean(original, STUDY_ID)
        sequences = [element.keyword for element in done.dataset if element.VR == "SQ"]
        assert sequences == ["DeidentificationMethodCodeSequence"]
        text = to_bytes(done.dataset)
        assert [mark for mark in (MARK, PLANTED_DAY, PLANTED_UID) if mark.encode() in text] == []
        assert [name for name in done.changes if name.endswith(f" {holder}")]


def test_uids_agree_among_objects_of_one_patient(table: dict[BaseTag, str]) -> None:
    uids = [tag for tag, action in table.items() if action == "U" and tag.group != 2]
    first, second = (clean_ct(_plant(ct_slice(), table), STUDY_ID).dataset for _ in range(2))
    other = clean_ct(_plant(ct_slice(), table), "C1-0002").dataset
    kept = [tag for tag in uids if tag in first]
    assert {keyword_for_tag(tag) for tag in kept} >= {"SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID"}
    assert [first[tag].value for tag in kept] == [second[tag].value for tag in kept]
    assert not {first[tag].value for tag in kept} & {other[tag].value for tag in kept}


def test_file_meta_information_and_preamble_are_new() -> None:
    original = ct_slice()
    original.preamble = MARK.encode().ljust(128, b"\0")
    original.file_meta.SourceApplicationEntityTitle = MARK
    original.file_meta.PrivateInformationCreatorUID = PLANTED_UID
    original.file_meta.PrivateInformation = MARK.encode()
    done = clean_ct(original, STUDY_ID).dataset
    content = to_bytes(done)
    assert content[:128] == bytes(128)
    assert MARK.encode() not in content
    assert PLANTED_UID.encode() not in content
    assert done.file_meta.MediaStorageSOPInstanceUID == done.SOPInstanceUID != original.SOPInstanceUID


def test_profile_and_options_are_stated() -> None:
    """Codes and their meanings of PS3.16 CID 7050, as pydicom carries them."""
    done = clean_ct(ct_slice(PatientIdentityRemoved="NO"), STUDY_ID).dataset
    stated = {
        (item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning)
        for item in done.DeidentificationMethodCodeSequence
    }
    expected = (
        codes.cid7050.BasicApplicationConfidentialityProfile,
        codes.cid7050.CleanDescriptorsOption,
        codes.cid7050.RetainLongitudinalTemporalInformationModifiedDatesOption,
        codes.cid7050.RetainPatientCharacteristicsOption,
    )
    assert stated == {(code.value, code.scheme_designator, code.meaning) for code in expected}
    assert done.PatientIdentityRemoved == "YES"
    assert done.LongitudinalTemporalInformationModified == "MODIFIED"
    assert all(len(text) <= 64 for text in done.DeidentificationMethod)
