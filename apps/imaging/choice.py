"""Which series stands for a patient's initial CT: what the platform proposes, and what a person says instead."""

import re
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db import transaction
from django.http import Http404
from django.utils.translation import gettext as _

from apps.accounts.access import require
from apps.accounts.models import User
from apps.accounts.policy import Permission
from apps.audit.services import record
from apps.core.errors import Refusal
from apps.imaging.models import Series, SeriesChoice
from apps.patients.changes import announce
from apps.patients.dates import move_date
from apps.patients.facts import facts_of
from apps.patients.models import Patient
from ml.volumes.report import is_other_body_part, is_sharp_kernel, names_contrast_agent

REASON_LENGTH = (5, 500)
# Thinner slices are noisier and many more to outline; among equals the routine ones are taken.
_THIN_MM = 2.0

_BOTH = re.compile(r"with\s*(?:and|&|/|,)\s*without|\bw/?\s*(?:and|&|/|,)?\s*w/?o\b|平扫\s*[+＋及和、]\s*增强", re.I)
_PLAIN = re.compile(
    r"\b(?:no|non|w/?o|without)[\s-]*(?:iv[\s-]*)?(?:contrast|con\b|enhance\w*)|\bnoncon\w*|\bncct\b|\bunenhanced\b"
    r"|\bplain\b|平扫|(?<![a-z])c-(?![a-z0-9])",
    re.I,
)
_CONTRAST = re.compile(
    r"contrast|enhanc|angio|perfusion|arterial|venous|(?<![a-z])(?:cta|ctv|ctp)(?![a-z])|(?<![a-z])c\+"
    r"|增强|血管|灌注|造影|动脉|静脉",
    re.I,
)
_BONE = re.compile(r"(?<![a-z])bone(?![a-z])|骨", re.I)
_PROJECTION = re.compile(r"(?<![a-z])(?:mip|minip|vrt)(?![a-z])|projection|volume rend|三维", re.I)
_REFORMATTED = re.compile(r"(?<![a-z])(?:mpr|cor|coronal|sag|sagittal)(?![a-z])|reformat|冠状|矢状|重组", re.I)


@dataclass(frozen=True)
class Reason:
    """One thing that speaks for a series, or against it."""

    good: bool
    sentence: str


@dataclass(frozen=True)
class Verdict:
    """What speaks for and against a series.

    `eligible`: it may be proposed; `usable`: a person may choose it; `rank`: the lowest is the best.
    """

    eligible: bool
    reasons: tuple[Reason, ...]
    rank: tuple[Any, ...]
    usable: bool


def judge(series: Series, admission_moved: date | None) -> Verdict:
    """Judge one series by its row; `admission_moved` is moved as the dates of the patient's images are."""
    usable, volume = _judge_volume(series)
    needed = [
        _judge_contrast(series),
        _judge_kernel(series),
        _judge_body_part(series),
        _judge_day(series, admission_moved),
    ]
    wished = [_judge_origin(series), _judge_study(series)]
    eligible = usable and all(reason.good for reason in needed if reason)
    reasons = tuple(reason for reason in (volume, *needed, *wished) if reason)
    study = series.study
    # Where several would do, the first examination is the initial CT; within it, the better series.
    day = study.study_date or series.series_date or date.max
    rank = (
        not eligible,
        not usable,
        not _is_good(wished[1]),
        (day, study.study_time),
        not _is_good(wished[0]),
        series.geometry_report.get("level") == "warn",
        _thickness(series) < _THIN_MM,
        series.series_time,
        -series.slice_count,
        series.pk or 0,
    )
    return Verdict(eligible, reasons, rank, usable)


def propose(patient: Patient) -> list[tuple[Series, Verdict]]:
    """Return a patient's CT series with their verdicts, the best first."""
    admission = facts_of(patient).admission
    moved = None if admission is None else move_date(admission, patient.study_id)
    rows = patient.series.filter(modality="CT").select_related("study", "job", "uploaded_by")
    judged = [(series, judge(series, moved)) for series in rows]
    return sorted(judged, key=lambda pair: pair[1].rank)


