"""A number far from those of the whole cohort, by median and median absolute deviation."""

from collections import defaultdict
from collections.abc import Iterator

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from apps.crf.dictionary import VariableType, load_dictionary
from apps.crf.models import CrfForm
from apps.crf.queries.rules.base import Evidence, Finding, Gather, Rule, Subject, show
from apps.crf.values import format_number
from ml.statistics.robust import median_and_mad, modified_z

KEY = "outlier"
# Iglewicz B, Hoaglin DC. How to detect and handle outliers. ASQC Quality Press 1993.
LIMIT = 3.5
# Fewer values say too little about what is usual.
FEWEST = 20


def prepare() -> Gather:
    numbers: dict[str, list[float]] = defaultdict(list)
    numeric = _numeric()
    for values in CrfForm.objects.values_list("values", flat=True).iterator():
        for name in numeric:
            if (value := values.get(name)) is not None:
                numbers[name].append(value)
    evidence = {}
    for name, found in numbers.items():
        if len(found) >= FEWEST:
            median, mad = median_and_mad(found)
            evidence[name] = {"median": median, "mad": mad, "n": len(found)}
    return lambda subjects: {subject.patient_id: evidence for subject in subjects}


def _numeric() -> list[str]:
    types = {VariableType.INTEGER, VariableType.DECIMAL}
    return [name for name, variable in load_dictionary().all_variables.items() if variable.type in types]


def find(subject: Subject, evidence: Evidence) -> Iterator[Finding]:
    for name, facts in evidence.items():
        value = subject.values.get(name)
        if isinstance(value, bool) or not isinstance(value, int | float) or not facts.get("mad"):
            continue
        if abs(modified_z(value, facts["median"], facts["mad"])) > LIMIT:
            yield Finding(KEY, name, {name: value}, facts)


def say(finding: Finding) -> str:
    return gettext("%(label)s: %(value)s lies far from the other patients (median %(median)s of %(n)d). Check it.") % {
        "label": finding.label, "value": finding.shown, "median": _median(finding), "n": finding.facts["n"],
    }  # fmt: skip


def _median(finding: Finding) -> str:
    median = finding.facts["median"]
    return (
        show(finding.variable, median) if finding.variable in load_dictionary().all_variables else format_number(median)
    )


RULE = Rule(KEY, _("Outlier of the cohort"), find, say, prepare)
