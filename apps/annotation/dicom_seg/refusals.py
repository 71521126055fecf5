"""Why a segmentation is not taken, one sentence each."""

from django.utils.translation import gettext as _

from apps.annotation.labels import LABELS
from apps.core.errors import Refusal
from apps.imaging.derived import ABSENT, DAMAGED, SYNTAX, UNFIT


def absent() -> Refusal:
    """Say alike that there is no such patient or CT, and that it is another patient's or center's."""
    return Refusal(
        ABSENT,
        _(
            "The segmentation lies on no CT of a patient whose masks you may send. Draw it on a CT of this platform, "
            "and leave its Patient ID and its references as they are."
        ),
    )


def packed() -> Refusal:
    return Refusal(SYNTAX, _("The segmentation is compressed. Save it uncompressed, and send it again."))


def fractions() -> Refusal:
    return Refusal(
        UNFIT,
        _("The segmentation holds values between inside and outside. Save it as a binary one, and send it again."),
    )


def damaged() -> Refusal:
    return Refusal(
        DAMAGED, _("The segmentation is damaged or cut short: its frames cannot be read. Save it again, and send it.")
    )


def unplaced() -> Refusal:
    return Refusal(
        DAMAGED,
        _("The segmentation does not say of each frame which segment and which slice it shows. Save it anew."),
    )


def several_series() -> Refusal:
    return Refusal(UNFIT, _("The segmentation lies on several CT series. Send one for each series."))


def other_grid() -> Refusal:
    return Refusal(
        UNFIT,
        _(
            "The segmentation has other rows, columns, pixel sizes or directions than its CT. Draw it on the CT "
            "itself, without resampling."
        ),
    )


def off_slices() -> Refusal:
    return Refusal(
        UNFIT,
        _("A frame of the segmentation lies on no slice of its CT. Draw it on the CT itself, without resampling."),
    )


def turned_over() -> Refusal:
    return Refusal(
        UNFIT,
        _(
            "OHIF turns what is drawn on this CT upside down when it stores it. Outline the CT on its page here, or in "
            "another program."
        ),
    )


def doubled() -> Refusal:
    return Refusal(DAMAGED, _("Two frames of the segmentation show one segment on one slice. Save it anew."))


def overlap() -> Refusal:
    return Refusal(UNFIT, _("Segments overlap. Give each pixel to one segment alone, and send the segmentation again."))


def unknown_segment() -> Refusal:
    known = ", ".join(words.dicom_name for words in LABELS.values())
    return Refusal(
        UNFIT,
        _("A segment has codes or a name that have no meaning here. Name it one of: %(known)s.") % {"known": known},
    )


def other_under_this_uid() -> Refusal:
    return Refusal(
        "segmentation_uid",
        _("Another segmentation came under the same identifier before. Save this one as a new one, and send it again."),
    )


def blind() -> Refusal:
    """A segmentation is shown in every viewer at once, to the other of the two as well."""
    return Refusal(
        "double_reading_open",
        _(
            "Two people outline this CT blind to each other, and the other would find a segmentation. Outline it on "
            "its page here, or upload the mask there as a file."
        ),
    )
