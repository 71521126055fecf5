"""CTs that two annotators of the demonstration have outlined blind to each other."""

import numpy as np
from scipy.ndimage import binary_dilation, binary_erosion

from apps.accounts.models import User
from apps.annotation.double_reading.assigning import assign
from apps.annotation.models import DoubleReading, Mask
from apps.annotation.selectors import load_labels
from apps.annotation.services import receive_mask, store_mask
from apps.demonstration.people import ANNOTATOR, REVIEWER, SECOND_ANNOTATOR
from apps.imaging.models import Series
from ml.hematoma import Label

# Within a slice.
_CROSS = np.array([[[0, 1, 0], [1, 1, 1], [0, 1, 0]]], dtype=bool)


def outline_twice(series: Series, content: bytes) -> Mask:
    """Have both outline a CT, the first as the simulation has it; return the first's, which is to count."""
    names = (ANNOTATOR, SECOND_ANNOTATOR.username, REVIEWER)
    first, second, reviewer = (User.objects.get(username=name) for name in names)
    if not DoubleReading.objects.filter(series=series).exists():
        assign(actor=reviewer, series=series, annotators=[first, second])
    reading = DoubleReading.objects.get(series=series)
    truth = reading.first_mask or receive_mask(actor=first, series=series, content=content)
    if reading.second_mask is None:
        store_mask(actor=second, series=series, mask=_another_hand(load_labels(truth), series.patient_id))
    return truth


def _another_hand(labels: np.ndarray, number: int) -> np.ndarray:
    """Return labels whose hematoma is drawn a pixel wider, a pixel closer, or a pixel to the side."""
    hematoma = labels == Label.PARENCHYMAL
    wider, closer = binary_dilation(hematoma, _CROSS), binary_erosion(hematoma, _CROSS)
    drawn = (wider, closer if closer.any() else hematoma, np.roll(hematoma, 1, axis=2))[number % 3]
    others = np.where(hematoma, 0, labels)
    return np.where(drawn & (others == 0), np.uint8(Label.PARENCHYMAL), others).astype(np.uint8)
