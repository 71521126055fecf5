"""Speaking to a center's PACS over DICOMweb. What goes wrong there becomes one sentence without any identifier."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from io import BytesIO
from typing import Any

import requests
from dicomweb_client.web import DICOMwebClient
from django.utils.translation import gettext as _
from pydicom.dataset import Dataset

from apps.core.errors import Refusal
from apps.core.seal import unseal_text
from apps.imaging.models import Archive

# Seconds to connect, and of silence in an answer: a PACS may fetch from tape.
TIMEOUT = (10, 120)
MOST_STUDIES = 100


def silence_client() -> None:
    """Keep the client's log from naming the hospital's studies: it writes their UIDs and addresses."""
    for name in ("dicomweb_client", "urllib3"):
        logging.getLogger(name).setLevel(logging.CRITICAL)


class _Session(requests.Session):
    """Sends the asterisk of a search as it is: the client writes %2A, which Orthanc takes for a plain letter."""

    def prepare_request(self, request: requests.Request) -> requests.PreparedRequest:
        prepared = super().prepare_request(request)
        if prepared.url:
            prepared.url = prepared.url.replace("%2A", "*")
        return prepared


@contextmanager
def connected(archive: Archive) -> Iterator[DICOMwebClient]:
    """Yield a client for an archive. Whatever it raises becomes a Refusal."""
    session = _Session()
    secret = unseal_text(archive.secret) if archive.secret else ""
    if archive.username:
        session.auth = (archive.username, secret)
    elif secret:
        session.headers["Authorization"] = f"Bearer {secret}"
    try:
        yield DICOMwebClient(archive.url.rstrip("/"), session=session, timeout=TIMEOUT, permissive_uid=True)
    except Refusal:
        raise
    except requests.HTTPError as error:
        raise _refused(error.response.status_code if error.response is not None else 0) from None
    except requests.Timeout:
        raise Refusal(
            "archive_silent", _("The archive did not answer in time. Try again later, or ask who runs it."), status=502
        ) from None
    except requests.RequestException:
        raise Refusal(
            "archive_unreachable",
            _("The archive cannot be reached. Check its address and the network, then try again."),
            status=502,
        ) from None
    except Exception:  # an answer that is no DICOMweb breaks the client in many ways
        raise Refusal(
            "archive_unclear",
            _("The archive's answer is no DICOMweb. Check its address with who runs it."),
            status=502,
        ) from None
    finally:
        session.close()


def _refused(status: int) -> Refusal:
    if status in (401, 403):
        sentence = _("The archive refused the account. Ask the administrator to set its user name and password anew.")
        return Refusal("archive_account", sentence, status=502)
    if status == 404:
        return Refusal(
            "archive_not_found", _("The archive does not have this study any more. Search again."), status=502
        )
    sentence = _("The archive refused the request (status %(status)d). Ask who runs it.") % {"status": status}
    return Refusal("archive_refused", sentence, status=502)


def search_studies(archive: Archive, filters: dict[str, str]) -> list[dict[str, Any]]:
    """Return the studies of an archive (DICOM JSON) that fit QIDO-RS filters by keyword.

    DICOM compares descriptions letter by letter, so the words are asked for in the ways in which they are written.
    """
    fields = ["StudyDescription", "ModalitiesInStudy", "NumberOfStudyRelatedSeries", "NumberOfStudyRelatedInstances"]
    words = filters.get("StudyDescription", "")
    found: dict[str, dict[str, Any]] = {}
    with connected(archive) as client:
        for spelled in dict.fromkeys((words, words.upper(), words.lower(), words.title())):
            asked = filters | ({"StudyDescription": spelled} if spelled else {})
            rows = client.search_for_studies(search_filters=asked, fields=fields, limit=MOST_STUDIES)
            found |= {row["0020000D"]["Value"][0]: row for row in rows}
    return list(found.values())


def date_range(first: date | None, last: date | None) -> str:
    """Return a range of days as QIDO-RS takes it, empty where there is no bound."""
    days = [f"{day:%Y%m%d}" if day else "" for day in (first, last)]
    return "-".join(days) if any(days) else ""


def fetch_series(archive: Archive, study_uid: str) -> Iterator[list[bytes]]:
    """Yield the files of each series of a study, one series after the other."""
    with connected(archive) as client:
        for row in client.search_for_series(study_instance_uid=study_uid):
            uid = row["0020000E"]["Value"][0]
            yield [_bytes(dataset) for dataset in client.iter_series(study_uid, uid)]


def send_datasets(archive: Archive, datasets: list[Dataset]) -> None:
    """Store instances in an archive (STOW-RS); Refusal where it did not take each of them."""
    with connected(archive) as client:
        answer = client.store_instances(datasets)
        stored = len(answer.get("ReferencedSOPSequence", []) or [])
    if stored != len(datasets):
        raise Refusal(
            "archive_took_part",
            _("The archive took %(stored)d of %(count)d images. Try again; what it has it knows already.")
            % {"stored": stored, "count": len(datasets)},
            status=502,
        )


def _bytes(dataset: Dataset) -> bytes:
    buffer = BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()
