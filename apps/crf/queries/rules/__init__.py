"""The rules that open queries. Later apps register theirs in AppConfig.ready (docs/adr/0005)."""

from apps.crf.queries.rules.base import (
    Evidence,
    Facts,
    Finding,
    Gather,
    Rule,
    Subject,
    register_rule,
    rule_of,
    rules,
    show,
)

__all__ = [
    "Evidence",
    "Facts",
    "Finding",
    "Gather",
    "Rule",
    "Subject",
    "register_own_rules",
    "register_rule",
    "rule_of",
    "rules",
    "show",
]


def register_own_rules() -> None:
    """Register the rules that need the forms alone."""
    from apps.crf.queries.rules import blank, hidden, inconsistent, outlier, stale, unusual

    for module in (blank, unusual, inconsistent, outlier, hidden, stale):
        register_rule(module.RULE)
