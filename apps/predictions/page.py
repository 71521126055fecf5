"""Scores and prediction on the patient page and in the patient list."""

from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from apps.accounts.policy import Permission
from apps.annotation.selectors import current_mask, current_masks
from apps.cohorts.scores import VOLUME, compute_score, inputs_of, score_patient
from apps.cohorts.table import COMPARED_SCORES
from apps.crf.dictionary import load_dictionary
from apps.crf.models import CrfForm
from apps.crf.selectors import forms_of
from apps.patients.models import Patient
from apps.patients.page import Column, Section
from apps.predictions.selectors import probabilities, prognosis_of
from ml.scores import INPUTS, SCORES


def scores_context(request: HttpRequest, patient: Patient) -> dict[str, Any]:
    form = CrfForm.objects.filter(main_of=patient).first()
    mask = current_mask(patient)
    scores = score_patient(form.values if form else {}, mask)
    return {
        "patient": patient,
        "scores": [
            {"score": score, "missing": [INPUTS[name].label for name in score.result.missing] if score.result else []}
            for score in scores
        ],
        "form": form,
        "mask": mask,
        "volume_input": VOLUME,
    }


def scores_summary(context: dict[str, Any]) -> str:
    """Return the two scores that the models are held against."""
    values = {row["score"].definition.key: row["score"].value for row in context["scores"]}
    shown = {key: "–" if values[key] is None else values[key] for key in COMPARED_SCORES}
    return "ICH {ich_score} · ICH-GS {ich_gs}".format(**shown)


def prognosis_summary(context: dict[str, Any]) -> str:
    """Return P(poor outcome) of the fusion model, or of the imaging model where there is no other."""
    prognosis = context["prognosis"]
    if prognosis.results:
        return percent(prognosis.results[0].probability)
    if prognosis.prediction is not None and prognosis.prediction.probability is not None:
        return percent(prognosis.prediction.probability)
    return gettext("none yet")


def percent(probability: float) -> str:
    """Write a probability as whole percent: its uncertainty is far larger than a tenth of one."""
    return f"{100 * probability:.0f}\N{NARROW NO-BREAK SPACE}%"


def prognosis_context(request: HttpRequest, patient: Patient) -> dict[str, Any]:
    prognosis = prognosis_of(patient)
    found: dict[str, Any] = {"patient": patient, "prognosis": prognosis}
    if prognosis.prediction is not None:
        found |= job_context(patient, prognosis.prediction)
        variables = load_dictionary().variables
        found["missing"] = [variables[name].label for name in prognosis.prediction.missing if name in variables]
    return found


def job_context(patient: Patient, prediction: Any) -> dict[str, Any]:
    """Return what partials/job.html needs."""
    arguments = [patient.study_id, prediction.pk]
    return {
        "job": prediction.job,
        "job_url": reverse("predictions:status", args=arguments),
        "retry_url": reverse("predictions:retry", args=arguments),
    }


def load_scores(key: str) -> Any:
    """Return the loader of one score's column."""

    def load(patients: list[Patient]) -> dict[int, Any]:
        forms, masks = forms_of(patients), current_masks(patients)
        values = {}
        for patient in patients:
            inputs = inputs_of(forms[patient.pk].values, masks.get(patient.pk))
            values[patient.pk] = compute_score(SCORES[key], inputs).value
        return values

    return load


def load_probability(patients: list[Patient]) -> dict[int, Any]:
    return {pk: percent(value) for pk, value in probabilities(patients).items()}


PARTS = (
    Section(
        "scores", 40, _("Scores"), Permission.VIEW_SCORES, "predictions/scores.html", scores_context, scores_summary
    ),
    Section(
        "prediction",
        50,
        _("Prediction"),
        Permission.VIEW_PREDICTIONS,
        "predictions/prognosis.html",
        prognosis_context,
        prognosis_summary,
    ),
    Column("ich_score", 80, "ICH", Permission.VIEW_SCORES, load_scores("ich_score")),
    Column("ich_gs", 81, "ICH-GS", Permission.VIEW_SCORES, load_scores("ich_gs")),
    Column("probability", 90, _("P(poor)"), Permission.VIEW_PREDICTIONS, load_probability),
)
