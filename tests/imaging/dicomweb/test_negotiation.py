"""What a client accepts, against what is stored: the table of PS3.18, 8.7.3, as this service fills it."""

from __future__ import annotations

import pytest
from django.test import RequestFactory

from apps.core.errors import Refusal
from apps.imaging.dicomweb.negotiation import accepted, image_type, instance_form, pixel_form

EXPLICIT = "1.2.840.10008.1.2.1"
IMPLICIT = "1.2.840.10008.1.2"
J2K = "1.2.840.10008.1.2.4.90"
JLS = "1.2.840.10008.1.2.4.80"
OCTETS = "application/octet-stream"
NO = None


def request(accept: str) -> object:
    return RequestFactory().get("/", headers={"Accept": accept})


# (accepted, stored, frames asked for) -> (media type, transfer syntax, multipart) or no
PIXELS = [
    ("*/*", EXPLICIT, 1, (OCTETS, EXPLICIT, True)),
    ("*/*", J2K, 1, (OCTETS, EXPLICIT, True)),
    ("", J2K, 1, (OCTETS, EXPLICIT, True)),
    (OCTETS, EXPLICIT, 1, (OCTETS, EXPLICIT, False)),
    (OCTETS, EXPLICIT, 2, NO),
    (f"{OCTETS}; transfer-syntax=*", J2K, 1, (OCTETS, J2K, False)),
    (f'multipart/related; type="{OCTETS}"; transfer-syntax="*"', J2K, 3, (OCTETS, J2K, True)),
    (f"multipart/related; type={OCTETS}; transfer-syntax=*", EXPLICIT, 1, (OCTETS, EXPLICIT, True)),
    (f'multipart/related; type="{OCTETS}"', J2K, 1, (OCTETS, EXPLICIT, True)),
    (f'multipart/related; type="{OCTETS}"; transfer-syntax={IMPLICIT}', EXPLICIT, 1, NO),
    ('multipart/related; type="image/jp2"; transfer-syntax=' + J2K, J2K, 1, ("image/jp2", J2K, True)),
    ('multipart/related; type="image/jp2"; transfer-syntax=' + J2K, EXPLICIT, 1, NO),
    ('multipart/related; type="image/jls"; transfer-syntax=' + JLS, J2K, 1, NO),
    ('multipart/related; type="image/x-jls"', JLS, 1, ("image/jls", JLS, True)),
    ('multipart/related; type="image/jls", multipart/related; type="application/octet-stream"', J2K, 1,
     (OCTETS, EXPLICIT, True)),
    ('multipart/related; type="image/jp2"; q=0.5, application/octet-stream; q=0.9', J2K, 1, (OCTETS, EXPLICIT, False)),
    ('application/octet-stream; q=0.1, multipart/related; type="image/jp2"', J2K, 1, ("image/jp2", J2K, True)),
    ("application/octet-stream; q=0", EXPLICIT, 1, NO),
    ('multipart/related; type="*/*"; transfer-syntax=*', J2K, 1, ("image/jp2", J2K, True)),
    ("image/*; transfer-syntax=*", EXPLICIT, 1, NO),
    ("application/dicom", EXPLICIT, 1, NO),
    ("text/html", EXPLICIT, 1, NO),
    (';;,,"', EXPLICIT, 1, NO),
]  # fmt: skip


@pytest.mark.parametrize(("accept", "stored", "count", "expected"), PIXELS)
def test_frames(accept: str, stored: str, count: int, expected: tuple[str, str, bool] | None) -> None:
    if expected is None:
        with pytest.raises(Refusal) as refused:
            pixel_form(request(accept), stored, count)
        assert refused.value.status == 406
        assert refused.value.sentence.endswith(".")
        return
    form = pixel_form(request(accept), stored, count)
    assert (form.media_type, form.syntax, form.is_multipart) == expected


DICOM = "application/dicom"
# An empty transfer syntax: each as it is stored.
INSTANCES = [
    ("*/*", {EXPLICIT}, 28, (DICOM, "", True)),
    ("*/*", {J2K}, 28, (DICOM, EXPLICIT, True)),
    ('multipart/related; type="application/dicom"', {EXPLICIT, J2K}, 2, (DICOM, EXPLICIT, True)),
    ('multipart/related; type="application/dicom"; transfer-syntax=*', {EXPLICIT, J2K}, 2, (DICOM, "", True)),
    ('multipart/related; type="application/dicom"; transfer-syntax=' + J2K, {J2K}, 2, (DICOM, "", True)),
    ('multipart/related; type="application/dicom"; transfer-syntax=' + J2K, {EXPLICIT}, 2, NO),
    ('multipart/related; type="application/dicom"; transfer-syntax=' + IMPLICIT, {EXPLICIT}, 2, NO),
    (DICOM, {EXPLICIT}, 1, (DICOM, "", False)),
    (DICOM, {EXPLICIT}, 2, NO),
    ("application/zip", {J2K}, 2, ("application/zip", "", False)),
    ("application/dicom+json", {EXPLICIT}, 1, NO),
    ("image/jpeg", {EXPLICIT}, 1, NO),
]  # fmt: skip


@pytest.mark.parametrize(("accept", "stored", "count", "expected"), INSTANCES)
def test_instances(accept: str, stored: set[str], count: int, expected: tuple[str, str, bool] | None) -> None:
    if expected is None:
        with pytest.raises(Refusal) as refused:
            instance_form(request(accept), stored, count)
        assert refused.value.status == 406
        return
    form = instance_form(request(accept), stored, count)
    assert (form.media_type, form.syntax, form.is_multipart) == expected


@pytest.mark.parametrize(
    ("accept", "expected"),
    [("*/*", "image/jpeg"), ("image/*", "image/jpeg"), ("image/png", "image/png"), ("image/jpg", "image/jpeg"),
     ("image/webp, image/png;q=0.5, */*;q=0.1", "image/png"), ("image/webp", NO)],
)  # fmt: skip
def test_pictures(accept: str, expected: str | None) -> None:
    if expected is None:
        with pytest.raises(Refusal, match="image/jpeg, image/png"):
            image_type(request(accept), ("image/jpeg", "image/png"))
    else:
        assert image_type(request(accept), ("image/jpeg", "image/png")) == expected


def test_a_comma_in_quotes_parts_nothing() -> None:
    found = accepted(request('text/x; a="1,2", text/y'))
    assert [(each.kind, each.parameters) for each in found] == [("text/x", {"a": "1,2"}), ("text/y", {})]
