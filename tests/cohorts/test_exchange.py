"""The files of an export that another research system reads: REDCap's data import, and CDISC ODM 1.3.2."""

from __future__ import annotations

import csv
import importlib.util
import io
import itertools
import xml.etree.ElementTree as ET
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import xmlschema
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.accounts.models import Center, User
from apps.accounts.policy import Role
from apps.cohorts.exports.entries import Entry, Subject, subjects
from apps.cohorts.exports.odm import odm_xml
from apps.cohorts.exports.redcap import redcap_csv, redcap_rows
from apps.cohorts.exports.services import request_export
from apps.cohorts.models import Export
from apps.cohorts.table import exported_value
from apps.core import store
from apps.crf.dictionary import load_dictionary
from apps.crf.models import CrfForm
from apps.crf.places import MAIN_PLACE, Place
from apps.crf.redcap import dictionary_to_csv
from apps.crf.redcap.data import event_of
from apps.crf.services import save_form
from apps.patients.models import Patient
from tests.cohorts import factory
from tests.factories import PatientFactory

ODM = {"odm": "http://www.cdisc.org/ns/odm/v1.3"}
TRANSLATED = "{http://www.w3.org/XML/1998/namespace}lang"


@pytest.fixture
def cohort(two_centers: tuple[Center, Center], users: dict[Role, User], files: Any) -> list[Patient]:
    """Two patients with whole forms, one of them with further forms and a reason; a third of whom nothing is known."""
    first, second = two_centers
    known = [
        factory.ready_patient(place, row, number)
        for number, (place, row) in enumerate(zip((first, second), factory.simulated_rows(1, 1), strict=True))
    ]
    patient, actor = known[0], users[Role.COORDINATOR]
    late = {"fu_status": "alive", "fu_date": "2026-06-02", "fu_source": "visit", "fu_mrs": 2, "fu_gos": 4, "fu_gose": 6}
    for place, values in (
        (Place("follow_up", "month_6"), late),
        (Place("follow_up", "month_3"), {"fu_status": "lost", "fu_date": "2026-06-01"}),
        (Place("laboratory", "stay", 1), {"lab_date": "2026-03-03", "lab_inr": 1}),
        (Place("laboratory", "stay", 2), {"lab_date": "2026-03-04", "lab_inr": 1.25}),
    ):
        save_form(actor=actor, patient=patient, read_version=0, values=values, place=place)
    save_form(
        actor=actor, patient=patient, read_version=patient.form.version, values={}, missing={"nihss": "not_done"},
        reason="new source data",
    )  # fmt: skip
    return [*known, PatientFactory(study_id="C1-0009", center=first, enrolled_by=actor)]


@pytest.fixture
def export(cohort: list[Patient], users: dict[Role, User]) -> Export:
    return request_export(actor=users[Role.DATA_MANAGER], purpose="Interim analysis")


def text_of(pieces: Iterator[bytes]) -> str:
    return b"".join(pieces).decode()


def redcap_lines(export: Export) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text_of(redcap_csv(subjects(export.centers))), newline="")))


def schema() -> xmlschema.XMLSchema:
    # Found without an import of the package, whose own dependencies are not needed.
    found = importlib.util.find_spec("odmlib")
    assert found is not None and found.submodule_search_locations
    folder = Path(found.submodule_search_locations[0]) / "schemas" / "odm" / "1.3.2"
    return xmlschema.XMLSchema(str(folder / "ODM1-3-2.xsd"), allow="local")


def test_redcap_finds_record_event_and_repeat_first(export: Export) -> None:
    lines = redcap_lines(export)
    assert list(lines[0])[:4] == [
        "record_id", "redcap_event_name", "redcap_repeat_instrument", "redcap_repeat_instance",
    ]  # fmt: skip
    assert [list(line.values())[:4] for line in lines] == [
        ["C1-0001", "stay_arm_1", "", ""],
        ["C1-0001", "stay_arm_1", "laboratory", "1"],
        ["C1-0001", "stay_arm_1", "laboratory", "2"],
        ["C1-0001", "month_3_arm_1", "", ""],
        ["C1-0001", "month_6_arm_1", "", ""],
        ["C1-0009", "stay_arm_1", "", ""],
        ["C2-0002", "stay_arm_1", "", ""],
    ]


