"""A required value that applies and is blank."""

from collections.abc import Iterator

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from apps.crf.queries.rules.base import Evidence, Finding, Rule, Subject
from apps.crf.rules import completeness

KEY = "blank"


def find(subject: Subject, evidence: Evidence) -> Iterator[Finding]:
    for name in completeness(subject.questions, subject.answers).missing:
        yield Finding(KEY, name, {name: None})


def say(finding: Finding) -> str:
    return gettext("%(label)s is required and was left blank. Enter it, or say why it can't be known.") % {
        "label": finding.label
    }


RULE = Rule(KEY, _("Required value blank"), find, say)
