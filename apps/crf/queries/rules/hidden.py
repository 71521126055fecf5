"""A value of a variable that does not apply: entered before a branch was closed, or brought by an import."""

from collections.abc import Iterator

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from apps.crf.queries.rules.base import Evidence, Finding, Rule, Subject
from apps.crf.rules import applicable

KEY = "hidden"


def find(subject: Subject, evidence: Evidence) -> Iterator[Finding]:
    applies = applicable(subject.questions, subject.values)
    for name in subject.questions.variables:
        value = subject.values.get(name)
        if value is not None and name not in applies:
            yield Finding(KEY, name, {name: value})


def say(finding: Finding) -> str:
    return gettext("%(label)s does not apply with the other answers and yet holds %(value)s. Check which is right.") % {
        "label": finding.label, "value": finding.shown,
    }  # fmt: skip


RULE = Rule(KEY, _("Value that does not apply"), find, say)
