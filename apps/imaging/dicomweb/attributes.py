"""Rows as DICOM JSON (PS3.18, annex F): the attributes that a search returns (tables 10.6.3-3 to 10.6.3-5)."""

import json
from datetime import date
from typing import Any

Json = dict[str, Any]


def element(vr: str, *values: Any) -> Json:
    """Return one attribute; what is empty has no Value."""
    held = [value for value in values if value not in (None, "")]
    return {"vr": vr, "Value": held} if held else {"vr": vr}


def name(text: str) -> Json:
    return element("PN", {"Alphabetic": text}) if text else element("PN")


def day(value: date | str | None) -> Json:
    """Return a date; of a plain database cursor, SQLite's comes as text."""
    return element("DA", str(value).replace("-", "") if value else None)


# What a search reads of a row, in the order in which the functions below take it.
PATIENT_FIELDS = ("study_id",)
STUDY_FIELDS = ("study_instance_uid", "study_date", "study_time", "description", "modalities", "series_count",
                "instance_count")  # fmt: skip
SERIES_FIELDS = ("series_instance_uid", "modality", "number", "description", "series_date", "series_time",
                 "instance_count")  # fmt: skip
INSTANCE_FIELDS = ("sop_instance_uid", "sop_class_uid", "number", "metadata")


def study_json(
    base: str,
    study_id: str,
    uid: str,
    date: date | None,
    time: str,
    description: str,
    modalities: str,
    series: int,
    instances: int,
) -> Json:
    """Return a study and its patient; `base` is the absolute address of /studies."""
    return {
        "00080005": element("CS", "ISO_IR 192"),
        "00080020": day(date),
        "00080030": element("TM", time),
        "00080050": element("SH"),
        "00080056": element("CS", "ONLINE"),
        "00080061": element("CS", *modalities.split("\\")),
        "00080090": element("PN"),
        "00081030": element("LO", description),
        "00081190": element("UR", f"{base}/{uid}"),
        "00100010": name(study_id),
        "00100020": element("LO", study_id),
        "00100030": element("DA"),
        "00100040": element("CS"),
        "0020000D": element("UI", uid),
        "00200010": element("SH"),
        "00201206": element("IS", series),
        "00201208": element("IS", instances),
    }


def series_json(
    base: str,
    study_uid: str,
    uid: str,
    modality: str,
    number: int | None,
    description: str,
    date: date | None,
    time: str,
    instances: int,
) -> Json:
    return {
        "00080005": element("CS", "ISO_IR 192"),
        "00080021": day(date),
        "00080031": element("TM", time),
        "00080056": element("CS", "ONLINE"),
        "00080060": element("CS", modality),
        "0008103E": element("LO", description),
        "00081190": element("UR", f"{base}/{study_uid}/series/{uid}"),
        "0020000D": element("UI", study_uid),
        "0020000E": element("UI", uid),
        "00200011": element("IS", number),
        "00201209": element("IS", instances),
    }


# Rows, Columns, Bits Allocated, Number of Frames: returned where the instance has them.
_OF_INSTANCE = ("00280008", "00280010", "00280011", "00280100")


def instance_json(
    series_address: str, fields: set[str] | None, uid: str, sop_class: str, number: int | None, metadata: str
) -> Json:
    """Return an instance with what was asked for besides; `fields` None means all that its header holds."""
    header = json.loads(metadata or "{}")
    wanted = header if fields is None else [tag for tag in (*_OF_INSTANCE, *sorted(fields)) if tag in header]
    return {tag: header[tag] for tag in wanted} | {
        "00080005": element("CS", "ISO_IR 192"),
        "00080016": element("UI", sop_class),
        "00080018": element("UI", uid),
        "00080056": element("CS", "ONLINE"),
        "00081190": element("UR", f"{series_address}/instances/{uid}"),
        "00200013": element("IS", number),
    }
