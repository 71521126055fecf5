"""Values that contradict each other: the rules of the data dictionary, each a check of its own.

The hard ones too: a form may hold from before what today's dictionary refuses to store.
"""

from collections.abc import Iterator

from django.utils.translation import gettext_lazy as _

from apps.crf.dictionary import load_dictionary
from apps.crf.queries.rules.base import Evidence, Finding, Rule, Subject

KEY = "inconsistent"


def find(subject: Subject, evidence: Evidence) -> Iterator[Finding]:
    for rule in subject.questions.rules:
        if rule.forbid.holds(subject.values):
            about = {name: subject.values.get(name) for name in rule.variables}
            yield Finding(f"{KEY}.{rule.name}", rule.variables[0], about)


def say(finding: Finding) -> str:
    name = finding.rule.partition(".")[2]
    for rule in load_dictionary().all_rules:
        if rule.name == name:
            return str(rule.sentence)
    return name.replace("_", " ")


RULE = Rule(KEY, _("Values contradict each other"), find, say)