def apply_choice(patient: Patient) -> bool:
    """Mark the series that stands for the patient's initial CT; return whether it is another one than before.

    A person's newest word counts while his series is usable, then the series with the mask, then the best proposal; a
    failed series is never marked.
    The caller's transaction holds the patient's row lock.
    """
    judged = propose(patient)
    said = patient.series_choices.first()
    named = [series for series, verdict in judged if said and verdict.usable and series.pk == said.series_id]
    # A mask was drawn on it: only a person's word moves on from there.
    in_use = [series for series, verdict in judged if series.is_chosen and series.locked_at and verdict.usable]
    proposed = [series for series, verdict in judged if verdict.eligible]
    right = next(iter(named + ([] if said and said.series_id is None else in_use) + proposed), None)
    if right is not None and right.is_chosen:
        return False
    cleared = patient.series.filter(is_chosen=True).update(is_chosen=False)
    if right is not None:
        Series.objects.filter(pk=right.pk).update(is_chosen=True)
    return bool(cleared or right is not None)


@transaction.atomic
def override(actor: User, patient: Patient, series: Series | None, reason: str) -> None:
    """Have a person's word count instead of the proposal; None goes back to what is proposed.

    Raises Http404 (not allowed, or a series of another patient) and Refusal.
    """
    require(actor, Permission.UPLOAD_CT, patient.center)
    if series is not None and series.patient_id != patient.pk:
        raise Http404
    why = _read_reason(reason)
    Patient.objects.select_for_update().get(pk=patient.pk)
    said = patient.series_choices.first()
    if (said.series_id if said else None) == (series.pk if series else None):
        return
    if series is not None and not judge(Series.objects.select_related("study").get(pk=series.pk), None).usable:
        raise Refusal(
            "series_not_usable",
            _("This series makes no usable volume. Choose another one, or send its missing slices."),
        )
    before = _chosen(patient)
    row = SeriesChoice.objects.create(patient=patient, series=series, reason=why, chosen_by=actor)
    apply_choice(patient)
    changes = {"series": [before, _chosen(patient)]}
    record(actor=actor, action="choose_series", target=row, center=patient.center, changes=changes, reason=why)
    announce(patient)


def on_change(patient: Patient) -> None:
    """Choose again after a commit that changed a patient's data: his day of admission may have been entered."""
    if not patient.series.exists():
        return  # the usual case while a form is entered; every CT that comes is judged then
    with transaction.atomic():
        locked = Patient.objects.select_for_update().get(pk=patient.pk)
        # Those who listened before this one saw the old series.
        if apply_choice(locked):
            announce(locked)


def _chosen(patient: Patient) -> int | None:
    return patient.series.filter(is_chosen=True).values_list("pk", flat=True).first()


def _read_reason(reason: str) -> str:
    why = " ".join(reason.split())
    if not REASON_LENGTH[0] <= len(why) <= REASON_LENGTH[1] or not why.isprintable():
        raise Refusal(
            "reason_needed",
            _("Say in %(low)d to %(high)d characters why this series is the right one.")
            % {"low": REASON_LENGTH[0], "high": REASON_LENGTH[1]},
        )
    return why


def _judge_volume(series: Series) -> tuple[bool, Reason]:
    level = series.geometry_report.get("level")
    if series.modality != "CT":
        return False, Reason(False, _("It is no CT."))
    if level == "fail" or not series.geometry:
        return False, Reason(False, _("Its slices make no usable volume; the findings say why."))
    if series.state == Series.State.FAILED:
        return False, Reason(False, _("No brain could be prepared from it; the findings say why."))
    if level == "warn":
        return True, Reason(False, _("Its slices make a volume, with findings to look at."))
    return True, Reason(True, _("Its %(n)d slices make a complete volume.") % {"n": series.slice_count})


