"""Real odd files, alone and mixed into a good series: what becomes of each is written down here, file by file."""

from pathlib import Path

import pytest
from rest_framework.test import APIClient

from apps.imaging.models import HeldInstance, Series
from apps.patients.models import Patient
from tests.imaging.doors import check_sentence
from tests.imaging.factory import ct_api_url, scan_files, uploads

pytestmark = pytest.mark.slow

# folder/file (or its end) -> what becomes of it. "stored" names the code of the geometry report's gravest finding.
OUTCOMES = {
    # 17 transfer syntaxes of one slice: a slice alone makes no volume.
    "CT0012.fragmented_no_bot_jpeg_baseline.51.dcm": ("stored", "too_few_slices"),  # two frames, 12 bits
    "cornerstone_CT_transfer_syntaxes/CTImage.dcm": ("stored", "too_few_slices"),
    "_1.2.840.10008.1.2.2.dcm": ("stored", "too_few_slices"),
    "_1.2.840.10008.1.2.1.99.dcm": ("stored", "too_few_slices"),
    "_1.2.840.10008.1.2.4.90.dcm": ("stored", "too_few_slices"),
    "_1.2.840.10008.1.2.4.91.dcm": ("stored", "too_few_slices"),
    "_1.2.840.10008.1.2.4.80.dcm": ("stored", "too_few_slices"),
    "_1.2.840.10008.1.2.4.81.dcm": ("stored", "too_few_slices"),
    "_1.2.840.10008.1.2.4.55.dcm": ("stored", "too_few_slices"),  # retired, but old archives hold it
    "_1.2.840.10008.1.2.4.70.dcm": ("stored", "too_few_slices"),
    "_1.2.840.10008.1.2.4.57.dcm": ("stored", "too_few_slices"),
    "_1.2.840.10008.1.2.4.50.dcm": ("stored", "too_few_slices"),
    "_1.2.840.10008.1.2.4.51.dcm": ("stored", "too_few_slices"),  # JPEG of 12 bits
    "_1.2.840.10008.1.2.4.53.dcm": ("stored", "too_few_slices"),  # retired
    "_1.2.840.10008.1.2.1.dcm": ("stored", "too_few_slices"),
    "_1.2.840.10008.1.2.dcm": ("stored", "too_few_slices"),
    "_1.2.840.10008.1.2.5.dcm": ("stored", "too_few_slices"),
    "dicom2nifti_failing/": ("stored", "too_few_slices"),
    "dicom2nifti_failing/slicecount/": ("left_out", "not_ct"),  # a magnetic resonance
    "dicom2nifti_failing/sliceorientation/": ("left_out", "not_ct"),
    "legacy_enhanced_ct/24x38x3/image/": ("stored", "too_few_slices"),
    "multiframe/mf.dcm": ("stored", "short_coverage"),
    "label.nrrd": ("refused", "not_dicom"),
    "label.seg": ("left_out", "not_ct"),
    "CT_small.dcm": ("stored", "too_few_slices"),
    "ExplVR_BigEnd.dcm": ("left_out", "not_ct"),
    "ExplVR_BigEndNoMeta.dcm": ("left_out", "not_ct"),
    "ExplVR_LitEndNoMeta.dcm": ("left_out", "not_ct"),
    "J2K_pixelrep_mismatch.dcm": ("stored", "too_few_slices"),
    "JPEG2000-embedded-sequence-delimiter.dcm": ("refused", "undecodable"),
    "JPEGLSNearLossless_16.dcm": ("refused", "missing_identity"),
    "JPGExtended.dcm": ("held", "secondary_capture"),
    "MR_small_RLE.dcm": ("left_out", "not_ct"),
    "MR_small_bigendian.dcm": ("left_out", "not_ct"),
    "MR_truncated.dcm": ("left_out", "not_ct"),
    "README.txt": ("refused", "not_dicom"),
    "TINY_ALPHA/DICOMDIR": ("passed over", ""),
    "TINY_ALPHA/PT000000/": ("refused", "no_pixels"),
    "TINY_ALPHA/README": ("refused", "not_dicom"),
    "UN_sequence.dcm": ("left_out", "not_ct"),
    "badVR.dcm": ("left_out", "not_ct"),
    "empty_charset_LEI.dcm": ("left_out", "not_ct"),
    "image_dfl.dcm": ("held", "secondary_capture"),
    "meta_missing_tsyntax.dcm": ("left_out", "not_ct"),
    "no_meta.dcm": ("refused", "not_dicom"),  # its first bytes are lost
    "no_meta_group_length.dcm": ("left_out", "not_ct"),
    "reportsi.dcm": ("left_out", "not_ct"),
    "rtdose.dcm": ("left_out", "not_ct"),
    "rtplan_truncated.dcm": ("left_out", "not_ct"),
    "rtstruct.dcm": ("left_out", "not_ct"),
    "zipMR.gz": ("refused", "not_dicom"),
    "seg_not_image/": ("left_out", "not_ct"),
    "wrong_bodypart_CT/": ("stored", "too_few_slices"),
    "wrong_modality_MR_series/": ("left_out", "not_ct"),
}


