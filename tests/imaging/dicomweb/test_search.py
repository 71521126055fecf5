"""QIDO-RS: what is found, by what, in which order, and what is refused."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from django.test import Client
from pydicom.dataset import Dataset

from apps.accounts.models import User
from apps.imaging.dicomweb import search as search_views
from apps.imaging.models import ImagingStudy
from apps.patients.models import Patient
from tests.factories import PatientFactory
from tests.imaging.dicomweb.factory import store_study
from tests.imaging.factory import make_scan

JSON = "application/dicom+json"
# What OHIF sends for its list of studies.
OHIF = "limit=101&offset=0&fuzzymatching=false&includefield=00081030%2C00080060%2C00080090%2C00100030"


def find(client: Client, path: str, status: int = 200) -> Any:
    answer = client.get(f"/dicomweb/{path}", headers={"Accept": JSON})
    assert answer.status_code == status, answer.content
    return answer.json()


def values(found: list[dict[str, Any]], tag: str) -> list[Any]:
    return [item[tag].get("Value", [None])[0] for item in found]


@pytest.fixture
def several(patient: Patient, coordinator: User) -> dict[str, str]:
    """Four studies of two patients: {name: study UID}."""
    second = PatientFactory(study_id="C1-0102", center=patient.center, enrolled_by=coordinator)
    made = {}
    for name, owner, day, time, description, modality in [
        ("old", patient, date(2019, 1, 2), "0715", "HEAD PLAIN", "CT"),
        ("new", patient, date(2021, 3, 17), "101500", "HEAD CONTRAST", "CT"),
        ("other", second, date(2021, 3, 18), "235959.5", "50% [odd]_\\x", "CT"),
        ("undated", second, None, "", "", "SEG"),
    ]:
        datasets = make_scan(2, seed=len(made), Modality=modality)
        study = store_study(owner, coordinator, datasets, study_date=day, study_time=time, description=description)
        made[name] = study.study_instance_uid
    return made


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", {"old", "new", "other", "undated"}),
        (OHIF, {"old", "new", "other", "undated"}),
        ("PatientID=C1-0001", {"old", "new"}),
        ("00100020=C1-0001", {"old", "new"}),
        ("PatientID=C1-00*", {"old", "new"}),
        ("PatientID=*02", {"other", "undated"}),
        ("PatientID=C1-0?02", {"other", "undated"}),
        ("PatientID=C1-0?2", set()),
        ("PatientID=c1-0001", set()),
        ("PatientName=*0102*", {"other", "undated"}),
        ("PatientName=c1-0001", {"old", "new"}),
        ("PatientName=C1-0001^", {"old", "new"}),
        ("PatientName=*", {"old", "new", "other", "undated"}),
        ("PatientName=", {"old", "new", "other", "undated"}),
        ("StudyDate=20210317", {"new"}),
        ("StudyDate=20190102-20210317", {"old", "new"}),
        ("StudyDate=20210318-", {"other"}),
        ("StudyDate=-20190102", {"old"}),
        ("StudyTime=10", {"new"}),
        ("StudyTime=0715-1015", {"old", "new"}),
        ("StudyTime=235959-", {"other"}),
        ("StudyDescription=HEAD*", {"old", "new"}),
        ("StudyDescription=HEAD PLAIN", {"old"}),
        ("StudyDescription=head*", set()),
        ("StudyDescription=*%25*", {"other"}),
        ("StudyDescription=*[odd]*", {"other"}),
        ("StudyDescription=*]_\\x", {"other"}),
        ("StudyDescription=*[a-z]*", set()),
        ("ModalitiesInStudy=CT", {"old", "new", "other"}),
        ("ModalitiesInStudy=SEG", {"undated"}),
        ("ModalitiesInStudy=SEG,CT", {"old", "new", "other", "undated"}),
        ("ModalitiesInStudy=SE", set()),
        ("AccessionNumber=", {"old", "new", "other", "undated"}),
        ("AccessionNumber=A1", set()),
        ("ReferringPhysicianName=Doe", set()),
        ("StudyID=1", set()),
        ("PatientBirthDate=19470304", set()),
        ("PatientID=C1-0001&StudyDescription=*CONTRAST", {"new"}),
    ],
)
def test_studies_are_found_by(query: str, expected: set[str], several: dict[str, str], web: Client) -> None:
    found = find(web, f"studies?{query}")
    assert set(values(found, "0020000D")) == {several[name] for name in expected}


@pytest.mark.parametrize("separator", [",", "\\", "&StudyInstanceUID="])
def test_studies_are_found_by_a_list_of_uids(separator: str, several: dict[str, str], web: Client) -> None:
    wanted = {several["old"], several["other"]}
    found = find(web, "studies?StudyInstanceUID=" + separator.join(sorted(wanted)))
    assert set(values(found, "0020000D")) == wanted


def test_pages_do_not_overlap(several: dict[str, str], web: Client) -> None:
    """The newest study first; a page is a window on that order."""
    whole = values(find(web, "studies"), "0020000D")
    dated = [uid for uid in whole if uid != several["undated"]]
    assert dated == [several["other"], several["new"], several["old"]]
    pages = [values(find(web, f"studies?limit=1&offset={offset}"), "0020000D") for offset in range(5)]
    assert [uid for page in pages for uid in page] == whole
    assert find(web, "studies?limit=0") == []


def test_a_study_has_what_the_viewer_reads(study: ImagingStudy, web: Client) -> None:
    """PS3.18, table 10.6.3-3."""
    uid = study.study_instance_uid
    assert find(web, "studies") == [
        {
            "00080005": {"vr": "CS", "Value": ["ISO_IR 192"]},
            "00080020": {"vr": "DA", "Value": ["20210317"]},
            "00080030": {"vr": "TM", "Value": ["101500"]},
            "00080050": {"vr": "SH"},
            "00080056": {"vr": "CS", "Value": ["ONLINE"]},
            "00080061": {"vr": "CS", "Value": ["CT"]},
            "00080090": {"vr": "PN"},
            "00081030": {"vr": "LO", "Value": ["HEAD CT"]},
            "00081190": {"vr": "UR", "Value": [f"http://testserver/dicomweb/studies/{uid}"]},
            "00100010": {"vr": "PN", "Value": [{"Alphabetic": "C1-0001"}]},
            "00100020": {"vr": "LO", "Value": ["C1-0001"]},
            "00100030": {"vr": "DA"},
            "00100040": {"vr": "CS"},
            "0020000D": {"vr": "UI", "Value": [uid]},
            "00200010": {"vr": "SH"},
            "00201206": {"vr": "IS", "Value": [1]},
            "00201208": {"vr": "IS", "Value": [4]},
        }
    ]


def test_the_series_of_a_study(study: ImagingStudy, scan: list[Dataset], web: Client) -> None:
    found = find(web, f"studies/{study.study_instance_uid}/series?includefield=0008103E,00080021")
    assert values(found, "0020000E") == [scan[0].SeriesInstanceUID]
    assert values(found, "00080060") == ["CT"]
    assert values(found, "0008103E") == ["AXIAL 5 MM"]
    assert values(found, "00200011") == [1]
    assert values(found, "00201209") == [4]
    assert "00100020" not in found[0]


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("Modality=CT", 1),
        ("Modality=MR", 0),
        ("SeriesNumber=1", 1),
        ("SeriesNumber=2", 0),
        ("SeriesDescription=*5 MM", 1),
        ("SeriesDescription=*7*", 0),
        ("PatientID=C1-0001&Modality=C?", 1),
        ("StudyDate=20210317", 1),
    ],
)
def test_series_are_found_by(query: str, count: int, study: ImagingStudy, web: Client) -> None:
    assert len(find(web, f"series?{query}")) == count
    assert len(find(web, f"studies/{study.study_instance_uid}/series?{query}")) == count


def test_series_of_all_studies_say_whose_they_are(study: ImagingStudy, scan: list[Dataset], web: Client) -> None:
    found = find(web, f"series?SeriesInstanceUID={scan[0].SeriesInstanceUID}")
    assert values(found, "00100020") == ["C1-0001"]
    assert values(found, "00081190") == [
        f"http://testserver/dicomweb/studies/{study.study_instance_uid}/series/{scan[0].SeriesInstanceUID}"
    ]


def test_the_instances_of_a_series(base: str, scan: list[Dataset], web: Client) -> None:
    found = find(web, base.removeprefix("/dicomweb/") + "/instances")
    assert values(found, "00080018") == [dataset.SOPInstanceUID for dataset in scan]
    assert values(found, "00080016") == ["1.2.840.10008.5.1.4.1.1.2"] * 4
    assert values(found, "00200013") == [1, 2, 3, 4]
    assert {(item["00280010"]["Value"][0], item["00280011"]["Value"][0]) for item in found} == {(16, 16)}
    assert {item["00280100"]["Value"][0] for item in found} == {16}
    assert "00200032" not in found[0]
    assert "00080060" not in found[0]


def test_instances_are_found_at_three_places(study: ImagingStudy, base: str, scan: list[Dataset], web: Client) -> None:
    uid = scan[2].SOPInstanceUID
    series = base.removeprefix("/dicomweb/")
    for path in ("instances", f"studies/{study.study_instance_uid}/instances", f"{series}/instances"):
        for query in (f"SOPInstanceUID={uid}", "InstanceNumber=3", "InstanceNumber=3&SOPClassUID=*"):
            assert values(find(web, f"{path}?{query}"), "00080018") == [uid], path
    above = find(web, "instances?limit=1")[0]
    assert above["00100020"]["Value"] == ["C1-0001"]
    assert above["0008103E"]["Value"] == ["AXIAL 5 MM"]


def test_includefield_adds_what_the_header_holds(base: str, scan: list[Dataset], web: Client) -> None:
    path = base.removeprefix("/dicomweb/") + "/instances"
    [first, *_rest] = find(web, f"{path}?includefield=ImagePositionPatient,00281053")
    assert first["00200032"]["Value"] == [float(value) for value in scan[0].ImagePositionPatient]
    assert first["00281053"]["Value"] == [1]
    assert "00200037" not in first
    [whole, *_rest] = find(web, f"{path}?includefield=all")
    assert {"00200032", "00200037", "00280030", "00281052"} <= set(whole)
    assert "7FE00010" not in whole


def test_a_search_that_finds_nothing_is_an_empty_list(study: ImagingStudy, web: Client) -> None:
    assert find(web, "studies?PatientID=C1-9999") == []
    assert find(web, f"studies/{study.study_instance_uid}/series?Modality=MR") == []
    find(web, "studies/1.2.3/series", status=404)


def test_fuzzy_matching_is_declined_with_a_warning(study: ImagingStudy, web: Client) -> None:
    """PS3.18, 8.3.4.2.1 gives the words of the warning."""
    answer = web.get("/dicomweb/studies?fuzzymatching=true")
    assert answer.status_code == 200
    assert answer["Warning"] == (
        '299 testserver "The fuzzymatching parameter is not supported. Only literal matching has been performed."'
    )
    assert "Warning" not in web.get("/dicomweb/studies?fuzzymatching=false")


def test_a_cut_answer_says_so(several: dict[str, str], web: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search_views, "CAP", 2)
    answer = web.get("/dicomweb/studies")
    assert len(answer.json()) == 2
    assert answer["Warning"] == '299 testserver "There are additional results that can be requested"'
    assert "Warning" not in web.get("/dicomweb/studies?offset=2")
    # The client's own limit is what it asked for.
    assert "Warning" not in web.get("/dicomweb/studies?limit=1")


@pytest.mark.parametrize(
    "query",
    [
        "PatientAge=064Y",
        "nonsense=1",
        "0020000E=1.2",
        "Modality=CT",
        "limit=-1",
        "limit=x",
        "limit=1e9",
        "offset=99999999999999999999",
        "StudyDate=2021",
        "StudyDate=20211341",
        "StudyDate=20210101-x",
        "StudyDate=20210101-20210102-20210103",
        "StudyTime=ab",
        "StudyDescription=%00",
        "includefield=NoSuchKeyword",
        "00100010.00100020=1",
    ],
)
def test_what_is_not_understood_is_refused_in_a_sentence(query: str, study: ImagingStudy, web: Client) -> None:
    answer = web.get(f"/dicomweb/studies?{query}")
    assert answer.status_code == 400
    assert answer["Content-Type"] == "application/problem+json"
    detail = answer.json()["detail"]
    assert detail.endswith(".")
    assert query.partition("=")[2] not in detail


def test_a_number_out_of_range_is_refused(study: ImagingStudy, web: Client) -> None:
    for value in ("x", "99999999999", "1.5"):
        find(web, f"series?SeriesNumber={value}", status=400)


def test_only_ones_own_centers_are_searched(
    study: ImagingStudy, foreign_study: ImagingStudy, web: Client, everywhere: Client
) -> None:
    own, foreign = study.study_instance_uid, foreign_study.study_instance_uid
    assert values(find(web, "studies"), "0020000D") == [own]
    assert set(values(find(web, "series"), "0020000D")) == {own}
    assert set(values(find(web, "instances"), "0020000D")) == {own}
    assert find(web, f"studies?StudyInstanceUID={foreign}") == []
    assert find(web, "studies?PatientID=C2-0001") == []
    assert set(values(find(everywhere, "studies"), "0020000D")) == {own, foreign}


@pytest.mark.parametrize("path", ["studies", "series", "instances", "{study}/series", "{series}/instances"])
def test_an_answer_takes_one_query_besides_sign_in(
    path: str, base: str, study: ImagingStudy, web: Client, everywhere: Client, django_assert_num_queries: Any
) -> None:
    path = path.format(study=f"studies/{study.study_instance_uid}", series=base.removeprefix("/dicomweb/"))
    for client in (web, everywhere):
        with django_assert_num_queries(2):  # token with roles, the search
            find(client, path)


def test_the_answer_is_json_or_nothing(study: ImagingStudy, web: Client) -> None:
    for accept, content_type in [
        (JSON, JSON),
        ("application/dicom+json, application/json", JSON),
        ("application/json", "application/json"),
        ("*/*", JSON),
    ]:
        assert web.get("/dicomweb/studies", headers={"Accept": accept})["Content-Type"] == content_type
    answer = web.get("/dicomweb/studies", headers={"Accept": 'multipart/related; type="application/dicom+xml"'})
    assert answer.status_code == 406
    assert (
        web.get("/dicomweb/studies?accept=application/dicom%2Bjson", headers={"Accept": "text/html"}).status_code == 200
    )
