"""The forms that the values of kept attributes must have. A value of another form is left out, whatever it says.

A form takes an attribute's values as text, without surrounding blanks, and returns those that are written, or None.
"""

import math
import re
from collections.abc import Callable
from datetime import date

from pydicom.valuerep import format_number_as_ds

from apps.imaging.deidentification.descriptors import clean_words
from apps.patients.dates import move_date

Form = Callable[[list[str]], list[str] | None]

_DECIMAL = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)
_LONGEST_DECIMAL = 16
_INTEGER = re.compile(r"([+-]?\d{1,9})(?:\.0*)?", re.ASCII)
_DATE = re.compile(r"(\d{4})(\d{2})(\d{2})", re.ASCII)
_DATE_AND_TIME = re.compile(r"(\d{8})((?:\d{2}){0,3}|\d{6}\.\d{1,6})(?:[+-]\d{4})?", re.ASCII)
# Philips writes letters, GE words, Siemens and Toshiba/Canon letters with a number (H31s, Br64, FC26).
_KERNEL = re.compile(
    r"[A-Z]{1,2}\d{1,2}[a-z]?|[A-Z][a-z]\d{2}[a-z]?|[A-FL]|EC|[UY][A-E]|\d|(HD )?(STANDARD|STND|STD|SOFT|DETAIL|BONE|"
    r"BONEPLUS|EDGE|LUNG|CHEST|ULTRA|BRAIN|SMOOTH|SHARP|MEDIUM)[+-]?",
    re.ASCII,
)
_MAKERS = (
    "GE MEDICAL SYSTEMS", "GE HEALTHCARE", "SIEMENS HEALTHINEERS", "SIEMENS", "PHILIPS", "TOSHIBA", "CANON", "HITACHI",
    "FUJIFILM", "UIH", "NEUSOFT", "SHIMADZU", "SAMSUNG", "NEUROLOGICA", "ANKE", "MINFOUND", "PICKER", "MARCONI",
    "ELSCINT", "IMATRON", "ICHOR",
)  # fmt: skip
_KINDS_OF_IMAGE = frozenset(
    {
        "ORIGINAL", "DERIVED", "PRIMARY", "SECONDARY", "MIXED", "AXIAL", "LOCALIZER", "OTHER", "NONE", "VOLUME", "MPR",
        "REFORMATTED", "RESAMPLED", "PROJECTION IMAGE", "MIP", "MINIP", "AVERAGE", "MAXIMUM", "MINIMUM", "MEAN",
        "MEDIAN", "ADDITION", "ADD", "SUBTRACTION", "SUBTRACT", "SCREEN SAVE", "HELIX", "SPI", "SEQ", "TOP", "BOLUS",
        "CT_SOM5 SPI", "CT_SOM5 SEQ", "CT_SOM5 TOP", "CT_SOM5 MPR", "CT_SOM5 MIP", "CT_SOM5 PROT", "CT_SOM5 SPO",
        "CT_SOM7 SPI", "CT_SOM7 SEQ", "CT_SOM7 TOP", "CT_SOM7 MPR", "CT_SOM7 PROT", "CT_SOM8 SPI", "CT_SOM8 MPR",
        "VOLUME_RENDER", "SURFACE_RENDER", "PERFUSION", "DIXON", "MAP", "DOSE_INFO",
    }
)  # fmt: skip
# None of these says that agent was given.
_NO_AGENT = re.compile(
    r"(NO|NONE|NIL|N|NA|N/A|OFF|FALSE|UNKNOWN|PLAIN|NATIVE?|UNENHANCED|W/?O|WITHOUT)\b.*|NON[- ]?(CONTRAST|ENHANCED).*"
    r"|[0.\-_/ ]+(ML|CC)?|无.*|未.*|平扫.*|C-",
    re.IGNORECASE | re.DOTALL,
)


