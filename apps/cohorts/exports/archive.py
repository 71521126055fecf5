"""The ZIP of an export: its files and a page that says what they are."""

import zipfile
from collections.abc import Callable, Sequence
from io import BytesIO

from django.conf import settings
from django.utils.translation import gettext as _

from apps.cohorts.exports.columns import columns, prepared
from apps.cohorts.exports.files import FILES
from apps.cohorts.models import Export
from apps.cohorts.table import Row
from apps.crf.dictionary import load_dictionary

README = "READ-ME.txt"
# Of the files in the ZIP, so that the same data gives the same file names and dates.
_EPOCH = (1980, 1, 1, 0, 0, 0)


def build_archive(export: Export, rows: Sequence[Row], report: Callable[[str, float], None]) -> bytes:
    """Return the ZIP, in the language that is active."""
    chosen, data = columns(), prepared(rows)
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, (name, make) in enumerate(FILES.items()):
            report("Writing files", 0.3 + 0.6 * number / len(FILES))
            _add(archive, name, make(chosen, data))
        _add(archive, README, _readme(export, len(data)).encode("utf-8-sig"))
    return buffer.getvalue()


def _add(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    entry = zipfile.ZipInfo(name, _EPOCH)
    entry.compress_type = zipfile.ZIP_DEFLATED
    archive.writestr(entry, content)


def _readme(export: Export, patients: int) -> str:
    simulated = [_("SIMULATED DATA: no patient in it is real.")] if settings.DEMONSTRATION else []
    lines = [
        settings.STUDY_NAME,
        *simulated,
        _("Research use only. Not for clinical decisions."),
        "",
        _("%(n)d patients of the centers %(centers)s, exported %(at)s UTC by %(who)s.")
        % {
            "n": patients, "centers": ", ".join(export.centers), "at": f"{export.created_at:%Y-%m-%d %H:%M}",
            "who": export.requested_by.full_name,
        },
        _("Purpose: %(purpose)s") % {"purpose": export.purpose},
        _("Data dictionary: %(id)s") % {"id": load_dictionary().id},
        "",
        _("Patients carry their study ID and nothing else that names them."),
        _(
            "All dates of a patient are moved into the past by one and the same number of days, which stays secret; "
            "the days between them are true."
        ),
        _("Yes is 1, no is 0, a blank was not entered. codebook.csv explains each column."),
        _("data.csv: UTF-8, comma, point. data.xlsx: Excel. data.sav: SPSS, with labels. data.json: typed values."),
    ]  # fmt: skip
    return "\r\n".join(lines) + "\r\n"
