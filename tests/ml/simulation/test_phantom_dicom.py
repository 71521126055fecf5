"""The files that the phantom writes, judged by DICOM's own validator and by other readers."""

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk  # noqa: N813

from ml.errors import MLError
from ml.simulation import PhantomSpec, PhantomTruth, SpacingPattern, simulate_ct

pytestmark = pytest.mark.slow

SMALL = {"rows": 96, "columns": 96, "volume_ml": 12.0}


@pytest.fixture(scope="module")
def tilted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, PhantomTruth]:
    folder = tmp_path_factory.mktemp("tilted")
    spec = PhantomSpec(**SMALL, gantry_tilt_degrees=20, spacing=SpacingPattern.MIXED_4_7MM, ivh=True)
    return folder, simulate_ct(folder, spec=spec, seed=3)


def by_height(folder: Path) -> list[pydicom.Dataset]:
    return sorted((pydicom.dcmread(f) for f in folder.iterdir()), key=lambda d: float(d.ImagePositionPatient[2]))


def test_the_standards_validator_finds_no_error(tilted: tuple[Path, PhantomTruth]) -> None:
    program = shutil.which("dciodvfy")
    if program is None:
        pytest.skip("dciodvfy is not installed (Debian package dicom3tools)")
    files = sorted(tilted[0].iterdir())
    for file in (files[0], files[-1]):
        done = subprocess.run([program, str(file)], capture_output=True, text=True, check=False)
        report = done.stdout + done.stderr
        assert "CTImage" in report
        assert not re.search(r"^(Error|Warning)", report, re.MULTILINE), report


def test_simpleitk_reads_the_same_hounsfield_units(tilted: tuple[Path, PhantomTruth]) -> None:
    folder, truth = tilted
    for dataset in by_height(folder)[::8]:
        image = sitk.ReadImage(str(dataset_path(folder, dataset.SOPInstanceUID)))
        stored = dataset.pixel_array.astype(int) + int(dataset.RescaleIntercept)
        np.testing.assert_array_equal(sitk.GetArrayFromImage(image)[0], stored)
    names = sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder))
    assert len(names) == len(truth.hematoma_mask)


def dataset_path(folder: Path, uid: str) -> Path:
    return next(
        f for f in folder.iterdir() if pydicom.dcmread(f, specific_tags=["SOPInstanceUID"]).SOPInstanceUID == uid
    )


def test_file_names_tell_nothing_of_the_order(tilted: tuple[Path, PhantomTruth]) -> None:
    names = [Path(str(d.filename)).name for d in by_height(tilted[0])]
    assert names != sorted(names)
    assert names != sorted(names, reverse=True)


def test_header_says_what_was_simulated(tilted: tuple[Path, PhantomTruth]) -> None:
    datasets = by_height(tilted[0])
    first = datasets[0]
    assert first.Modality == "CT"
    assert first.file_meta.TransferSyntaxUID == pydicom.uid.ExplicitVRLittleEndian
    assert float(first.GantryDetectorTilt) == 20
    assert list(first.ImageType) == ["ORIGINAL", "PRIMARY", "AXIAL"]
    assert (first.BurnedInAnnotation, first.ImageComments) == ("NO", "simulated, not a patient")
    assert {float(d.SliceThickness) for d in datasets} == {4.0, 7.0}
    uids = [d.SOPInstanceUID for d in datasets]
    assert len(set(uids)) == len(uids)
    assert all(uid.startswith("2.25.") and uid.is_valid for uid in uids)
    assert len({(d.StudyInstanceUID, d.SeriesInstanceUID, d.FrameOfReferenceUID) for d in datasets}) == 1


def test_default_identity_is_plainly_artificial_and_tags_replace_it(tmp_path: Path) -> None:
    simulate_ct(tmp_path / "default", spec=PhantomSpec(**SMALL), seed=1)
    simulate_ct(
        tmp_path / "named",
        spec=PhantomSpec(**SMALL),
        seed=1,
        patient_tags={
            "PatientName": "Test^Person",
            "PatientID": "H-77",
            "OtherPatientIDs": "old",
            "PatientAge": "064Y",
        },
    )
    default, named = (pydicom.dcmread(next((tmp_path / n).iterdir())) for n in ("default", "named"))
    assert default.PatientName == "Simulated^Phantom"
    assert default.InstitutionName and default.AccessionNumber and default.PatientBirthDate
    assert (named.PatientName, named.PatientID, named.PatientAge) == ("Test^Person", "H-77", "064Y")
    assert named.StudyInstanceUID != default.StudyInstanceUID


def test_tag_unknown_to_dicom_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MLError) as refused:
        simulate_ct(tmp_path, spec=PhantomSpec(**SMALL), seed=1, patient_tags={"PatientNickname": "x"})
    assert refused.value.code == "unknown_dicom_keyword"
    assert "x" not in str(refused.value).split()


def contents(folder: Path) -> dict[str, bytes]:
    return {f.name: f.read_bytes() for f in folder.iterdir()}


def test_same_seed_same_bytes_other_seed_other_head(tmp_path: Path) -> None:
    spec = PhantomSpec(**SMALL)
    for name, seed in (("a", 5), ("b", 5), ("c", 6)):
        simulate_ct(tmp_path / name, spec=spec, seed=seed)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    assert not set(contents(tmp_path / "a").values()) & set(contents(tmp_path / "c").values())


@pytest.mark.parametrize("descending", [False, True])
def test_instance_numbers_follow_the_scanners_direction(tmp_path: Path, descending: bool) -> None:
    simulate_ct(tmp_path, spec=PhantomSpec(**SMALL, descending=descending), seed=1)
    numbers = [int(d.InstanceNumber) for d in by_height(tmp_path)]
    expected = list(range(1, len(numbers) + 1))
    assert numbers == (expected[::-1] if descending else expected)
