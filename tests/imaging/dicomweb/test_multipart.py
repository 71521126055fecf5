"""multipart/related as it is written by other programs, by this one, and by nobody in his right mind."""

from __future__ import annotations

import email
from email import policy

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from apps.core.errors import Refusal
from apps.imaging.dicomweb.multipart import Writer, answer, parse

HEAD = b"Content-Type: application/dicom\r\n\r\n"


def test_what_is_written_is_read_by_pythons_own_parser() -> None:
    response = answer([b"one", b"", b"--two\r\n\r\n"], "application/dicom;transfer-syntax=1.2")
    head = f"Content-Type: {response['Content-Type']}\r\n\r\n".encode()
    message = email.message_from_bytes(head + response.content, policy=policy.HTTP)
    assert message.get_content_type() == "multipart/related"
    assert message.get_param("type") == "application/dicom"
    parts = list(message.iter_parts())
    assert [part.get_content_type() for part in parts] == ["application/dicom"] * 3
    assert [part.get_param("transfer-syntax") for part in parts] == ["1.2"] * 3
    assert [part.get_payload(decode=True) for part in parts] == [b"one", b"", b"--two\r\n\r\n"]


def test_the_length_is_known_beforehand() -> None:
    writer = Writer("application/dicom")
    contents = [b"x" * 10, b"", b"y" * 1000]
    assert len(b"".join(writer.body(contents))) == writer.length([10, 0, 1000])


def test_two_answers_never_share_a_boundary() -> None:
    assert len({Writer("a/b").content_type for _ in range(100)}) == 100


@given(st.lists(st.binary(max_size=60), min_size=1, max_size=4))
@example([b"\r\n--edg", b"--", b"\r\n", b"\n--edge"])
def test_any_content_comes_back(contents: list[bytes]) -> None:
    if any(b"\r\n--edge" in content for content in contents):
        return
    body = b"".join(b"--edge\r\n" + HEAD + content + b"\r\n" for content in contents) + b"--edge--"
    found = parse(body, "edge")
    assert [part.content for part in found] == contents
    assert {part.content_type for part in found} == {"application/dicom"}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        # As dicomweb-client writes: an empty line first, nothing behind the end.
        (b"\r\n--edge\r\n" + HEAD + b"one\r\n--edge--", [b"one"]),
        # A preamble, and an epilogue (RFC 2046, 5.1.1).
        (b"read this\r\n--edge\r\n" + HEAD + b"one\r\n--edge--\r\nthe end", [b"one"]),
        # Spaces behind the boundary, which gateways add.
        (b"--edge \t\r\n" + HEAD + b"one\r\n--edge--", [b"one"]),
        (b"--edge\r\ncontent-TYPE:application/dicom\r\nContent-ID: <1>\r\n\r\none\r\n--edge--", [b"one"]),
        (b"--edge--", []),
    ],
)
def test_what_other_programs_write(body: bytes, expected: list[bytes]) -> None:
    assert [part.content for part in parse(body, "edge")] == expected


@pytest.mark.parametrize(
    ("body", "boundary"),
    [
        (b"", "edge"),
        (b"nothing of the kind", "edge"),
        (b"--edge\r\n" + HEAD + b"one", "edge"),
        (b"--edge\r\n" + HEAD, "edge"),
        (b"--edge", "edge"),
        (b"--edge\r\n--edge--", "edge"),
        (b"--edge\r\nno header\r\n--edge--", "edge"),
        (b"--edgeofsomethingelse\r\n" + HEAD + b"x\r\n--edge--", "edge"),
        (b"--other\r\n" + HEAD + b"one\r\n--other--", "edge"),
        (b"--edge\r\n" + HEAD + b"one\r\n--edge--", ""),
        (b"--edge\r\n" + HEAD + b"one\r\n--edge--", "edge\r\n"),
        (b"--edge\r\n" + HEAD + b"one\r\n--edge--", "x" * 201),
        (b"--edge\r\n" + b"X: " + b"y" * 10_000 + b"\r\n\r\none\r\n--edge--", "edge"),
    ],
)
def test_what_is_malformed_is_refused_in_a_sentence(body: bytes, boundary: str) -> None:
    with pytest.raises(Refusal) as refused:
        parse(body, boundary)
    assert refused.value.status == 400
    assert refused.value.sentence.endswith(".")


@given(st.binary(max_size=200))
def test_anything_is_read_or_refused(body: bytes) -> None:
    for start in (b"", b"--edge", b"--edge\r\n"):
        try:
            parse(start + body, "edge")
        except Refusal as refused:
            assert refused.status == 400
