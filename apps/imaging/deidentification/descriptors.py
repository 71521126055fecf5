"""Descriptions cleaned word by word (PS3.15 E.3.6, Clean Descriptors): only words of radiology and lengths stay.

Dictionaries of names to be taken out are never complete; a list of what may stay is. The words tell a bone series from
a brain series and a scan with contrast agent from one without, which is all that they are kept for.
"""

import re

from apps.imaging.deidentification.vocabulary import CHINESE, CHINESE_JOINTS, LATIN

LONGEST = 64

_HAN = "\u4e00-\u9fff"
_TOKEN = re.compile(
    rf"(?<![^\W_])(?:w/wo|wo/w|w/o|w/|[cs][+-])(?![^\W_])"  # with, without
    rf"|[ctl]-spine(?![^\W_])|asir-v(?![^\W_])|o-mar(?![^\W_])"
    rf"|[0-9]+(?:[./:-][0-9]+)+(?:(?![{_HAN}])[^\W\d_])*"  # a decimal, or a date or number to be dropped as one
    rf"|[{_HAN}]+|(?:(?![{_HAN}])[^\W_])+",
    re.IGNORECASE,
)
_BARE = re.compile(r"(?:0|[1-9][0-9]{0,2})(?:\.[0-9]{1,3})?")
_WITH_UNIT = re.compile(rf"{_BARE.pattern}(?:mm|cm|kvp?|kev|mas?|s|sec|ml|x)", re.IGNORECASE)
# Siemens (H31s, B70f, Hr40, Br64d) and Toshiba/Canon (FC26) number their kernels. Not Hu, Li and other names.
_KERNEL = re.compile(r"[ABCDHIJSTU][0-9]{2}[sfhmu]|(?:B[flprv]|H[cfprv]|Qr|S[abcdemp]|Ub|Ur)[0-9]{2}[a-z]?|FC[0-9]{2}")
_HUMPS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+(?:\.[0-9]+)?")
_WORD_OF_LIST = "|".join(sorted((word for word in CHINESE if len(word) > 1), key=len, reverse=True))
_CHINESE_PHRASE = re.compile(f"(?:{_WORD_OF_LIST})(?:[{CHINESE_JOINTS}]?(?:{_WORD_OF_LIST}))*")
_GAP = "\0"
_AROUND_GAP = re.compile(r"[\W_]*\0[\W_]*")
_ODD_MARKS = re.compile(r"[^\w\s+&/,.()^:;<>=＋、*-]|_(?=_)")


def clean_words(text: str) -> str:
    """Return what of a description may stay, at most 64 characters; empty where nothing may."""
    return max((_clean(reading) for reading in _readings(text)), key=len)


def _readings(text: str) -> list[str]:
    """Return the text, and what it would say in the character set that Chinese scanners use without stating it."""
    readings = [text]
    if not text.isascii():
        for encoding in ("utf-8", "gb18030"):
            try:
                readings.append(text.encode("latin-1").decode(encoding))
            except UnicodeError:
                continue
    return readings


def _clean(text: str) -> str:
    text = _ODD_MARKS.sub(" ", text)
    found = list(_TOKEN.finditer(text))
    kept = [_kept(match[0]) for match in found]
    pieces, end = [], 0
    for place, match in enumerate(found):
        stays = kept[place]
        if not stays and _BARE.fullmatch(match[0]) and _number_stays(place, found, kept):
            stays = match[0]
        pieces += [text[end : match.start()], stays or _GAP]
        end = match.end()
    shown = _AROUND_GAP.sub(" ", "".join([*pieces, text[end:]]))
    return _shortened(" ".join(shown.split()))


def _number_stays(place: int, found: list[re.Match[str]], kept: list[str]) -> bool:
    """Say whether a number without unit may stay: not beside another, as two may be a date; a whole one by a word."""
    beside = [i for i in (place - 1, place + 1) if 0 <= i < len(found)]
    if any(found[i][0][0].isdigit() and not kept[i] for i in beside):
        return False
    return "." in found[place][0] or any(kept[i] for i in beside)


def _kept(token: str) -> str:
    """Return what of one token may stay by itself, as a bare number may not."""
    if token[0] >= "\u4e00":
        return _kept_chinese(token)
    if not token.isascii():
        return ""
    if token.lower() in LATIN or _WITH_UNIT.fullmatch(token) or _KERNEL.fullmatch(token):
        return token
    humps = _HUMPS.findall(token)
    together = len(humps) > 1 and "".join(humps) == token
    return token if together and all(_is_part(hump) for hump in humps) else ""


def _is_part(hump: str) -> bool:
    """Say whether words written together may hold this: no single letter but x, as initials and an age look so."""
    listed = hump.lower() in LATIN and (len(hump) > 1 or hump in "xX")
    return listed or bool(_BARE.fullmatch(hump))


def _kept_chinese(run: str) -> str:
    if run in CHINESE or _CHINESE_PHRASE.fullmatch(run):
        return run
    return " ".join(_CHINESE_PHRASE.findall(run))


def _shortened(text: str) -> str:
    """Cut at the end of a word, for half a word is none of the list."""
    if len(text) <= LONGEST:
        return text
    fitting = re.match(rf"(?s).{{0,{LONGEST}}}(?![^\W_])", text)
    return fitting[0].strip() if fitting else ""
