"""Rules that hold the case report form against the CT and its mask.

A mask that holds other blood than the hematoma says that there is some; one that does not says nothing, for nobody has
to outline it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from apps.accounts.policy import Permission
from apps.annotation.meaning import located
from apps.annotation.models import Mask
from apps.annotation.selectors import current_masks
from apps.crf.conditions import Value
from apps.crf.queries.rules import Evidence, Facts, Finding, Gather, Rule, Subject, register_rule
from apps.imaging.ingest.person import AGE_TOLERANCE_YEARS, years
from apps.imaging.models import Series
from apps.imaging.selectors import chosen_series
from apps.patients.models import Patient
from ml.hematoma import Label, Location, side_of
from ml.preprocessing import lateral_middle_mm

AGE, SEX, VOLUME, SIDE = "image_age", "image_sex", "image_volume", "image_side"
BLOOD, LOCATION = "image_blood", "image_location"
# Questions of the form that a label answers. Less of it may be a slip of the brush.
BLOOD_LABELS = {
    "ivh": Label.INTRAVENTRICULAR, "subarachnoid": Label.SUBARACHNOID, "subdural": Label.SUBDURAL,
    "extradural": Label.EXTRADURAL,
}  # fmt: skip
LEAST_BLOOD_ML = 0.1
# Inputs of the scores that tell where the hematoma lies.
PLACES = ("infratentorial", "site")
SEXES = {"male": "M", "female": "F"}
# A change of either size is taken for a real one beyond the error of measurement: Dowlatshahi D, et al. Defining
# hematoma expansion in intracerebral hemorrhage. Neurology 2011;76:1238-44. Here a difference must exceed both.
VOLUME_ML, VOLUME_FRACTION = 6.0, 0.33


def _variable_of(subject: Subject, score_input: str) -> str | None:
    """The variable of the form that tells an input of the scores, where the dictionary has one."""
    for variable in subject.questions.variables.values():
        if score_input in variable.score_inputs:
            return variable.name
    return None


def age_and_sex(subjects: Sequence[Subject]) -> Mapping[int, Evidence]:
    """Return age in years and sex as the header of the patient's initial CT has them."""
    rows = chosen_series().filter(patient__in={subject.patient_id for subject in subjects})
    found: dict[int, dict[str, Facts]] = {}
    for patient_id, header in rows.values_list("patient", "acquisition"):
        facts: dict[str, Facts] = {}
        age, sex = years(str(header.get("PatientAge", ""))), str(header.get("PatientSex", ""))
        if age is not None:
            facts["age"] = {"age": age}
        if sex in SEXES.values():
            facts["sex"] = {"sex": sex}
        found[patient_id] = facts
    return found


def volumes(subjects: Sequence[Subject]) -> Mapping[int, Evidence]:
    """Return the volume of the mask that counts, for the form's variable of the volume."""
    names = {subject.patient_id: name for subject in subjects if (name := _variable_of(subject, "volume_ml"))}
    masks: Mapping[int, Mask] = current_masks([Patient(pk=key) for key in names]) if names else {}
    return {
        patient_id: {names[patient_id]: {"ml": float(mask.volume_ml), "version": mask.version}}
        for patient_id, mask in masks.items()
    }


def bloods(subjects: Sequence[Subject]) -> Mapping[int, Evidence]:
    """Return the volume of the blood outside the hematoma that the mask that counts holds."""
    asked = [Patient(pk=each.patient_id) for each in subjects if BLOOD_LABELS.keys() & each.values.keys()]
    masks: Mapping[int, Mask] = current_masks(asked) if asked else {}
    found: dict[int, Evidence] = {}
    for patient_id, mask in masks.items():
        outlined = {name: float(mask.label_ml.get(str(int(label)), 0)) for name, label in BLOOD_LABELS.items()}
        found[patient_id] = {
            name: {"ml": ml, "version": mask.version} for name, ml in outlined.items() if ml >= LEAST_BLOOD_ML
        }
    return found


