"""The dashboard's words: names of predictors and reasons, the same on the page, in figures and in files."""

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.analytics.analysis import MIN_PER_OUTCOME, CutSource, Problem

Text = str | Promise

PREDICTOR_NAMES: dict[str, Text] = {
    "fusion": gettext_lazy("Fusion model"),
    "imaging": gettext_lazy("Imaging model"),
    "ich": gettext_lazy("ICH score"),
    "ich_gs": gettext_lazy("ICH-GS"),
}
PATIENT_SET_NAMES: dict[str, Text] = {
    "cv": gettext_lazy("Out of fold"),
    "test": gettext_lazy("Test split"),
    "all": gettext_lazy("Both"),
}
PATIENT_SET_MEANINGS: dict[str, Text] = {
    "cv": gettext_lazy(
        "Patients of the cross-validation. Each is predicted by the one fold model that never saw him, so the "
        "probabilities pooled here come from different models."
    ),
    "test": gettext_lazy(
        "Patients set aside before training. Each is predicted by the mean of all fold models, none of which saw him."
    ),
    "all": gettext_lazy(
        "Both together: patients of the cross-validation, predicted by the one fold model that never saw them, and "
        "patients of the test split, predicted by the mean of all fold models. The two kinds of prediction are not the "
        "same; use this view where either alone has too few patients."
    ),
}
CUT_SOURCES: dict[CutSource, Text] = {
    "declared": gettext_lazy("declared before training"),
    "cross_validation": gettext_lazy("found on the cross-validation's patients"),
    "same_patients": gettext_lazy("found on these same patients: optimistic"),
}


def problem_sentence(problem: Problem, n: int, poor: int) -> str:
    """Say why there is no AUC for n patients, of whom so many had a poor outcome."""
    if problem == "no_patients":
        return _("No patient here has all four predictors.")
    if problem == "one_class":
        outcome = _("poor") if poor else _("favorable")
        sentence = _("All %(n)s patients here had a %(outcome)s outcome; curves need both outcomes.")
        # No ngettext: GNU gettext wants %(n)s in the only form that Chinese has, and Babel forbids it there.
        if n == 1:
            sentence = _("The one patient here had a %(outcome)s outcome; curves need both outcomes.")
        return sentence % {"n": n, "outcome": outcome}
    if problem == "too_few":
        return _(
            "n too small: %(poor)s poor and %(favorable)s favorable outcomes; at least %(least)s of each are needed."
        ) % {"poor": poor, "favorable": n - poor, "least": MIN_PER_OUTCOME}
    return ""
