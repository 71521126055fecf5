"""Reading case report forms: the current values, what they mean for scores and models, and how they are shown."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, TypedDict

from django.db.models import prefetch_related_objects
from django.http import Http404

from apps.audit.words import shown_reason
from apps.crf import rules
from apps.crf.conditions import Value, Values
from apps.crf.dictionary import Questions, Section, Variable, VariableType, load_dictionary
from apps.crf.missing import Absent, Answer, known
from apps.crf.models import CrfForm, CrfValue
from apps.crf.places import MAIN_PLACE, MOST_REPEATS, Place
from apps.crf.rules import Completeness, Finding
from apps.crf.values import display, display_with_unit
from apps.crf.versions.past import earlier_names
from apps.patients.models import Patient

Kind = Literal["numeric", "binary", "categorical"]
_KINDS: dict[VariableType, Kind] = {
    VariableType.INTEGER: "numeric",
    VariableType.DECIMAL: "numeric",
    VariableType.YESNO: "binary",
    VariableType.CHOICE: "categorical",
}


class ModelFeature(TypedDict):
    """A clinical input of the model, as the manifest of a training run names it."""

    name: str
    kind: Kind
    levels: list[str | int] | None
    unit: str | None


@dataclass(frozen=True)
class ShownValue:
    """A variable with its current answer as text ("" when blank) and its last change."""

    variable: Variable
    value: Answer
    text: str
    changed_at: datetime | None = None
    changed_by: str = ""

    @property
    def has_unit(self) -> bool:
        return self.variable.unit is not None and not isinstance(self.value, Absent)


@dataclass(frozen=True)
class PastValue:
    """One value that a variable has had, as text ("" where it was cleared): who entered it, when, and why."""

    text: str
    entered_at: datetime
    entered_by: str
    reason: str
    form_version: int
    # Where it was typed in another unit.
    as_typed: str = ""


@dataclass(frozen=True)
class ShownSection:
    section: Section
    values: tuple[ShownValue, ...]
    completeness: Completeness


def questions_of(place: Place) -> Questions:
    """Return what the form of a place asks; Http404 for a place that the data dictionary does not have."""
    dictionary = load_dictionary()
    if place == MAIN_PLACE:
        return dictionary
    form = dictionary.further.get(place.form)
    repeats = form is not None and form.repeats
    if form is None or place.visit not in form.visits or not 1 <= place.instance <= (MOST_REPEATS if repeats else 1):
        raise Http404
    return form


def new_form(patient: Patient, place: Place) -> CrfForm:
    """Return an empty form of version 0, which is not in the database."""
    return CrfForm(
        patient=patient, name=place.form, visit=place.visit, instance=place.instance,
        main_of_id=patient.pk if place.is_main else None, dictionary_version=load_dictionary().id,
    )  # fmt: skip


def form_of(patient: Patient, place: Place = MAIN_PLACE) -> CrfForm:
    """Return one form of the patient; one that nobody has saved yet is empty, of version 0 and not in the database."""
    if place.is_main:
        stored = getattr(patient, "form", None)
    else:
        stored = patient.forms.filter(name=place.form, visit=place.visit, instance=place.instance).first()
    if stored is None:
        return new_form(patient, place)
    stored.patient = patient  # who is at hand need not be read again
    return stored


def forms_of(patients: list[Patient]) -> dict[int, CrfForm]:
    """Return the main forms of a page of patients by patient key, in one query however often it is asked."""
    prefetch_related_objects(patients, "form")
    return {patient.pk: form_of(patient) for patient in patients}


def values_at(form: CrfForm, version: int) -> dict[str, Value]:
    """Return the values of the form as they stood after the save of this version."""
    return known(answers_at(form, version))


def answers_at(form: CrfForm, version: int) -> dict[str, Answer]:
    """Return values and reasons of the form as they stood after the save of this version."""
    events = CrfValue.objects.filter(form=form, form_version__lte=version)
    return rules.replay((event.variable, event.answer) for event in events)


def values_for_display(form: CrfForm) -> list[ShownSection]:
    """Return the form's sections with the variables that apply, for people to read."""
    questions = questions_of(form.place)
    applies = rules.applicable(questions, form.values)
    whole = completeness(form)
    changes = last_changes(form)
    answers = form.answers
    shown = []
    for section in questions.sections:
        variables = [variable for variable in section.variables if variable.name in applies]
        values = tuple(_shown(variable, answers.get(variable.name), changes) for variable in variables)
        shown.append(ShownSection(section, values, whole.within(section)))
    return shown


