"""One file of an upload made ready to be stored: decoded, without identity, as bytes. Nothing here touches a disk."""

import json
from dataclasses import dataclass, field

from django.utils.translation import gettext as _
from pydicom.dataset import Dataset

from apps.core.errors import Refusal
from apps.imaging.deidentification import clean_ct, clean_picture, header_json, split_frames, to_bytes
from apps.imaging.ingest.kinds import MULTI_FRAME, reason_to_hold
from apps.imaging.ingest.pixels import decode, digest_of, frame_parts, to_little_endian
from apps.imaging.models import HeldInstance
from ml.volumes.headers import text


@dataclass(frozen=True)
class Prepared:
    """An object without identity, ready for the store."""

    number: int
    # The sender's own identifier: only ever told to the sender.
    sent_as: tuple[str, str]
    dataset: Dataset
    content: bytes
    header: str
    pixel_digest: str
    parts: list[list[list[int]]]
    hold: HeldInstance.Reason | None
    changes: dict[str, str] = field(default_factory=dict)

    @property
    def uid(self) -> str:
        return str(self.dataset.SOPInstanceUID)

    @property
    def series_uid(self) -> str:
        return str(self.dataset.SeriesInstanceUID)

    @property
    def study_uid(self) -> str:
        return str(self.dataset.StudyInstanceUID)


def prepare(number: int, dataset: Dataset, study_id: str) -> list[Prepared]:
    """Return what one file brings: one object, or one for each frame. Raises Refusal."""
    sent_as = (text(dataset, "SOPClassUID"), text(dataset, "SOPInstanceUID"))
    hold = reason_to_hold(dataset)
    try:
        single = split_frames(dataset) if sent_as[0] in MULTI_FRAME else [dataset]
        return [_prepare_one(number, sent_as, one, hold, study_id) for one in single]
    except Refusal:
        raise
    except Exception as error:  # a damaged element fails on first access, in many ways
        raise Refusal(
            "unreadable", _("The file cannot be read, it may be damaged or cut short. Export it again.")
        ) from error


def _prepare_one(
    number: int, sent_as: tuple[str, str], dataset: Dataset, hold: HeldInstance.Reason | None, study_id: str
) -> Prepared:
    stored = decode(dataset)
    to_little_endian(dataset, stored)
    is_picture = hold is not None and hold != HeldInstance.Reason.OVERLAY
    clean = clean_picture(dataset, study_id) if is_picture else clean_ct(dataset, study_id)
    return pack(number, sent_as, clean.dataset, digest_of(dataset, stored), hold, clean.changes)


def pack(
    number: int,
    sent_as: tuple[str, str],
    dataset: Dataset,
    pixel_digest: str,
    hold: HeldInstance.Reason | None = None,
    changes: dict[str, str] | None = None,
) -> Prepared:
    """Write a data set without identity as bytes, with what the tables keep of it."""
    content = to_bytes(dataset)
    return Prepared(
        number=number,
        sent_as=sent_as,
        dataset=dataset,
        content=content,
        header=json.dumps(header_json(dataset), separators=(",", ":"), ensure_ascii=False),
        pixel_digest=pixel_digest,
        parts=frame_parts(dataset, content),
        hold=hold,
        changes=changes or {},
    )
