"""A snapshot of the study as CDISC ODM 1.3.2: the data dictionary, and what was entered."""

from collections.abc import Iterator
from itertools import groupby
from xml.sax.saxutils import quoteattr

from django.conf import settings

from apps.accounts.models import Center
from apps.cohorts.exports.entries import Entry, Subject
from apps.cohorts.exports.odm_metadata import (
    FLAG_TYPES,
    FLAG_VALUES,
    MISSING_FLAG,
    STUDY,
    metadata,
    units,
    version_oid,
)
from apps.cohorts.exports.xml import element, opening, text_element
from apps.cohorts.models import Export
from apps.crf.conditions import Value
from apps.crf.dictionary import Section, load_dictionary
from apps.crf.values import format_number

_NAMESPACE = "http://www.cdisc.org/ns/odm/v1.3"


def odm_xml(export: Export, found: Iterator[Subject]) -> Iterator[bytes]:
    """Yield the document piece by piece, a patient at a time."""
    made = export.created_at.isoformat(timespec="seconds")
    head = {
        "xmlns": _NAMESPACE, "FileType": "Snapshot", "FileOID": f"ichor.export.{export.pk}", "CreationDateTime": made,
        "ODMVersion": "1.3.2", "SourceSystem": "Ichor",
    }  # fmt: skip
    clinical = opening("ClinicalData", {"StudyOID": STUDY, "MetaDataVersionOID": version_oid()})
    start = f'<?xml version="1.0" encoding="UTF-8"?>\n{opening("ODM", head)}\n'
    yield f"{start}{_study()}\n{_centers(export, made)}\n{clinical}\n".encode()
    for subject in found:
        yield f"{_subject(subject)}\n".encode()
    yield b"</ClinicalData>\n</ODM>\n"


def _study() -> str:
    simulated = "SIMULATED DATA: no patient in it is real. " if settings.DEMONSTRATION else ""
    about = f"{simulated}Research use only. Not for clinical decisions."
    names = (("StudyName", settings.STUDY_NAME), ("StudyDescription", about), ("ProtocolName", settings.STUDY_NAME))
    words = element("GlobalVariables", None, *(text_element(name, text) for name, text in names))
    return element("Study", {"OID": STUDY}, words, units(), metadata())


def _centers(export: Export, made: str) -> str:
    version = element(
        "MetaDataVersionRef",
        {"StudyOID": STUDY, "MetaDataVersionOID": version_oid(), "EffectiveDate": made[: len("2026-01-01")]},
    )
    found = Center.objects.filter(code__in=export.centers).order_by("code")
    return element(
        "AdminData", {"StudyOID": STUDY},
        *(element("Location", {"OID": f"L.{each.code}", "Name": each.code, "LocationType": "Site"}, version)
          for each in found),
    )  # fmt: skip


def _subject(subject: Subject) -> str:
    site = element("SiteRef", {"LocationOID": f"L.{subject.center}"})
    visits = groupby(subject.entries, key=lambda entry: entry.place.visit)
    events = [
        element("StudyEventData", {"StudyEventOID": f"SE.{visit}"}, *(_form(entry) for entry in entries))
        for visit, entries in visits
    ]
    return element("SubjectData", {"SubjectKey": subject.study_id}, site, *events)


def _form(entry: Entry) -> str:
    questions = load_dictionary().questions(entry.place.form)
    form = load_dictionary().further.get(entry.place.form)
    repeat = entry.place.instance if form is not None and form.repeats else None
    groups = [_group(section, entry) for section in questions.sections]
    return element("FormData", {"FormOID": f"F.{entry.place.form}", "FormRepeatKey": repeat}, *groups)


def _group(section: Section, entry: Entry) -> str:
    items = [_item(variable.name, entry) for variable in section.variables]
    filled = [item for item in items if item]
    return element("ItemGroupData", {"ItemGroupOID": f"IG.{section.name}"}, *filled) if filled else ""


def _item(name: str, entry: Entry) -> str:
    if name in entry.missing:
        flag = element(
            "Flag", None, text_element("FlagValue", entry.missing[name], {"CodeListOID": FLAG_VALUES}),
            text_element("FlagType", MISSING_FLAG, {"CodeListOID": FLAG_TYPES}),
        )  # fmt: skip
        return element(
            "ItemData", {"ItemOID": f"I.{name}", "IsNull": "Yes"}, element("Annotation", {"SeqNum": 1}, flag)
        )
    value = entry.values.get(name)
    # Written out: of 2,000 patients there are a quarter of a million.
    return "" if value is None else f'<ItemData ItemOID="I.{name}" Value={_quoted(value)}/>'


def _quoted(value: Value) -> str:
    if isinstance(value, bool):
        return '"true"' if value else '"false"'
    return f'"{format_number(value)}"' if isinstance(value, int | float) else quoteattr(str(value))
