"""What only Ichor knows, kept in REDCap's column Field Annotation as an action tag of its own: @ICHOR={...}.

REDCap ignores action tags that it does not know and keeps the text; modules of its community carry JSON this way.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any, NoReturn

from django.utils.translation import gettext as _

# Words first: a cell that began with @ would be taken for a formula by a spreadsheet.
_LEAD = "Ichor:"
_OURS = re.compile(r"@ICHOR\s*=\s*")
_TAG = re.compile(
    r"@([A-Z][A-Z0-9_-]*)(?:\s*=\s*('[^']*'|\"[^\"]*\"|[^\s'\"(@]+)|\s*=?\s*(\([^()]*(?:\([^()]*\)[^()]*)*\)))?"
)
# REDCap looks for these in the text of an annotation; as escapes of JSON they are safe, and mean the same.
_ESCAPES = {sign: f"\\u{ord(sign):04x}" for sign in "@<>&"}
# Tags that write a value by themselves or restrict which may be chosen: what they do would be lost, and data with it.
_REFUSED = re.compile(
    r"CALC(TEXT|DATE)|DEFAULT|SETVALUE|PREFILL|(NOW|TODAY)(-SERVER|-UTC)?|USERNAME|APPUSERNAME-APP|LATITUDE|LONGITUDE|"
    r"IF|HIDECHOICE|SHOWCHOICE|MAXCHOICE(-SURVEY-COMPLETE)?|MAXCHECKED|NONEOFTHEABOVE|LANGUAGE-CURRENT-(FORM|SURVEY)|"
    r"CONSENT-VERSION|BARCODE-APP|RANDOMORDER"
)
_LONGEST_TEXT = 500
# A condition within a group within a rule is 6 deep.
_DEEPEST = 40
KEYS = frozenset({
    "zh-Hans", "short", "unit", "usual", "decimals", "max_length", "pattern", "double_entry", "outcome", "poor_outcome",
    "decided_later", "model_feature", "table_one", "score_inputs", "list_column", "show_if", "text_codes", "section",
    "rules", "dictionary", "computed", "other_units",
})  # fmt: skip


class AnnotationError(ValueError):
    """The part of the annotation that is Ichor's can't be read; the message says why."""


@dataclass
class Annotation:
    """What one Field Annotation says."""

    data: dict[str, Any] = field(default_factory=dict)
    force_bounds: bool = False
    max_length: int | None = None
    # Tags that REDCap acts on and Ichor can't: a fault.
    refused: list[str] = field(default_factory=list)
    # Other tags and words: left out, and said so.
    other: list[str] = field(default_factory=list)


def write_annotation(data: dict[str, Any], *, force_bounds: bool = False, max_length: int | None = None) -> str:
    """Return the text of the column; empty where there is nothing to keep."""
    parts = []
    if data:
        # In ASCII, so that a program which mistakes the encoding damages none of it.
        text = json.dumps(data, ensure_ascii=True, separators=(", ", ": "), allow_nan=False)
        for sign, escape in _ESCAPES.items():
            text = text.replace(sign, escape)
        parts.append(f"@ICHOR={text}")
    if force_bounds:
        parts.append("@FORCE-MINMAX")
    if max_length is not None:
        parts.append(f"@CHARLIMIT={max_length}")
    return " ".join([_LEAD, *parts]) if parts else ""


def read_annotation(text: str) -> Annotation:
    """Read the column; AnnotationError where Ichor's own part is damaged."""
    result = Annotation()
    found = _OURS.search(text)
    if found:
        result.data, end = _read_json(text, found.end())
        text = f"{text[: found.start()]} {text[end:]}"
        if "@ICHOR" in text:
            raise AnnotationError(_("@ICHOR stands there twice. Keep one"))
    elif "@ICHOR" in text:
        raise AnnotationError(_("after @ICHOR comes no = with {...}"))
    _read_tags(text, result)
    return result


def _read_json(text: str, start: int) -> tuple[dict[str, Any], int]:
    decoder = json.JSONDecoder(object_pairs_hook=_once, parse_constant=_no_constant)
    try:
        data, end = decoder.raw_decode(text, start)
    except (ValueError, RecursionError) as error:
        raise AnnotationError(_("what stands after @ICHOR= is no proper JSON. Restore it, or delete it")) from error
    if not isinstance(data, dict):
        raise AnnotationError(_("what stands after @ICHOR= is not written as {...}"))
    if _depth(data) > _DEEPEST:
        raise AnnotationError(_("what stands after @ICHOR= is nested more than %(n)d deep") % {"n": _DEEPEST})
    unknown = sorted(set(data) - KEYS)
    if unknown:
        raise AnnotationError(_("@ICHOR has no “%(name)s”") % {"name": unknown[0][:40]})
    return data, end


def _depth(data: Any) -> int:
    """Return how many lists and objects stand inside each other; without recursion, which a long nest would exhaust."""
    depth, level = 0, [data]
    while level := [part for part in level if isinstance(part, dict | list)]:
        depth += 1
        level = [inner for part in level for inner in (part.values() if isinstance(part, dict) else part)]
    return depth


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({key for key, _value in pairs}) != len(pairs):
        raise ValueError("a key is given twice")
    return dict(pairs)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")


def _read_tags(text: str, result: Annotation) -> None:
    for found in _TAG.finditer(text):
        name, value = found.group(1), (found.group(2) or "").strip("'\"")
        if name == "FORCE-MINMAX":
            result.force_bounds = True
        elif name == "CHARLIMIT" and value.isascii() and value.isdigit() and len(value) < 5:
            result.max_length = int(value)
        elif _REFUSED.fullmatch(name):
            result.refused.append(f"@{name}")
        else:
            result.other.append(found.group()[:_LONGEST_TEXT])
    rest = " ".join(_TAG.sub(" ", text).replace(_LEAD, " ", 1).split())
    if rest:
        result.other.append(rest[:_LONGEST_TEXT])
