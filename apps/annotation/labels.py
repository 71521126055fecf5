"""The labels of a mask as people and other programs see them: names, colors, and codes of DICOM."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from ml.hematoma import Label

if TYPE_CHECKING:
    from apps.annotation.models import Mask

Color = tuple[int, int, int]


@dataclass(frozen=True)
class LabelWords:
    """One label: its name on pages, its name, finding and place in DICOM, and its color."""

    name: str | Promise
    dicom_name: str
    finding: Code
    region: Code
    color: Color


# Eight colors that the color-blind tell apart: Okabe M, Ito K. Color universal design (2008); six of them.
LABELS: dict[Label, LabelWords] = {
    Label.PARENCHYMAL: LabelWords(
        _("Parenchymal hematoma"), "Hematoma", codes.SCT.Hematoma, codes.SCT.Brain, (230, 159, 0)
    ),
    Label.INTRAVENTRICULAR: LabelWords(
        _("Intraventricular blood"), "Intraventricular blood", codes.SCT.Hemorrhage, codes.SCT.BrainVentricle,
        (86, 180, 233),
    ),
    Label.EDEMA: LabelWords(_("Edema"), "Edema", codes.SCT.Edema, codes.SCT.Brain, (0, 158, 115)),
    Label.SUBARACHNOID: LabelWords(
        _("Subarachnoid blood"), "Subarachnoid blood", codes.SCT.Hemorrhage, codes.SCT.CranialSubarachnoidSpace,
        (240, 228, 66),
    ),
    Label.SUBDURAL: LabelWords(
        _("Subdural hematoma"), "Subdural hematoma", codes.SCT.Hematoma, codes.SCT.DuraMater, (213, 94, 0)
    ),
    Label.EXTRADURAL: LabelWords(
        _("Extradural hematoma"), "Extradural hematoma", codes.SCT.Hematoma, codes.SCT.DuraMater, (204, 121, 167)
    ),
}  # fmt: skip


def amounts_of(mask: "Mask") -> list[tuple[str | Promise, str]]:
    """Return (name, mL) of what a version outlines, the parenchymal hematoma first."""
    return [(LABELS[Label(int(key))].name, ml) for key, ml in sorted(mask.label_ml.items())]