def _judge_contrast(series: Series) -> Reason:
    agent = " ".join(_values(series, "ContrastBolusAgent"))
    image_type = " ".join(_values(series, "ImageType"))
    if names_contrast_agent(agent):
        return Reason(False, _("Its header states a contrast agent."))
    said = _said_of_contrast(series.description)
    if said == "contrast":
        return Reason(False, _("Its description speaks of contrast agent, angiography or perfusion."))
    if _PROJECTION.search(f"{_words(series.description)} {_words(image_type)}"):
        return Reason(False, _("It is a projection or a rendering, not slices."))
    if said == "plain":
        return Reason(True, _("Its description says that it is without contrast agent."))
    return Reason(True, _("No contrast agent is stated."))


def _judge_study(series: Series) -> Reason | None:
    """Hold a word of contrast in the study's description against a series that does not say otherwise itself."""
    if _said_of_contrast(series.study.description) == "contrast" and not _said_of_contrast(series.description):
        return Reason(False, _("Its study's description speaks of contrast agent, angiography or perfusion."))
    return None


def _judge_kernel(series: Series) -> Reason | None:
    kernel = _values(series, "ConvolutionKernel")
    if is_sharp_kernel(kernel) or _BONE.search(_words(series.description)):
        return Reason(False, _("It was reconstructed for bone or lung."))
    return Reason(True, _("It was reconstructed for soft tissue.")) if kernel else None


def _judge_body_part(series: Series) -> Reason | None:
    if is_other_body_part(" ".join(_values(series, "BodyPartExamined"))):
        return Reason(False, _("Its header states a body part other than the head."))
    return None


def _judge_day(series: Series, admission: date | None) -> Reason:
    day = series.series_date or series.study.study_date
    if admission is None:
        return Reason(True, _("The day of admission is not entered yet, so the time of the CT was not checked."))
    if day is None:
        return Reason(True, _("It bears no date, so the time of the CT was not checked."))
    days = (day - admission).days
    if days == 0:
        return Reason(True, _("It was made on the day of admission."))
    if abs(days) == 1:
        nearly = _("It was made on the day before admission, which counts as within 24 hours as only days are known.")
        after = _("It was made on the day after admission, which counts as within 24 hours as only days are known.")
        return Reason(True, nearly if days < 0 else after)
    told = _("It was made %(n)d days before admission.") if days < 0 else _("It was made %(n)d days after admission.")
    return Reason(False, told % {"n": abs(days)})


def _judge_origin(series: Series) -> Reason | None:
    image_type = [value.upper() for value in _values(series, "ImageType")]
    derived = "DERIVED" in image_type or "SECONDARY" in image_type
    if derived or _REFORMATTED.search(_words(f"{series.description} {' '.join(image_type)}")):
        return Reason(False, _("It was reformatted from other slices."))
    return Reason(True, _("Its slices are the original ones.")) if image_type else None


def _said_of_contrast(description: str) -> str:
    """Return "plain", "contrast", or nothing where a description says neither, or both of one examination."""
    words = _words(description)
    if _BOTH.search(words):
        return ""
    if _CONTRAST.search(_PLAIN.sub(" ", words)):
        return "contrast"
    return "plain" if _PLAIN.search(words) else ""


def _words(description: str) -> str:
    return description.replace("_", " ")


def _is_good(reason: Reason | None) -> bool:
    return reason is None or reason.good


def _values(series: Series, keyword: str) -> list[str]:
    """Return the values of an attribute of the acquisition."""
    value = series.acquisition.get(keyword) or []
    return [str(item) for item in value] if isinstance(value, list) else str(value).split("\\")


def _thickness(series: Series) -> float:
    """Return the stated thickness in mm; without one, that of a routine scan."""
    try:
        return float(_values(series, "SliceThickness")[0])
    except (IndexError, ValueError):
        return _THIN_MM
