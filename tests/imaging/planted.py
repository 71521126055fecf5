"""A CT series with identity planted in every place that DICOM has."""

from collections.abc import Iterable
from io import BytesIO

from pydicom.datadict import DicomDictionary
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.tag import Tag

from tests.imaging.factory import make_scan, to_bytes

MARK = "QXPLANT"
UID_MARK = "1.2.826.0.1.777"
DATE_MARK = "19210317"
NUMBER_MARK = "7734512"
MARKS = tuple(mark.encode() for mark in (MARK, UID_MARK, DATE_MARK, NUMBER_MARK))

TEXT_VRS = {"AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT"}
# Without these no reader would take the file for a CT slice; the character set has a test of its own.
_NEEDED = {
    "Modality",
    "PhotometricInterpretation",
    "ImageType",
    "SpecificCharacterSet",
    "SOPClassUID",
    "BurnedInAnnotation",
}
_DATES_OF_THE_PERSON = (
    "PatientBirthDate",
    "PatientBirthDateInAlternativeCalendar",
    "LastMenstrualDate",
    "AdmittingDate",
)


def planted_series() -> list[bytes]:
    """Return four slices whose every text, person's date and UID carries a mark."""
    return [_planted_file(dataset, number) for number, dataset in enumerate(make_scan(seed=77))]


def _planted_file(dataset: Dataset, number: int) -> bytes:
    for tag in DicomDictionary:
        _plant(dataset, Tag(tag))
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL", f"{MARK} TYPE"]
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = f"{UID_MARK}.1", f"{UID_MARK}.2"
    dataset.FrameOfReferenceUID, dataset.SOPInstanceUID = f"{UID_MARK}.3", f"{UID_MARK}.4.{number}"
    for keyword in _DATES_OF_THE_PERSON:
        setattr(dataset, keyword, DATE_MARK)
    dataset.OtherPatientIDsSequence = Sequence([_nested(3)])
    dataset.RequestAttributesSequence = Sequence([_nested(1)])
    block = dataset.private_block(0x0009, f"{MARK} CREATOR", create=True)
    block.add_new(0x01, "LO", f"{MARK} PRIVATE")
    block.add_new(0x02, "SQ", Sequence([_nested(1)]))
    block.add_new(0x03, "OB", f"{MARK}BYTES.".encode())
    dataset.add_new(0x60003000, "OW", f"{MARK} OVERLAY DATA".encode())
    dataset.add_new(0x60001500, "LO", f"{MARK} OVERLAY")
    dataset.add_new(0x60000102, "US", 0)
    dataset.add_new(0xFFFCFFFC, "OB", f"{MARK}PADDING".encode())
    # Behind the last pixel of the picture, where no viewer looks.
    dataset.PixelData += f"{MARK} BEHIND".encode() + bytes(dataset.Rows)
    return _write(dataset)


def _plant(dataset: Dataset, tag: Tag) -> None:
    vr, _, _, _, keyword = DicomDictionary[tag]
    if tag.group <= 0x0002 or keyword in _NEEDED or not keyword or (keyword in dataset and vr not in TEXT_VRS):
        return
    if vr in TEXT_VRS:
        dataset.add(DataElement(tag, vr, f"{MARK}{tag.element:04X}"))
    elif vr == "UI":
        dataset.add(DataElement(tag, vr, f"{UID_MARK}.{int(tag)}"))
    elif vr == "IS" and keyword.endswith("ID"):
        dataset.add(DataElement(tag, vr, NUMBER_MARK))


def _nested(depth: int) -> Dataset:
    item = Dataset()
    item.PatientName = f"{MARK}^NESTED{depth}"
    item.PatientID = f"{MARK}{depth}"
    item.add_new(0x00091001, "LO", f"{MARK} NESTED PRIVATE")
    if depth:
        item.OtherPatientIDsSequence = Sequence([_nested(depth - 1)])
    return item


def _write(dataset: Dataset) -> bytes:
    dataset.preamble = f"{MARK} PREAMBLE".encode().ljust(128, b"\0")
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.file_meta.SourceApplicationEntityTitle = f"{MARK}AE"
    dataset.file_meta.ImplementationVersionName = f"{MARK}IMPL"
    dataset.file_meta.PrivateInformationCreatorUID = f"{UID_MARK}.9"
    dataset.file_meta.PrivateInformation = f"{MARK} META".encode()
    buffer = BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def strange_character_set() -> list[bytes]:
    """Return a series whose character set is a name: a reader that complains about it repeats the name."""
    datasets = make_scan(seed=78, Manufacturer=MARK)
    for dataset in datasets:
        dataset.add(DataElement(0x00080005, "CS", f"{MARK} CHARSET"))
    return to_bytes(datasets)


def marks_in(texts: Iterable[bytes]) -> list[bytes]:
    """Return the surroundings of each mark that is found, to be shown when a test fails."""
    found = []
    for text in texts:
        for mark in MARKS:
            for form in (mark, mark.decode().encode("utf-16-le")):
                place = text.upper().find(form)
                if place >= 0:
                    found.append(text[max(0, place - 60) : place + 60])
    return found
