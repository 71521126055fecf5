"""Texts and lists of choices as REDCap keeps them.

REDCap shows labels as HTML, Ichor as plain text. A text that would read otherwise there, break the list of choices,
or be taken for a formula by a spreadsheet is written with character references, which REDCap shows as what they mean.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable
from html.parser import HTMLParser

from django.utils.translation import gettext as _

from apps.crf.redcap.rows import SPACE

# What REDCap takes as the code of a choice and Ichor can hold too.
CODE = re.compile(r"-[0-9]+|[A-Za-z0-9_.][A-Za-z0-9_.-]*")
# What a browser takes for a tag, closed or not.
_TAG_LIKE = re.compile(r"<[A-Za-z/!?]")
_FORMULA = frozenset("=+-@")
_UNSEEN_PARTS = frozenset({"script", "style"})


class _Plain(HTMLParser):
    """Collects the text of HTML; remembers whether there was more than text."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self.marked = False
        self.hidden = 0

    def handle_data(self, data: str) -> None:
        if not self.hidden:
            self.parts.append(data)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.marked = True
        self.hidden += tag in _UNSEEN_PARTS
        self.parts.append(" ")

    def handle_endtag(self, tag: str) -> None:
        self.marked = True
        self.hidden = max(0, self.hidden - (tag in _UNSEEN_PARTS))
        self.parts.append(" ")

    def handle_comment(self, data: str) -> None:
        self.marked = True

    def handle_decl(self, decl: str) -> None:
        self.marked = True

    def unknown_decl(self, data: str) -> None:
        self.marked = True

    def handle_pi(self, data: str) -> None:
        self.marked = True


def plain(cell: str) -> tuple[str, bool]:
    """Return the text of a cell, and whether formatting was left out of it."""
    if "<" not in cell:
        return html.unescape(cell), False
    parser = _Plain()
    parser.feed(cell)
    parser.close()
    text = "".join(parser.parts)
    return (" ".join(text.split()), True) if parser.marked else (text, False)


def as_cell(text: str) -> str:
    """Write a text so that `plain` reads it back."""
    # A carriage return alone is the end of a row to some readers, quoted or not.
    cell = _as_html(text).replace("\r", _reference("\r"))
    if cell and cell[0] in _FORMULA | set(SPACE):
        cell = _reference(cell[0]) + cell[1:]
    return _guard_end(cell)


def _as_html(text: str) -> str:
    safe = plain(text) == (text, False) and not _TAG_LIKE.search(text)
    return text if safe else html.escape(text, quote=False)


def _guard_end(cell: str) -> str:
    return cell[:-1] + _reference(cell[-1]) if cell and cell[-1] in SPACE else cell


def _reference(sign: str) -> str:
    return f"&#{ord(sign)};"


def join_choices(choices: Iterable[tuple[str, str]]) -> str:
    """Write (code, label) pairs: 1, Dead | 2, Vegetative state."""
    return " | ".join(f"{code}, {_as_label(label)}" for code, label in choices)


def _as_label(label: str) -> str:
    cell = _as_html(label)
    for sign in "|\n\r":
        cell = cell.replace(sign, _reference(sign))
    if cell and cell[0] in SPACE:
        cell = _reference(cell[0]) + cell[1:]
    return _guard_end(cell)


def split_choices(cell: str) -> list[tuple[str, str]]:
    """Read (code, label) pairs, the label still as it is written; ValueError says what is wrong."""
    pairs = []
    for part in re.split(r"[|\n\r]", cell):
        if not part.strip(SPACE):
            continue
        code, comma, label = part.partition(",")
        code = code.strip(SPACE)
        if not comma or not CODE.fullmatch(code):
            raise ValueError(
                _(
                    "“%(part)s” is no choice. Write each as code, comma, label, such as “1, Dead”; a code has letters, "
                    "digits, _, . and -."
                )
                % {"part": part.strip(SPACE)[:80]}
            )
        pairs.append((code, label.strip(SPACE)))
    return pairs
