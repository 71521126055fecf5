"""A computed value that is not what its parts give: the formula changed, or it was brought in from elsewhere."""

from collections.abc import Iterator

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from apps.crf.computed import stale_values
from apps.crf.missing import known
from apps.crf.queries.rules.base import Evidence, Finding, Rule, Subject, show

KEY = "stale"


def find(subject: Subject, evidence: Evidence) -> Iterator[Finding]:
    for name, (stored, should) in stale_values(subject.questions, subject.answers).items():
        yield Finding(KEY, name, {name: known({name: stored}).get(name)}, {"computed": should})


def say(finding: Finding) -> str:
    should = finding.facts.get("computed")
    return gettext(
        "%(label)s is stored as %(value)s, but computed from its parts it is %(computed)s. Save the form."
    ) % {
        "label": finding.label,
        "value": finding.shown or "–",
        "computed": "–" if should is None else show(finding.variable, should),
    }


RULE = Rule(KEY, _("Computed value out of date"), find, say)
