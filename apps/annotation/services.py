"""Taking a mask in: laid on the CT's own slices, measured, and added as a new version that waits for review."""

import hashlib
import tempfile
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from django.db import transaction
from django.utils.translation import gettext as _

from apps.accounts.access import require
from apps.accounts.models import User
from apps.accounts.policy import Permission
from apps.annotation import files
from apps.annotation.difference import refused
from apps.annotation.double_reading.submitting import lock_reading, note_submission
from apps.annotation.formats import plain_mask
from apps.annotation.labels import LABELS
from apps.annotation.models import DoubleReading, Mask, Outline
from apps.annotation.segmentation import store_segmentation
from apps.annotation.selectors import load_hematoma
from apps.audit.services import record
from apps.core import store
from apps.core.errors import Conflict, Refusal
from apps.imaging import geometry
from apps.imaging.models import Series
from apps.imaging.selectors import load_volume
from apps.imaging.services import lock_series
from apps.patients.changes import announce
from apps.patients.models import Patient
from ml.errors import MLError
from ml.hematoma import (
    FEATURES_VERSION,
    Label,
    abc2_ml,
    areas_mm2,
    center_mm,
    hematoma_features,
    lateral_extent_mm,
    volume_ml,
    volumes_ml,
)
from ml.volumes import Geometry, MaskError, read_mask

# A body is smaller than this; the number fits its column.
LARGEST_ML = 100_000


def receive_mask(*, actor: User, series: Series, content: bytes) -> Mask:
    """Store a mask (NIfTI, NRRD or MetaImage) of a series as its next version.

    Raises MaskError (empty, no mask), Conflict (the newest version is the same) and Refusal (not on this CT's grid).
    """
    require(actor, Permission.UPLOAD_MASK, series.patient.center)
    if series.state == Series.State.FAILED:
        raise Refusal("series_failed", _("This CT is not usable, so it takes no mask. Upload a usable CT first."))
    grid = geometry.from_json(series.geometry)
    mask = _with_known_labels(_read(content, grid))
    return store_mask(actor=actor, series=series, mask=mask)


def store_mask(
    *, actor: User, series: Series, mask: npt.NDArray[np.uint8], corrects: Mask | None = None, received_as: str = "",
    suggestion_version: int = 0,
) -> Mask:  # fmt: skip
    """Measure and store labels (z, y, x) that lie on the series' grid already."""
    measured = _measured(mask, series)
    packed = files.pack(mask, series)
    with transaction.atomic():
        Patient.objects.select_for_update().get(pk=series.patient_id)
        _check_revision(series)
        reading = lock_reading(actor, series)
        newest = series.masks.order_by("-version").first()
        if reading is None:  # two who are blind to each other may draw the same
            _refuse_known(newest, packed)
        name, digest = store.put(packed, ".npz")
        row = Mask.objects.create(
            series=series,
            patient=series.patient,
            version=newest.version + 1 if newest else 1,
            file=name,
            sha256=digest,
            uploaded_by=actor,
            corrects=corrects,
            received_as=received_as,
            suggestion_version=suggestion_version,
            **measured,
        )
        record(
            actor=actor,
            action="upload_mask",
            target=row,
            center=series.patient.center,
            changes={"volume_ml": [str(newest.volume_ml) if newest else None, str(row.volume_ml)]},
        )
        lock_series(series)
        Outline.objects.filter(series=series, annotator=actor, revision=0, submitted=None).update(submitted=row)
        _show(row, reading)
        announce(series.patient)
    return row


def _show(row: Mask, reading: DoubleReading | None) -> None:
    """Write the version as a segmentation; of two who are blind to each other, once both have submitted."""
    if reading is None:
        store_segmentation(row)
        return
    note_submission(reading, row)
    if not reading.is_open:
        for each in row.series.masks.all():
            store_segmentation(each)


def _refuse_known(newest: Mask | None, packed: bytes) -> None:
    if newest is not None and newest.sha256 == hashlib.sha256(packed).hexdigest():
        raise Conflict(
            "mask_known",
            _("This mask is the same as version %(version)d, the newest. Nothing was changed.")
            % {"version": newest.version},
        )


