"""What the audit trail calls versions of the dictionary, and what `manage.py verify_audit` asks of them."""

from collections.abc import Iterator

from django.utils.translation import gettext_lazy as _

from apps.audit.chain import sha256_of
from apps.audit.models import AuditEvent
from apps.audit.verification import Fault, checks
from apps.audit.words import Action, Kind, Shown, register
from apps.crf.versions.models import DictionaryVersion


def register_words() -> None:
    """Register the words of versions."""
    version = {"version": Shown(_("Version"))}
    register(
        Kind("crf.dictionaryversion", _("Data dictionary")),
        Action("draft_dictionary", _("Made a draft of the data dictionary"), version),
        Action("rule_dictionary", _("Set the rules of a draft"), {"rules": Shown(_("Rules"))}),
        Action("discard_dictionary", _("Discarded a draft of the data dictionary"), version),
        Action(
            "publish_dictionary", _("Published a version of the data dictionary"),
            version | {"forms": Shown(_("Forms changed")), "sha256": Shown(_("Digest"))},
        ),
    )  # fmt: skip


def register_verification() -> None:
    """Let no published version be altered unseen."""
    checks.append(altered_versions)


def altered_versions() -> Iterator[Fault]:
    """Yield the published versions that are not those of their events."""
    rows = AuditEvent.objects.filter(action="publish_dictionary").values_list("object_id", "changes")
    known = {key: changes["sha256"][1] for key, changes in rows}
    for version in DictionaryVersion.objects.filter(state=DictionaryVersion.State.PUBLISHED).order_by("pk"):
        if known.get(str(version.pk)) != sha256_of(version.content):
            yield Fault(f"row {version.pk} of {version._meta.db_table}", "it is not the dictionary that was published.")
