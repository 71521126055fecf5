"""The parameters of a search (PS3.18, 8.3.4; matching by PS3.4, C.2.2.2), turned into one database condition."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from django.db.models import CharField, Lookup, Q
from django.http import QueryDict
from django.utils.translation import gettext as _
from pydicom.datadict import keyword_for_tag, tag_for_keyword

from apps.core.errors import Refusal

# The most results in one answer; a Warning says that there are more.
CAP = 1000
_SWITCHES = {"limit", "offset", "includefield", "fuzzymatching", "accept", "charset"}
_TAG = re.compile(r"[0-9A-Fa-f]{8}")
_TIME = re.compile(r"\d{2}(\d{2}(\d{2}(\.\d{1,6})?)?)?")
_LATEST = "235959.999999"
_MOST = 2**31 - 1


@CharField.register_lookup
class Wildcard(Lookup):
    """Wild card matching: * for any text, ? for one character, upper and lower case told apart (C.2.2.2.4)."""

    lookup_name = "wildcard"

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, Any]:
        column, parameters = self.process_lhs(compiler, connection)
        escaped = re.sub(r"([\\%_])", r"\\\1", self.rhs)
        return f"{column} LIKE %s ESCAPE '\\'", [*parameters, escaped.replace("*", "%").replace("?", "_")]

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> tuple[str, Any]:
        # SQLite's LIKE takes capital and small letters for the same.
        column, parameters = self.process_lhs(compiler, connection)
        return f"{column} GLOB %s", [*parameters, self.rhs.replace("[", "[[]")]


def _text(path: str, value: str) -> Q:
    return Q(**{f"{path}__wildcard" if set(value) & set("*?") else path: value})


def _person(path: str, value: str) -> Q:
    """Names are compared without regard to case (C.2.2.2.1.1); study ids hold capital letters only."""
    return _text(path, value.rstrip("^").upper())


def _uids(path: str, value: str) -> Q:
    return Q(**{f"{path}__in": [uid for uid in re.split(r"[,\\]", value) if uid]})


def _number(path: str, value: str) -> Q:
    if not re.fullmatch(r"[+-]?\d{1,10}", value) or abs(int(value)) > _MOST:
        raise _wrong(_("a whole number"))
    return Q(**{path: int(value)})


def _between(path: str, value: str, low: Callable[[str], Any], high: Callable[[str], Any], expected: str) -> Q:
    """Range matching: "a-b", "a-" or "-b" (C.2.2.2.5)."""
    first, _hyphen, last = value.partition("-")
    try:
        condition = Q(**{f"{path}__gte": low(first)}) if first else Q()
        return condition & Q(**{f"{path}__lte": high(last)}) if last else condition
    except ValueError:
        raise _wrong(expected) from None


def _day(text: str) -> date:
    if not re.fullmatch(r"\d{8}", text):
        raise ValueError
    return datetime.strptime(text, "%Y%m%d").date()


def _date(path: str, value: str) -> Q:
    return _between(path, value if "-" in value else f"{value}-{value}", _day, _day, _("a date (YYYYMMDD) or a range"))


def _clock(text: str) -> str:
    if not _TIME.fullmatch(text):
        raise ValueError
    return text


def _time(path: str, value: str) -> Q:
    # A time of fewer digits stands for the whole hour or minute.
    span = value if "-" in value else f"{value}-{value}"
    return _between(
        path, span, _clock, lambda text: _clock(text) + _LATEST[len(text) :], _("a time (HHMMSS) or a range")
    )


def _any_modality(path: str, value: str) -> Q:
    """The modalities of a study stand in one column, with backslashes between them."""
    condition = Q()
    for modality in re.split(r"[,\\]", value):
        condition |= Q(**{path: modality})
        for pattern in (f"{modality}\\*", f"*\\{modality}", f"*\\{modality}\\*"):
            condition |= Q(**{f"{path}__wildcard": pattern})
    return condition


def _nothing(path: str, value: str) -> Q:
    """An attribute that is empty in all that is stored here: no value matches it."""
    return Q(pk__in=[])


@dataclass(frozen=True)
class Key:
    """An attribute to search by: whose it is, the field, and how it is matched."""

    owner: str
    field: str
    match: Callable[[str, str], Q]


KEYS = {
    "PatientID": Key("patient", "study_id", _text),
    "PatientName": Key("patient", "study_id", _person),
    "PatientBirthDate": Key("patient", "", _nothing),
    "StudyInstanceUID": Key("study", "study_instance_uid", _uids),
    "StudyDate": Key("study", "study_date", _date),
    "StudyTime": Key("study", "study_time", _time),
    "StudyDescription": Key("study", "description", _text),
    "ModalitiesInStudy": Key("study", "modalities", _any_modality),
    "AccessionNumber": Key("study", "", _nothing),
    "ReferringPhysicianName": Key("study", "", _nothing),
    "StudyID": Key("study", "", _nothing),
    "SeriesInstanceUID": Key("series", "series_instance_uid", _uids),
    "Modality": Key("series", "modality", _text),
    "SeriesNumber": Key("series", "number", _number),
    "SeriesDescription": Key("series", "description", _text),
    "SeriesDate": Key("series", "series_date", _date),
    "SeriesTime": Key("series", "series_time", _time),
    "SOPInstanceUID": Key("instance", "sop_instance_uid", _uids),
    "SOPClassUID": Key("instance", "sop_class_uid", _uids),
    "InstanceNumber": Key("instance", "number", _number),
}


@dataclass
class Search:
    """What a search asks for. `fields` None: everything that is known."""

    condition: Q = field(default_factory=Q)
    limit: int = CAP
    offset: int = 0
    fields: set[str] | None = field(default_factory=set)
    is_fuzzy: bool = False

    @property
    def is_plain(self) -> bool:
        """Whether everything is asked for: no condition and no page."""
        return not self.condition and self.limit >= CAP and self.offset == 0


def read(parameters: QueryDict, paths: dict[str, str]) -> Search:
    """Read the parameters of a search; `paths` leads from the rows searched to each owner that may be asked about."""
    search = Search()
    for given, values in parameters.lists():
        if any(ord(character) < 32 for value in values for character in value):
            raise _refuse(_("A search value holds a control character. Remove it."))
        if given == "includefield":
            search.fields = _fields(values)
        elif given in {"limit", "offset"}:
            setattr(search, given, _count(given, values[-1]))
        elif given == "fuzzymatching":
            search.is_fuzzy = values[-1].lower() == "true"
        elif given not in _SWITCHES:
            _match(search, given, values, paths)
    return search


def _match(search: Search, given: str, values: list[str], paths: dict[str, str]) -> None:
    keyword = _keyword(given)
    key = KEYS.get(keyword)
    if key is None or key.owner not in paths:
        known = ", ".join(name for name, each in KEYS.items() if each.owner in paths)
        # What was sent is not repeated: a name typed into the wrong field would come to stand in a log.
        raise _refuse(_("A search parameter is not known here. Search by: %s.") % known)
    wanted = [",".join(values)] if key.match is _uids else values
    for value in wanted:
        if value.strip("*"):  # empty, or stars alone: everything matches (C.2.2.2.3)
            try:
                search.condition &= key.match(paths[key.owner] + key.field, value)
            except _Expected as wrong:
                raise _refuse(
                    _("The search value of %(key)s is not %(kind)s.") % {"key": keyword, "kind": wrong}
                ) from None


def _keyword(given: str) -> str:
    return keyword_for_tag(given) if _TAG.fullmatch(given) else given


def _fields(values: list[str]) -> set[str] | None:
    """Return the tags to include, None for all; attributes that are not stored are passed over."""
    names = [name.strip() for value in values for name in value.split(",") if name.strip()]
    if "all" in names:
        return None
    tags = set()
    for name in names:
        tag = int(name, 16) if _TAG.fullmatch(name) else tag_for_keyword(name)
        if tag is None:
            raise _refuse(_("includefield names an attribute that DICOM does not know. Use its keyword or its tag."))
        tags.add(f"{tag:08X}")
    return tags


def _count(given: str, value: str) -> int:
    if not re.fullmatch(r"\d{1,9}", value):
        raise _refuse(_("The value of %s is not a whole number from 0 to 999999999.") % given)
    return int(value)


class _Expected(Exception):  # noqa: N818
    """A value is not of the kind that its attribute needs."""


def _wrong(kind: str) -> _Expected:
    return _Expected(kind)


def _refuse(sentence: str) -> Refusal:
    return Refusal("search_not_understood", sentence, status=400)