def _check_revision(series: Series) -> None:
    if not Series.objects.filter(pk=series.pk, revision=series.revision).exists():
        raise Conflict(
            "series_changed", _("Slices came to this CT meanwhile. Load the page again, and draw the mask on all.")
        )


def _measured(mask: npt.NDArray[np.uint8], series: Series) -> dict[str, Any]:
    """Return the columns of a mask's row that are measured of it."""
    grid = geometry.from_json(series.geometry)
    hematoma = mask == Label.PARENCHYMAL
    volume, estimate = _milliliters_of(hematoma, grid)
    features = _describe(hematoma, series)
    return {
        "volume_ml": volume,
        "abc2_ml": estimate,
        "label_ml": {str(int(label)): str(_milliliters(ml)) for label, ml in volumes_ml(mask, grid).items() if ml},
        "slice_areas_mm2": areas_mm2(mask, grid, Label.PARENCHYMAL).round(1).tolist(),
        "lateral_mm": lateral_extent_mm(hematoma, grid),
        "features": features,
        "features_version": FEATURES_VERSION if features else 0,
    }


def _milliliters_of(mask: npt.NDArray[np.bool_], grid: Geometry) -> tuple[Decimal, Decimal]:
    """Return the volume by planimetry and by ABC/2 in mL; refuse what is no hematoma by its size."""
    volume, estimate = _milliliters(volume_ml(mask, grid)), _milliliters(abc2_ml(mask, grid))
    if volume <= 0:
        raise Refusal(
            "mask_too_small",
            _("The parenchymal hematoma is smaller than 0.01 mL. Outline it, and send the mask again."),
        )
    if max(volume, estimate) >= LARGEST_ML:
        raise Refusal(
            "mask_too_big", _("The mask is larger than any head. Check the pixel spacing of the CT, and draw it again.")
        )
    return volume, estimate


def measure_features(mask: Mask) -> None:
    """Measure place, shape and density of a stored mask anew. Raises SeriesError where its CT cannot be read."""
    hematoma, volume = load_hematoma(mask), load_volume(mask.series)
    Mask.objects.filter(pk=mask.pk).update(
        features=hematoma_features(hematoma, volume) | center_mm(hematoma, volume), features_version=FEATURES_VERSION,
        lateral_mm=lateral_extent_mm(hematoma, volume),
    )  # fmt: skip


def _describe(mask: npt.NDArray[np.bool_], series: Series) -> dict[str, float]:
    """Return shape, density, center; nothing where the CT cannot be read, for the outline is worth keeping anyway."""
    try:
        volume = load_volume(series)
        return hematoma_features(mask, volume) | center_mm(mask, volume)
    except MLError:
        return {}


def _read(content: bytes, grid: Geometry) -> npt.NDArray[np.uint8]:
    """Read a mask. SimpleITK reads files only; the file holds voxels and their place, and goes after reading."""
    plain, suffix = plain_mask(content, grid)
    with tempfile.TemporaryDirectory(prefix="ichor-mask-") as folder:
        path = Path(folder) / f"mask{suffix}"
        path.write_bytes(plain)
        try:
            return read_mask(path, grid)
        except MaskError as error:
            raise refused(error, path, grid) from error


def _with_known_labels(mask: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Return the labels of a file as the platform knows them: a lone one that it does not know is the hematoma."""
    found = np.unique(mask[mask > 0])
    unknown = [int(label) for label in found if label not in LABELS]
    if not unknown:
        return mask
    if len(found) == 1:
        return (mask > 0).astype(np.uint8) * np.uint8(Label.PARENCHYMAL)
    raise Refusal(
        "mask_labels",
        _("The mask has the label %(unknown)d, which has no meaning here. Use %(known)s.")
        % {"unknown": unknown[0], "known": ", ".join(f"{label:d} {words.name}" for label, words in LABELS.items())},
    )


def _milliliters(value: float) -> Decimal:
    return Decimal(value).quantize(Decimal("0.01"))