def sides(subjects: Sequence[Subject]) -> Mapping[int, Evidence]:
    """Return the side of the head on which the mask that counts lies, where it lies clearly on one."""
    asked = [Patient(pk=each.patient_id) for each in subjects if "bleed_side" in each.values]
    masks: Mapping[int, Mask] = current_masks(asked) if asked else {}
    heads = Series.objects.filter(pk__in={mask.series_id for mask in masks.values()}, state=Series.State.READY)
    affines = dict(heads.values_list("pk", "preprocessing_report__affine"))
    found: dict[int, Evidence] = {}
    for patient_id, mask in masks.items():
        affine = affines.get(mask.series_id)
        if affine and mask.lateral_mm:
            side = side_of(mask.lateral_mm, lateral_middle_mm(affine))
            if side is not None:
                found[patient_id] = {"bleed_side": {"side": side, "version": mask.version}}
    return found


def locations(subjects: Sequence[Subject]) -> Mapping[int, Evidence]:
    """Return where the mask that counts seems to lie, as far as that is clear, for the variables that tell it."""
    asked = {each.patient_id: names for each in subjects if (names := _place_variables(each))}
    masks: Mapping[int, Mask] = current_masks([Patient(pk=key) for key in asked]) if asked else {}
    heads = Series.objects.filter(pk__in={mask.series_id for mask in masks.values()}, state=Series.State.READY)
    reports = dict(heads.values_list("pk", "preprocessing_report"))
    found: dict[int, dict[str, dict[str, Any]]] = {}
    for patient_id, mask in masks.items():
        for told, value in _clear(located(mask, reports.get(mask.series_id, {}))).items():
            if name := asked[patient_id].get(told):
                found.setdefault(patient_id, {}).setdefault(name, {"version": mask.version})[told] = value
    return found


def _place_variables(subject: Subject) -> dict[str, str]:
    """The variables that were entered and tell the place, by the input of the scores that they give."""
    names = ((told, _variable_of(subject, told)) for told in PLACES)
    return {told: name for told, name in names if name is not None and subject.values.get(name) is not None}


def _clear(place: Location | None) -> dict[str, Any]:
    """What a proposal says without doubt, by the input of the scores."""
    if place is None or place.infratentorial is None:
        return {}
    sure = {"site": str(place)} if place in (Location.DEEP, Location.LOBAR) else {}
    return {"infratentorial": place.infratentorial} | sure


def _differing(key: str, differs: Callable[[Value, Facts], bool], fact: str) -> Callable[..., Iterator[Finding]]:
    def find(subject: Subject, evidence: Evidence) -> Iterator[Finding]:
        for name, facts in evidence.items():
            value = subject.values.get(name)
            if value is not None and fact in facts and differs(value, facts):
                yield Finding(key, name, {name: value}, facts)

    return find


def _age_differs(value: Any, facts: Facts) -> bool:
    return abs(float(value) - float(facts["age"])) > AGE_TOLERANCE_YEARS


def _sex_differs(value: Any, facts: Facts) -> bool:
    return value in SEXES and SEXES[value] != facts["sex"]


def _side_differs(value: Any, facts: Facts) -> bool:
    return bool(value != facts["side"])


def _is_denied(value: Any, facts: Facts) -> bool:
    return value is False


def _volume_differs(value: Any, facts: Facts) -> bool:
    difference = abs(float(value) - facts["ml"])
    return bool(difference > VOLUME_ML and difference > VOLUME_FRACTION * facts["ml"])


def _misplaced(subject: Subject, evidence: Evidence) -> Iterator[Finding]:
    """Ask where the form has the hematoma on the other side of the tentorium, or deep instead of lobar."""
    for name, facts in evidence.items():
        value = subject.values.get(name)
        below, site = (_told(subject, name, each) for each in PLACES)
        across = None not in (below, facts.get("infratentorial")) and below != facts["infratentorial"]
        if across or {site, facts.get("site")} == {Location.DEEP, Location.LOBAR}:
            yield Finding(LOCATION, name, {name: value}, facts)


