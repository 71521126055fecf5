"""Real odd files one by one through the API: taken, or refused with a sentence; never an error of the server's own."""

from pathlib import Path

import pytest
from rest_framework.test import APIClient

from apps.imaging.models import Series
from apps.patients.models import Patient
from tests.factories import PatientFactory
from tests.imaging.doors import check_sentence
from tests.imaging.factory import ct_api_url, everything, stored_files, uploads


def _folders(root: Path) -> list[Path]:
    return sorted({path.parent for path in root.rglob("*") if path.is_file()})


def test_each_odd_file_alone(api: APIClient, patient: Patient, shared_data: Path) -> None:
    paths = sorted(path for path in (shared_data / "odd-dicom").rglob("*") if path.is_file())
    assert len(paths) > 100
    before = everything()
    for path in paths:
        answer = api.post(ct_api_url(patient), {"files": uploads([path.read_bytes()])})
        # One slice is no series, so a file alone is always refused.
        assert answer.status_code == 422, (path, answer.content)
        check_sentence(answer.json()["detail"])
    assert everything() == before


def test_each_odd_folder(api: APIClient, patient: Patient, shared_data: Path) -> None:
    taken = []
    for folder in _folders(shared_data / "odd-dicom"):
        target = PatientFactory(center=patient.center, enrolled_by=patient.enrolled_by)
        before = everything()
        files = [path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()]
        answer = api.post(ct_api_url(target), {"files": uploads(files)})
        assert answer.status_code in (201, 409, 422), (folder, answer.content)
        if answer.status_code == 201:
            taken.append(folder.name)
        else:
            check_sentence(answer.json()["detail"])
            assert everything() == before
    assert Series.objects.count() == len(taken)
    # Three slices of a CT of the trunk are a proper series; that they show no head is for preprocessing to find.
    assert "wrong_bodypart_CT" in taken


@pytest.mark.parametrize("kind", ["wrong_modality_MR_series", "seg_not_image"])
def test_known_wrong_folders(kind: str, api: APIClient, patient: Patient, shared_data: Path) -> None:
    files = [path.read_bytes() for path in sorted((shared_data / "odd-dicom" / kind).iterdir())]
    answer = api.post(ct_api_url(patient), {"files": uploads(files)})
    assert answer.json()["code"] == "not_ct"
    assert stored_files() == {}