def expected(path: str) -> tuple[str, str]:
    # The longest entry speaks: "…1.2.4.90.dcm" before "…1.2.dcm".
    fitting = [name for name in OUTCOMES if path.endswith(name) or (name.endswith("/") and name in path)]
    assert fitting, f"no outcome is written down for {path}"
    return OUTCOMES[max(fitting, key=len)]


def all_paths(root: Path) -> list[Path]:
    return sorted(path for path in (root / "odd-dicom").rglob("*") if path.is_file())


def become(answer: dict[str, object], name: str) -> tuple[str, str]:
    """Return what became of the last file of an upload."""
    outcomes = answer["outcomes"]
    assert isinstance(outcomes, list)
    if not outcomes:
        return "passed over", ""
    last = max(outcomes, key=lambda outcome: outcome["number"])
    if last["status"] not in ("stored", "known"):
        check_sentence(last["sentence"])
        return last["status"], last["code"]
    series = Series.objects.filter(pk__in=answer["series"]).order_by("-pk").first()
    assert series is not None, name
    found = series.geometry_report["findings"]
    return last["status"], next((finding["code"] for finding in found if finding["level"] == "fail"), "")


def test_each_odd_file_alone(api: APIClient, patient: Patient, shared_data: Path) -> None:
    paths = all_paths(shared_data)
    assert len(paths) > 100
    for path in paths:
        # As the last part of an upload: every answer is a receipt. The same person's, so that each can be judged.
        form = {"files": uploads([path.read_bytes()]), "more": "0", "confirmed": "1"}
        answer = api.post(ct_api_url(patient), form)
        name = str(path.relative_to(shared_data / "odd-dicom"))
        assert answer.status_code in (200, 201), (name, answer.content)
        told = become(answer.json(), name)
        due = expected(name)
        # Several files hold the very same picture, or lie in the same series as one before.
        assert told == due or (due[0] == "stored" and told[0] in ("stored", "known", "held")), (name, told, due)
        assert told[0] == due[0] or told[0] in ("known", "held"), (name, told, due)
        Series.objects.all().delete()
        HeldInstance.objects.all().delete()


def test_each_odd_file_among_good_slices(api: APIClient, patient: Patient, shared_data: Path) -> None:
    good = scan_files(6, PatientID="", seed=4)
    for path in all_paths(shared_data):
        form = {"files": uploads([*good, path.read_bytes()]), "confirmed": "1"}
        answer = api.post(ct_api_url(patient), form)
        assert answer.status_code == 201, (path.name, answer.content)
        assert answer.json()["counts"]["stored"] >= 6, path.name
        for outcome in answer.json()["outcomes"]:
            if outcome["status"] not in ("stored", "known"):
                check_sentence(outcome["sentence"])
        whole = [series for series in Series.objects.all() if series.slice_count == 6]
        assert [series.geometry_report["level"] == "fail" for series in whole] == [False], path.name
        Series.objects.all().delete()
        HeldInstance.objects.all().delete()


@pytest.mark.parametrize("kind", ["wrong_modality_MR_series", "seg_not_image"])
def test_known_wrong_folders(kind: str, api: APIClient, patient: Patient, shared_data: Path) -> None:
    files = [path.read_bytes() for path in sorted((shared_data / "odd-dicom" / kind).iterdir())]
    answer = api.post(ct_api_url(patient), {"files": uploads(files)})
    assert (answer.status_code, answer.json()["code"]) == (422, "not_ct")


# The defect for which each folder was collected, as the geometry report names it.
FOLDERS = {
    "dicom2nifti_failing/gantrytilting/001": "tilted",
    "dicom2nifti_failing/notavolume/001": "",
    "dicom2nifti_failing/sliceincrement/001": "",
    "dicom2nifti_failing/sliceincrement/002": "missing_slices",
    "legacy_enhanced_ct/24x38x3/image": "",
}


@pytest.mark.parametrize("folder", FOLDERS)
def test_folders(folder: str, api: APIClient, patient: Patient, shared_data: Path) -> None:
    files = [path.read_bytes() for path in sorted((shared_data / "odd-dicom" / folder).iterdir())]
    answer = api.post(ct_api_url(patient), {"files": uploads(files)})
    assert answer.status_code == 201, answer.content
    codes = {finding["code"] for series in Series.objects.all() for finding in series.findings}
    assert not FOLDERS[folder] or FOLDERS[folder] in codes
