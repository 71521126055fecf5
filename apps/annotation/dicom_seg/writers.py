"""A fault of OHIF that puts frames on the wrong slices, and when it does (OHIF/Viewers issues 5038 and 5183).

OHIF hands its slices to dcmjs in the order in which it shows them; dcmjs sorts them from the head down and says of each
frame the place that the frame of the same number has there. Where OHIF shows them from the foot up, the mask is turned
upside down, and nothing in the file tells. OHIF orders slices by position where their gaps are alike, which is right,
else by Instance Number.
"""

from itertools import pairwise

import numpy as np
from pydicom.dataset import Dataset

from apps.annotation.dicom_seg import refusals
from apps.annotation.dicom_seg.reading import items
from apps.imaging import geometry
from apps.imaging.models import Series
from apps.imaging.selectors import slices_of
from ml.volumes.headers import text

# The viewer that comes with the platform: tests/browser/test_viewer.py holds it to how it orders slices.
_OUR_VIEWER = "OHIF-3.11.0"
_SIGNS = ("ohif", "dcmjs")
# dcmjs names no maker in what it derives.
_NO_MAKER = "Unspecified"
# OHIF takes gaps for alike up to 0.2 of their mean.
_ALIKE = 0.05


def check_order(series: Series, dataset: Dataset) -> None:
    """Refuse what a viewer of this fault may have turned upside down."""
    writer = text(dataset.file_meta, "ImplementationVersionName")
    if not _is_dcmjs(writer, dataset) or _numbered_from_the_head(series):
        return
    if writer != _OUR_VIEWER or not _has_gaps_alike(series):
        raise refusals.turned_over()


def _is_dcmjs(writer: str, dataset: Dataset) -> bool:
    """Say whether dcmjs wrote a file, also where an archive has put its own name on it since."""
    programs = [text(segment, "SegmentAlgorithmName") for segment in items(dataset, "SegmentSequence")]
    signed = any(name.casefold().startswith(_SIGNS) for name in (writer, *programs))
    return signed or text(dataset, "Manufacturer") == _NO_MAKER


def _numbered_from_the_head(series: Series) -> bool:
    numbers = list(slices_of(series).values_list("number", flat=True))
    return all(below is not None and above is not None and below > above for below, above in pairwise(numbers))


def _has_gaps_alike(series: Series) -> bool:
    """Say whether OHIF orders the slices by their positions; a scout among them would have it go by their numbers."""
    gaps = geometry.from_json(series.geometry).gaps
    return series.instance_count == series.slice_count and bool(np.ptp(gaps) <= _ALIKE * np.mean(gaps))