def test_redcap_fields_and_codes_are_those_of_its_dictionary(export: Export) -> None:
    fields = list(csv.DictReader(io.StringIO(dictionary_to_csv(load_dictionary()))))
    lines = redcap_lines(export)
    assert [name for name in lines[0] if not name.startswith("redcap_")] == [
        field["Variable / Field Name"] for field in fields
    ]
    for field in fields:
        name = field["Variable / Field Name"]
        choices = field["Choices, Calculations, OR Slider Labels"]
        allowed = {"", *(part.partition(",")[0].strip() for part in choices.split("|"))}
        found = {line[name] for line in lines}
        if field["Field Type"] == "radio":
            assert found <= allowed, name
        elif field["Field Type"] == "yesno":
            assert found <= {"", "0", "1"}, name
    assert {form["Form Name"] for form in fields} >= {
        line["redcap_repeat_instrument"] for line in lines if line["redcap_repeat_instrument"]
    }


def test_redcap_holds_the_values_and_the_reasons(cohort: list[Patient], export: Export) -> None:
    main, first, second, *later = redcap_lines(export)[:5]
    values = CrfForm.objects.get(main_of=cohort[0]).values
    assert main["age"] == str(values["age"]) and main["ivh"] == str(int(values["ivh"]))
    assert main["nihss"] == "ND" and main["lab_inr"] == ""
    assert [line["lab_inr"] for line in (first, second)] == ["1.0", "1.25"] and second["age"] == ""
    assert [line["fu_mrs"] for line in later] == ["", "2"] and later[0]["fu_status"] == "lost"
    assert "2026-06-02" not in later[1].values()


def test_a_text_is_no_formula_and_a_code_stays_a_code() -> None:
    entry = Entry(MAIN_PLACE, {"age": 60}, {"gcs": "unknown", "sex": "refused", "systolic_bp": "not_applicable"})
    (line,) = csv.reader(io.StringIO(redcap_rows(Subject("C1-0001", "C1", (entry,)))))
    assert [cell for cell in line if cell] == ["C1-0001", "stay_arm_1", "60", "REF", "UNK", "NA"]
    assert event_of("a_visit_with_a_long_name") == "a_visit_with_a_lon_arm_1"


def test_odm_keeps_to_the_schema_of_cdisc(export: Export) -> None:
    document = text_of(odm_xml(export, subjects(export.centers)))
    schema().validate(document)
    # A schema that took anything would prove nothing.
    assert not schema().is_valid(document.replace('IsNull="Yes"', 'IsNull="No"'))


def test_odm_read_back_is_what_the_database_holds(cohort: list[Patient], export: Export) -> None:
    root = ET.fromstring(text_of(odm_xml(export, subjects(export.centers))))
    read: dict[tuple[str, str, str, int], dict[str, str]] = {}
    for subject in root.iterfind("odm:ClinicalData/odm:SubjectData", ODM):
        for event in subject.iterfind("odm:StudyEventData", ODM):
            for form in event.iterfind("odm:FormData", ODM):
                key = (
                    subject.attrib["SubjectKey"], form.attrib["FormOID"][2:], event.attrib["StudyEventOID"][3:],
                    int(form.get("FormRepeatKey", 1)),
                )  # fmt: skip
                read[key] = {
                    item.attrib["ItemOID"][2:]: item.get("Value")
                    or f"missing {item.findtext('.//odm:FlagValue', '', ODM)}"
                    for item in form.iterfind("odm:ItemGroupData/odm:ItemData", ODM)
                }
    stored = {
        (form.patient.study_id, form.name, form.visit, form.instance): expected(form)
        for form in CrfForm.objects.select_related("patient")
    }
    assert len(stored) == 6 and read == stored


def expected(form: CrfForm) -> dict[str, str]:
    found = {name: f"missing {code}" for name, code in form.missing.items()}
    for name, value in form.values.items():
        value = exported_value(load_dictionary().all_variables[name], value, form.patient)
        plain = int(value) if isinstance(value, float) and value.is_integer() else value
        found[name] = str(plain).lower() if isinstance(plain, bool) else str(plain)
    return found