def _told(subject: Subject, name: str, score_input: str) -> Any:
    """What the value of a variable says to the scores; None where it says nothing."""
    variable, value = subject.questions.variables.get(name), subject.values.get(name)
    meant: Any = {} if variable is None else variable.score_inputs.get(score_input, {})
    return value if meant == "value" else meant.get(value)


def _say_age(finding: Finding) -> str:
    return gettext("%(label)s is %(value)s on the form and %(age)d years in the header of the CT. Check both.") % {
        "label": finding.label, "value": finding.shown, "age": finding.facts["age"],
    }  # fmt: skip


def _say_sex(finding: Finding) -> str:
    sentence = gettext("%(label)s is %(value)s on the form and another in the header of the CT. Check both.")
    return sentence % {"label": finding.label, "value": finding.shown}


def _say_volume(finding: Finding) -> str:
    return gettext("%(label)s is %(value)s on the form and %(ml).1f mL by the mask. Check both.") % {
        "label": finding.label, "value": finding.shown, "ml": finding.facts["ml"],
    }  # fmt: skip


def _say_blood(finding: Finding) -> str:
    return gettext("%(label)s is %(value)s on the form, and the mask holds %(ml).1f mL of it. Check both.") % {
        "label": finding.label, "value": finding.shown, "ml": finding.facts["ml"],
    }  # fmt: skip


def _say_side(finding: Finding) -> str:
    left = finding.facts["side"] == "left"
    half = gettext("the left half of the head") if left else gettext("the right half of the head")
    return gettext("%(label)s is %(value)s on the form, and by the mask the hematoma lies in %(half)s. Check both.") % {
        "label": finding.label, "value": finding.shown, "half": half,
    }  # fmt: skip


def _say_location(finding: Finding) -> str:
    facts = finding.facts
    if facts.get("site") == Location.DEEP:
        place = gettext("in the basal ganglia or the thalamus")
    elif facts.get("site") == Location.LOBAR:
        place = gettext("in a lobe of the brain")
    else:
        place = gettext("below the tentorium") if facts["infratentorial"] else gettext("above the tentorium")
    sentence = gettext(
        "%(label)s is %(value)s on the form, and by the mask the hematoma seems to lie %(place)s. Check both."
    )
    return sentence % {"label": finding.label, "value": finding.shown, "place": place}


def _always(gather: Gather) -> Callable[[], Gather]:
    return lambda: gather


RULES = (
    Rule(AGE, _("Age differs from the CT"), _differing(AGE, _age_differs, "age"), _say_age, _always(age_and_sex),
         Permission.VIEW_IMAGING),
    Rule(SEX, _("Sex differs from the CT"), _differing(SEX, _sex_differs, "sex"), _say_sex, _always(age_and_sex),
         Permission.VIEW_IMAGING),
    Rule(VOLUME, _("Volume differs from the mask"), _differing(VOLUME, _volume_differs, "ml"), _say_volume,
         _always(volumes), Permission.VIEW_IMAGING),
    Rule(BLOOD, _("Blood in the mask that the form denies"), _differing(BLOOD, _is_denied, "ml"), _say_blood,
         _always(bloods), Permission.VIEW_IMAGING),
    Rule(SIDE, _("Side differs from the mask"), _differing(SIDE, _side_differs, "side"), _say_side, _always(sides),
         Permission.VIEW_IMAGING),
    Rule(LOCATION, _("Location differs from the mask"), _misplaced, _say_location, _always(locations),
         Permission.VIEW_IMAGING),
)  # fmt: skip


def register_rules() -> None:
    for rule in RULES:
        register_rule(rule)
