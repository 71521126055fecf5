"""A number outside the usual range of its variable."""

from collections.abc import Iterator

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from apps.crf.dictionary import load_dictionary
from apps.crf.queries.rules.base import Evidence, Finding, Rule, Subject
from apps.crf.values import describe, is_unusual

KEY = "range"


def find(subject: Subject, evidence: Evidence) -> Iterator[Finding]:
    for name, variable in subject.questions.variables.items():
        value = subject.values.get(name)
        if is_unusual(variable, value):
            yield Finding(KEY, name, {name: value}, {"usual": describe(variable.usual, variable)})


def say(finding: Finding) -> str:
    return gettext("%(label)s: %(value)s is unusual (usually %(range)s). Check it.") % {
        "label": finding.label, "value": finding.shown, "range": _usual(finding),
    }  # fmt: skip


def _usual(finding: Finding) -> str:
    # In the reader's language while the dictionary has the variable.
    variable = load_dictionary().all_variables.get(finding.variable)
    return describe(variable.usual, variable) if variable else str(finding.facts.get("usual", ""))


RULE = Rule(KEY, _("Unusual value"), find, say)
