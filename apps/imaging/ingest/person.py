"""Whose scan it is: the same person under one study id, and a question where that is in doubt."""

import hashlib
import hmac
import re
from collections import Counter
from collections.abc import Sequence

from django.conf import settings
from django.utils.translation import gettext as _
from pydicom.dataset import Dataset

from apps.accounts.access import Actor, centers_with
from apps.accounts.models import Center
from apps.accounts.policy import Permission
from apps.core.errors import Conflict, Refusal
from apps.imaging.models import PersonKey, Series
from apps.patients.facts import facts_of
from apps.patients.models import Patient
from apps.patients.selectors import patients_visible_to
from ml.volumes.headers import text

# Ages are whole years, of the day of the scan or of admission.
AGE_TOLERANCE_YEARS = 2.0
# What programs write in place of a number that they took away.
_NOBODY = re.compile(r"|ANON.*|UNKNOWN|NONE|NO ?NAME|REMOVED|DE-?ID.*|TEST|[0X*]+")
_YEARS = {"Y": 1.0, "M": 1 / 12, "W": 7 / 365.25, "D": 1 / 365.25}


def person_key(center: Center, hospital_id: str) -> str:
    """Return the keyed digest that stands for a hospital's patient ID in one center."""
    message = f"person|{center.pk}|{hospital_id.strip().upper()}"
    return hmac.new(settings.UID_KEY.encode(), message.encode(), hashlib.sha256).hexdigest()


def find_patient(actor: Actor, patient_id: str, permission: Permission = Permission.UPLOAD_CT) -> Patient | None:
    """Return the patient that a DICOM Patient ID means among those on whom the actor holds a permission.

    A study id means itself; a hospital's number means the patient for whom it came before.
    """
    patient_id = patient_id.strip()
    if not patient_id or "\x00" in patient_id:
        return None
    centers = list(centers_with(actor, permission))
    # What cannot be a study id is not asked for as one: no hospital number may stand in a query, which may be logged.
    if any(re.fullmatch(rf"{re.escape(center.code)}-\d{{1,9}}", patient_id) for center in centers):
        patient = patients_visible_to(actor, permission).filter(study_id=patient_id).first()
        if patient is not None:
            return patient
    keys = [person_key(center, patient_id) for center in centers]
    found = PersonKey.objects.filter(center__in=centers, key__in=keys).select_related("patient__center")[:2]
    # The same number in two hospitals means two persons: which one, nobody can tell.
    return found[0].patient if len(found) == 1 else None


def hospital_id(dataset: Dataset, patient: Patient) -> str:
    """Return a file's number of the person in the hospital; empty where it has none, or one that means nobody."""
    found = text(dataset, "PatientID").upper()
    return "" if found == patient.study_id.upper() or _NOBODY.fullmatch(found) else found


def person_of_upload(patient: Patient, datasets: Sequence[Dataset]) -> str:
    """Return the hospital number of the person whose scans an upload holds.

    Single files of another person are left to the caller; an upload without a clear person is refused.
    """
    found = Counter(hospital_id(dataset, patient) for dataset in datasets)
    found.pop("", None)
    if len(found) > 1:
        keys = {person_key(patient.center, number): number for number in found}
        known = patient.person_keys.filter(key__in=keys).values_list("key", flat=True)[:2]
        if len(known) == 1:
            return keys[known[0]]
        (first, most), (_second, next_most) = found.most_common(2)
        if most < 2 * next_most:
            raise Refusal(
                "several_persons",
                _("The upload holds scans of %(count)d persons. Send the scans of one person at a time.")
                % {"count": len(found)},
            )
        return first
    return next(iter(found), "")


def check_person(patient: Patient, datasets: Sequence[Dataset], key: str) -> None:
    """Ask before a scan that may be another person's goes to a patient. Raises Conflict `other_person`."""
    doubts = [*_doubt_by_number(patient, key), *_doubts_by_age_and_sex(patient, datasets)]
    if doubts:
        raise Conflict(
            "other_person",
            _("This may be another person's scan: %(doubts)s. Check the patient; confirm if it is right.")
            % {"doubts": "; ".join(doubts)},
        )


def _doubt_by_number(patient: Patient, key: str) -> list[str]:
    if not key:
        return []
    known = list(PersonKey.objects.filter(center=patient.center, key=key).select_related("patient"))
    if any(row.patient_id == patient.pk for row in known):
        return []
    if known:
        study_id = known[0].patient.study_id
        return [_("scans under its hospital number are stored for patient %(study_id)s") % {"study_id": study_id}]
    if patient.person_keys.exists():
        return [_("this patient's earlier scans came under another hospital number")]
    return []


def _doubts_by_age_and_sex(patient: Patient, datasets: Sequence[Dataset]) -> list[str]:
    facts = facts_of(patient)
    stored = Series.objects.filter(patient=patient, modality="CT").values_list("acquisition", flat=True).first() or {}
    sexes = {facts.sex, str(stored.get("PatientSex", ""))} & {"M", "F"}
    ages = [age for age in (facts.age, years(str(stored.get("PatientAge", "")))) if age is not None]
    doubts = []
    for sex in sorted({text(dataset, "PatientSex") for dataset in datasets} & {"M", "F"}):
        if sexes and sex not in sexes:
            doubts.append(_("the sex differs"))
    for age in {years(text(dataset, "PatientAge")) for dataset in datasets} - {None}:
        if age is not None and ages and min(abs(age - known) for known in ages) > AGE_TOLERANCE_YEARS:
            doubts.append(_("the age is %(age)d, not about %(known)d years") % {"age": age, "known": round(ages[0])})
            break
    return doubts


def years(stated: str) -> float | None:
    """Return a DICOM age string such as 064Y in years."""
    if len(stated) != 4 or not stated[:3].isdigit() or stated[3] not in _YEARS:
        return None
    return int(stated[:3]) * _YEARS[stated[3]]


def remember_person(patient: Patient, key: str) -> None:
    """Note that a hospital number means this patient, unless it means another one already."""
    if key:
        PersonKey.objects.get_or_create(center=patient.center, key=key, defaults={"patient": patient})
