"""What a mask says of the hematoma: its size by either measure, its largest slice, its side, and where it may lie."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from apps.annotation.models import Mask
from ml.hematoma import CENTER, Landmarks, Location, location_of, side_of
from ml.preprocessing import lateral_middle_mm

# The ICH score counts a hematoma from 30 mL on: near it, a slip of the pen moves the patient to another group.
NEAR_CUT_ML = (Decimal(25), Decimal(35))
_SIDES = {"left": _("the patient’s left"), "right": _("the patient’s right")}
_LOCATIONS = {
    Location.INFRATENTORIAL: _("infratentorial"),
    Location.DEEP: _("supratentorial, deep (basal ganglia or thalamus)"),
    Location.LOBAR: _("supratentorial, lobar"),
    Location.SUPRATENTORIAL: _("supratentorial; deep or lobar is not clear"),
    Location.NOT_CLEAR: _("not clear"),
}


@dataclass(frozen=True)
class Meaning:
    """What pages say of a version beside its volume."""

    # ABC/2 less the volume by planimetry.
    difference_ml: Decimal
    difference_percent: Decimal
    # Counted from 1, from the foot.
    largest_slice: int
    largest_mm2: float
    near_cut: bool
    # None: where the middle of the head is is not known.
    side: str | Promise | None
    # A proposal; None: center or landmarks of the head are not known.
    location: str | Promise | None


def meaning_of(mask: Mask) -> Meaning:
    """Return what a mask says of the hematoma."""
    areas = mask.slice_areas_mm2 or [0.0]
    largest = max(range(len(areas)), key=areas.__getitem__)
    difference = mask.abc2_ml - mask.volume_ml
    place = located(mask, mask.series.preprocessing_report)
    return Meaning(
        difference_ml=difference,
        difference_percent=100 * difference / mask.volume_ml,
        largest_slice=largest + 1,
        largest_mm2=areas[largest],
        near_cut=NEAR_CUT_ML[0] <= mask.volume_ml <= NEAR_CUT_ML[1],
        side=_side(mask),
        location=None if place is None else _LOCATIONS[place],
    )


def located(mask: Mask, report: Mapping[str, Any]) -> Location | None:
    """Return where the hematoma seems to lie, by the preprocessing report of its CT; None where nothing tells."""
    landmarks = Landmarks.of(report)
    if landmarks is None or not mask.features.keys() >= set(CENTER):
        return None
    return location_of([mask.features[name] for name in CENTER], float(mask.volume_ml), landmarks)


def _side(mask: Mask) -> str | Promise | None:
    affine = mask.series.preprocessing_report.get("affine")
    if not affine or not mask.lateral_mm:
        return None
    side = side_of(mask.lateral_mm, lateral_middle_mm(affine))
    return _("not clearly on one") if side is None else _SIDES[side]
