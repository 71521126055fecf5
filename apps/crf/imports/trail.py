"""What the audit trail calls imports."""

from django.utils.translation import gettext_lazy as _

from apps.audit.words import Action, Kind, Shown, register


def register_words() -> None:
    """Register the words of imports."""
    digest = {"sha256": Shown(_("Digest of the file"))}
    counts = {
        "patients": Shown(_("Patients")), "new": Shown(_("New values")), "changed": Shown(_("Changed values")),
        "cleared": Shown(_("Cleared values")),
    }  # fmt: skip
    register(
        Kind("crf.import", _("Import")),
        Action("check_import", _("Had a file checked for import"), digest),
        Action("drop_import", _("Deleted a file that was not imported within a week")),
        Action("import_forms", _("Imported values from a file"), digest | counts),
    )