def _shown(variable: Variable, value: Answer, changes: dict[str, tuple[datetime, str]]) -> ShownValue:
    at, by = changes.get(variable.name, (None, ""))
    return ShownValue(variable, value, display(variable, value), at, by)


def last_changes(form: CrfForm) -> dict[str, tuple[datetime, str]]:
    """Return when and by whom each variable was last changed."""
    if form.pk is None:
        return {}
    events = CrfValue.objects.filter(form=form).values_list("variable", "recorded_at", "recorded_by__full_name")
    return {variable: (at, by) for variable, at, by in events}


def history_of(form: CrfForm, variable: Variable) -> list[PastValue]:
    """Return every value that a variable has had, the newest first, each by the dictionary of its time.

    What it was called before belongs to its history.
    """
    if form.pk is None:
        return []
    names = [variable.name, *earlier_names(variable.name)]
    events = CrfValue.objects.filter(form=form, variable__in=names).select_related("recorded_by")
    return [
        PastValue(
            display_with_unit(_as_it_was(event, variable), event.answer), event.recorded_at,
            event.recorded_by.full_name, shown_reason(event.reason), event.form_version, event.as_typed,
        )
        for event in events.order_by("-form_version", "-pk")
        # That it left its old name in the same save tells nothing.
        if event.variable == variable.name or event.answer is not None
    ]  # fmt: skip


def _as_it_was(event: CrfValue, variable: Variable) -> Variable:
    return load_dictionary(event.dictionary_version).all_variables.get(event.variable, variable)


def completeness(form: CrfForm) -> Completeness:
    """Count the required variables that apply, and those of them that have a value or a reason for having none."""
    return rules.completeness(questions_of(form.place), form.answers)


def warnings_of(form: CrfForm) -> list[Finding]:
    """Return what is stored but should be checked."""
    return rules.warnings_of(questions_of(form.place), form.values)


def model_features(dictionary_id: str = "") -> list[ModelFeature]:
    """Return the clinical inputs of the model, in its order: now, or by a published version."""
    return [
        ModelFeature(
            name=variable.name,
            kind=_KINDS[variable.type],
            levels=[choice.value for choice in variable.choices] or None,
            unit=variable.unit.en if variable.unit else None,
        )
        for variable in load_dictionary(dictionary_id).features
    ]


def model_inputs_of(values: Values) -> dict[str, Value]:
    """Return the values of the model's clinical inputs; None where blank."""
    return {variable.name: values.get(variable.name) for variable in load_dictionary().features}


def score_inputs_of(values: Values) -> dict[str, Value]:
    """Return what the form gives to the clinical scores, by the name of the score's input; None where blank.

    The hematoma volume is none of them: it comes from the mask.
    """
    inputs: dict[str, Value] = {}
    for variable in load_dictionary().variables.values():
        value = values.get(variable.name)
        for name, mapping in variable.score_inputs.items():
            inputs[name] = value if mapping == "value" or value is None else _mapped(mapping, value)
    return inputs


def _mapped(mapping: Any, value: Value) -> Value:
    result: Value = mapping[value]
    return result


def outcome_of(values: Values) -> bool | None:
    """Say whether the outcome is poor; None where it has not been entered."""
    variable = load_dictionary().primary_outcome
    value = values.get(variable.name)
    return None if value is None else value in variable.poor_outcome


def column_values(patients: Sequence[Patient], variable: Variable) -> dict[int, str]:
    """Return one variable's values as text for a page of the patient list."""
    return {key: display(variable, form.values.get(variable.name)) for key, form in forms_of(list(patients)).items()}
