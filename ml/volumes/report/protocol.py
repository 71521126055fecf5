"""How a series was acquired: contrast agent, kernel, compression, body part, Hounsfield scale.

The names of kernels are the vendors' own: GE names them, Siemens counts sharpness (H60, B70, Hr60), Philips has letters
(D, E and YC are sharp), Canon groups them by tens (FC30, FC50 and from FC80 on are for bone and lung).
"""

import re
from collections.abc import Iterator, Sequence

import pydicom

from ml.volumes.headers import numbers, text
from ml.volumes.report.findings import Finding
from ml.volumes.report.slices import Slice

_SHARP_WORDS = re.compile(r"BONE|EDGE|LUNG|SHARP|ULTRA|INNER ?EAR|^(D|E|L|YC|YD)$", re.IGNORECASE)
_SIEMENS = re.compile(r"^[A-Z][A-Z]?(\d\d)[A-Z]?$", re.IGNORECASE)
_CANON = re.compile(r"^FC(\d\d)", re.IGNORECASE)
_SHARP_FROM = 60
_SHARP_TENS = frozenset({3, 5, 8, 9})
_NO_AGENT = frozenset({"", "NO", "NONE", "N", "NIL", "0", "OFF", "UNKNOWN", "PLAIN", "无", "平扫"})
_HEAD = re.compile(r"HEAD|BRAIN|SKULL|CRAN|NEURO|CEREBR|STROKE|头|颅|脑", re.IGNORECASE)
_NO_PART = frozenset({"", "UNKNOWN", "OTHER", "NONE", "DEFAULT"})
# JPEG baseline, JPEG extended, JPEG-LS near-lossless.
_LOSSY_SYNTAXES = frozenset({"1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51", "1.2.840.10008.1.2.4.81"})


def is_sharp_kernel(names: Sequence[str]) -> bool:
    """Say whether a ConvolutionKernel (its values) is one for bone or lung, of which the noise hides brain."""
    return any(_is_sharp(name.strip()) for name in names)


def _is_sharp(name: str) -> bool:
    if found := _CANON.match(name):
        return int(found[1]) // 10 in _SHARP_TENS
    if found := _SIEMENS.match(name):
        return int(found[1]) >= _SHARP_FROM
    return bool(_SHARP_WORDS.search(name))


def names_contrast_agent(agent: str) -> bool:
    """Say whether ContrastBolusAgent states that contrast agent was given."""
    return agent.strip().upper() not in _NO_AGENT


def is_other_body_part(part: str) -> bool:
    """Say whether BodyPartExamined states something other than the head; an empty one states nothing."""
    return part.strip().upper() not in _NO_PART and not _HEAD.search(part)


def protocol_findings(slices: Sequence[Slice]) -> Iterator[Finding]:
    """Say what of the acquisition makes a series unfit, or less fit, for measuring a hematoma."""
    headers = [one.header for one in slices]
    yield from _scale(headers)
    if any(_is_lossy(header) for header in headers):
        yield Finding(
            "lossy_compression",
            "warn",
            "The images were compressed with loss, so fine detail may be altered: send the original if there is one.",
        )
    if any(_has_contrast(header) for header in headers):
        yield Finding(
            "contrast_agent",
            "warn",
            "The header states a contrast agent, which looks like blood: send the series without contrast.",
        )
    if any(is_sharp_kernel(kernel_names(kernel)) for kernel in {one.kernel for one in slices}):
        yield Finding(
            "sharp_kernel",
            "warn",
            "The series was reconstructed with a sharp kernel for bone or lung: send the soft-tissue reconstruction.",
        )
    if any(is_other_body_part(text(header, "BodyPartExamined")) for header in headers):
        yield Finding(
            "other_body_part", "warn", "The header states a body part other than the head: check that it is a head CT."
        )


def kernel_names(kernel: str) -> list[str]:
    """Return the values of a ConvolutionKernel that was read as text, such as "['Br60', '3']"."""
    return re.findall(r"[^\[\]',\\]+", kernel)


def _scale(headers: Sequence[pydicom.Dataset]) -> Iterator[Finding]:
    lacking = sum(len(numbers(header, "RescaleIntercept")) != 1 or not _slope(header) for header in headers)
    if lacking:
        yield Finding(
            "no_hounsfield_scale",
            "fail",
            f"{lacking} of {len(headers)} slices have no scale of Hounsfield units: export the original CT series.",
        )
    elif any(text(header, "RescaleType") not in ("", "HU", "US") for header in headers):
        yield Finding(
            "other_scale", "fail", "The values of the pixels are not Hounsfield units: export the original CT series."
        )


def _slope(header: pydicom.Dataset) -> float:
    found = numbers(header, "RescaleSlope")
    return found[0] if len(found) == 1 else 0.0


def _is_lossy(header: pydicom.Dataset) -> bool:
    meta = getattr(header, "file_meta", None)
    syntax = "" if meta is None else text(meta, "TransferSyntaxUID")
    return syntax in _LOSSY_SYNTAXES or text(header, "LossyImageCompression") == "01"


def _has_contrast(header: pydicom.Dataset) -> bool:
    if "ContrastBolusAgent" in header and names_contrast_agent(text(header, "ContrastBolusAgent")):
        return True
    return "ContrastBolusVolume" in header and sum(numbers(header, "ContrastBolusVolume")) > 0