def decimals(values: list[str]) -> list[str] | None:
    """Return decimal numbers; those too long for DICOM are written shorter."""
    if not all(_DECIMAL.fullmatch(value) and math.isfinite(float(value)) for value in values):
        return None
    return [value if len(value) <= _LONGEST_DECIMAL else format_number_as_ds(float(value)) for value in values]


def integers(values: list[str]) -> list[str] | None:
    """Return whole numbers."""
    found = [_INTEGER.fullmatch(value) for value in values]
    return [match[1] for match in found if match] if all(found) else None


def shorts(values: list[str]) -> list[str] | None:
    """Return whole numbers of 16 bits without sign, as the size and packing of pixels are given."""
    found = integers(values)
    return found if found and all(0 <= int(value) < 2**16 for value in found) else None


def padding(values: list[str], bits: int, *, signed: bool) -> list[str] | None:
    """Return padding values in the range of the pixels: some scanners write signed ones as unsigned."""
    found = integers(values)
    if not found or not 0 < bits <= 16:
        return None
    wrapped = (int(value) % 2**bits for value in found)
    return [str(value - 2**bits if signed and value >= 2 ** (bits - 1) else value) for value in wrapped]


def matching(pattern: str) -> Form:
    """Return the form of values that match the pattern as a whole."""
    compiled = re.compile(pattern, re.ASCII)
    return lambda values: values if all(compiled.fullmatch(value) for value in values) else None


def words(*listed: str) -> Form:
    """Return the form of values that are words of a list; of these, in capitals, whatever else stands beside them."""
    known = frozenset(listed)
    return lambda values: [value.upper() for value in values if value.upper() in known] or None


def kernel(values: list[str]) -> list[str] | None:
    """Return names of reconstruction kernels."""
    return values if all(_KERNEL.fullmatch(value) for value in values) else None


def maker(values: list[str]) -> list[str] | None:
    """Return the maker's name alone, as makers are many-worded and owners add to them."""
    stated = " ".join(values).upper()
    return next(([name] for name in _MAKERS if re.search(rf"\b{name}\b", stated)), None)


def image_type(values: list[str]) -> list[str] | None:
    """Return the values that the standard or a maker defines; some write free text behind them."""
    if (
        len(values) < 2
        or values[0] not in {"ORIGINAL", "DERIVED", "MIXED"}
        or values[1] not in {"PRIMARY", "SECONDARY"}
    ):
        return None
    third = [value if value in _KINDS_OF_IMAGE else "OTHER" for value in values[2:3]]
    return [*values[:2], *third, *(value for value in values[3:] if value in _KINDS_OF_IMAGE)]


def agent(values: list[str]) -> list[str] | None:
    """Say that contrast agent was given, and not which."""
    return None if _NO_AGENT.fullmatch(" ".join(values)) else ["CONTRAST"]


def description(values: list[str]) -> list[str] | None:
    """Return the words of radiology in a description."""
    cleaned = clean_words(" ".join(values))
    return [cleaned] if cleaned else None


def real_date(text: str) -> date | None:
    """Return the day that a DICOM date names, None where the calendar has no such day."""
    found = _DATE.fullmatch(text)
    try:
        return date(int(found[1]), int(found[2]), int(found[3])) if found else None
    except ValueError:
        return None


def moved_date(values: list[str], study_id: str) -> list[str] | None:
    """Return a DICOM date moved by the patient's own number of days."""
    day = real_date(values[0])
    if day is None:
        return None
    moved = move_date(day, study_id)
    return [f"{moved.year:04d}{moved.month:02d}{moved.day:02d}"]


def moved_date_and_time(values: list[str], study_id: str) -> list[str] | None:
    """Return a DICOM date and time with its day moved; the time stays as the clock on the wall showed it."""
    found = _DATE_AND_TIME.fullmatch(values[0])
    moved = moved_date([found[1]], study_id) if found else None
    return [moved[0] + found[2]] if found and moved else None
