"""Whose scan it is: asked before a wrong one is stored, and remembered without a name."""

from django.core.management import call_command
from django.urls import reverse
from rest_framework.test import APIClient

from apps.accounts.models import User
from apps.crf.services import save_form
from apps.imaging.models import PersonKey, Series
from apps.patients.models import Patient
from tests.factories import PatientFactory
from tests.imaging.doors import Doors
from tests.imaging.factory import ct_api_url, dump_tables, scan_files, uploads

NUMBER = "HOSP-4711"


def send(api: APIClient, patient: Patient, files: list[bytes], **more: str):  # type: ignore[no-untyped-def]
    return api.post(ct_api_url(patient), {"files": uploads(files), **more})


def test_another_number_is_asked_about(doors: Doors, api: APIClient, patient: Patient) -> None:
    assert send(api, patient, scan_files(seed=1, PatientID=NUMBER)).status_code == 201
    other = scan_files(seed=2, PatientID="HOSP-4712")
    sentence = doors.refuse("other_person", lambda: {"files": uploads(other)}, status=409)
    assert "another hospital number" in sentence
    assert "4712" not in sentence and "4711" not in sentence
    assert Series.objects.count() == 1
    assert send(api, patient, other, confirmed="1").status_code == 201
    # The answer is remembered.
    assert send(api, patient, scan_files(seed=3, PatientID="HOSP-4712")).status_code == 201


def test_the_number_of_another_patient_is_asked_about(
    doors: Doors, api: APIClient, patient: Patient, coordinator: User
) -> None:
    first = PatientFactory(study_id="C1-0002", center=patient.center, enrolled_by=coordinator)
    send(api, first, scan_files(seed=1, PatientID=NUMBER))
    sentence = doors.refuse(
        "other_person", lambda: {"files": uploads(scan_files(seed=2, PatientID=NUMBER))}, status=409
    )
    assert "C1-0002" in sentence


def test_numbers_that_mean_nobody_are_not_asked_about(api: APIClient, patient: Patient) -> None:
    for seed, number in enumerate(("", "ANONYMOUS", "0000", "anon123", "C1-0001", "Unknown")):
        assert send(api, patient, scan_files(seed=seed, PatientID=number)).status_code == 201, number
    assert not PersonKey.objects.exists()


def test_age_and_sex_of_the_form_are_compared(
    doors: Doors, api: APIClient, patient: Patient, coordinator: User
) -> None:
    values = {"age": 64, "sex": "male"}
    save_form(actor=coordinator, patient=patient, read_version=0, values=values)
    fitting = scan_files(seed=1, PatientSex="M", PatientAge="065Y", PatientID="")
    assert send(api, patient, fitting).status_code == 201
    woman = scan_files(seed=2, PatientSex="F", PatientAge="064Y", PatientID="")
    assert "sex differs" in doors.refuse("other_person", lambda: {"files": uploads(woman)}, status=409)
    old = scan_files(seed=3, PatientSex="M", PatientAge="081Y", PatientID="")
    assert "81" in doors.refuse("other_person", lambda: {"files": uploads(old)}, status=409)


def test_no_number_is_kept(api: APIClient, patient: Patient) -> None:
    send(api, patient, scan_files(PatientID=NUMBER))
    assert PersonKey.objects.get().patient == patient
    assert not any(NUMBER in row for rows in dump_tables().values() for row in rows)


def test_a_center_s_archive_is_moved_in_twice(coordinator: User, patient: Patient, tmp_path, capsys) -> None:  # type: ignore[no-untyped-def]
    """Three persons in one folder: each enrolled once, found again the next time, and named by study id alone."""
    patient.delete()
    for person in range(3):
        folder = tmp_path / "archive" / f"CD{person}" / "IMAGES"
        folder.mkdir(parents=True)
        for number, content in enumerate(scan_files(seed=person, PatientID=f"H{person}77")):
            (folder / f"IM{number}").write_bytes(content)
    (tmp_path / "archive" / "notes.txt").write_text("not an image")
    call_command("import_dicom", tmp_path / "archive", center="C1", user=coordinator.username)
    said = capsys.readouterr()
    assert said.out.splitlines() == ["C1-0001: 4 stored", "C1-0002: 4 stored", "C1-0003: 4 stored"] or (
        said.out.count("4 stored") == 3
    )
    assert "1 files were left out" in said.err
    assert "77" not in said.out
    before = Patient.objects.count(), Series.objects.count()
    call_command("import_dicom", tmp_path / "archive", center="C1", user=coordinator.username)
    assert capsys.readouterr().out.count("4 here already") == 3
    assert (Patient.objects.count(), Series.objects.count()) == before


def test_the_choice_is_made_by_hand_with_a_reason(api: APIClient, browser, patient: Patient) -> None:  # type: ignore[no-untyped-def]
    for seed in (1, 2):
        send(api, patient, scan_files(seed=seed, PatientID=""))
    first, second = Series.objects.order_by("pk")
    assert (first.is_chosen, second.is_chosen) == (True, False)
    url = reverse("imaging:choose", args=[patient.study_id])
    assert browser.post(url, {"series": second.pk, "reason": ""}).status_code == 422
    assert browser.post(url, {"series": second.pk, "reason": "the first one moved"}).status_code == 302
    assert Series.objects.get(is_chosen=True) == second
    assert "the first one moved" in browser.get(reverse("patients:detail", args=[patient.study_id])).content.decode()
    assert browser.post(url, {"series": "", "reason": "as proposed"}).status_code == 302
    assert Series.objects.get(is_chosen=True) == first
    assert browser.post(url, {"series": 10**15, "reason": "absent"}).status_code == 404