def test_odm_says_what_the_dictionary_says(export: Export) -> None:
    root = ET.fromstring(text_of(odm_xml(export, subjects(export.centers))))
    version = root.find("odm:Study/odm:MetaDataVersion", ODM)
    assert version is not None
    items = {item.attrib["Name"]: item for item in version.iterfind("odm:ItemDef", ODM)}
    assert set(items) == set(load_dictionary().all_variables)
    question = items["age"].find("odm:Question", ODM)
    assert question is not None
    assert {text.attrib[TRANSLATED]: text.text for text in question} == {"en": "Age", "zh-Hans": "年龄"}
    checks = [
        (check.attrib["SoftHard"], check.attrib["Comparator"], check.findtext("odm:CheckValue", "", ODM))
        for check in items["age"].iterfind("odm:RangeCheck", ODM)
    ]
    assert checks == [("Hard", "GE", "0"), ("Hard", "LE", "120"), ("Soft", "GE", "18"), ("Soft", "LE", "100")]
    hours = items["onset_to_ct_hours"].attrib
    assert (hours["DataType"], hours["Length"], hours["SignificantDigits"]) == ("float", "5", "2")
    # The true dates were checked; those of the file are moved.
    assert items["admission_date"].find("odm:RangeCheck", ODM) is None
    events = {
        event.attrib["OID"]: len(event.findall("odm:FormRef", ODM))
        for event in version.iterfind("odm:StudyEventDef", ODM)
    }
    assert events == {"SE.stay": 3, "SE.month_3": 1, "SE.month_6": 1, "SE.month_12": 1}
    repeating = {form.attrib["OID"]: form.attrib["Repeating"] for form in version.iterfind("odm:FormDef", ODM)}
    assert repeating == {"F.main": "No", "F.follow_up": "No", "F.repeat_ct": "Yes", "F.laboratory": "Yes"}
    conditions = {each.attrib["OID"] for each in version.iterfind("odm:ConditionDef", ODM)}
    used = {ref.get("CollectionExceptionConditionOID") for ref in version.iterfind("odm:ItemGroupDef/odm:ItemRef", ODM)}
    assert conditions == used - {None} and "COND.fu_source" in conditions


def test_every_reference_leads_somewhere(export: Export) -> None:
    root = ET.fromstring(text_of(odm_xml(export, subjects(export.centers))))
    defined = {each.attrib["OID"] for each in root.iter() if "OID" in each.attrib}
    for each in root.iter():
        for name, target in each.attrib.items():
            if name.endswith("OID") and name not in ("OID", "FileOID"):
                assert target in defined, (each.tag, target)


def test_they_are_in_the_archive_of_their_centers_alone(
    export: Export, django_capture_on_commit_callbacks: Callable[..., Any], users: dict[Role, User]
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        mine = request_export(actor=users[Role.COORDINATOR], purpose="Interim analysis")
    factory.run_waiting(django_capture_on_commit_callbacks)
    mine.refresh_from_db()
    with zipfile.ZipFile(io.BytesIO(store.get(mine.file))) as archive:
        document, table = archive.read("odm.xml").decode(), archive.read("redcap.csv").decode()
    assert "C1-0001" in document and "C1-0001" in table and "C2-" not in document + table
    assert table.startswith("record_id,")


def test_the_number_of_queries_does_not_grow(cohort: list[Patient], two_centers: tuple[Center, Center]) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as found:
            list(subjects(["C1", "C2"]))
        return len(found)

    before = queries()
    for number, row in enumerate(factory.simulated_rows(1, 1), start=20):
        factory.ready_patient(two_centers[0], row, number)
    assert queries() == before


def test_patients_are_written_as_they_are_read(export: Export, cohort: list[Patient]) -> None:
    """So that the memory does not grow with the study."""
    (known, *_rest) = subjects(["C1"])
    read = 0

    def many() -> Iterator[Subject]:
        nonlocal read
        for number in range(2000):
            read += 1
            yield Subject(f"C1-{number:04d}", "C1", known.entries)

    for pieces in (odm_xml(export, many()), redcap_csv(many())):
        read = 0
        assert len(list(itertools.islice(pieces, 10))) == 10
        assert read <= 10
        assert sum(1 for _piece in pieces) >= 1990
