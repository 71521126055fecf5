"""The ZIP of an export: its files and a page that says what they are."""

import zipfile
from collections.abc import Callable, Iterator, Sequence
from io import BytesIO

from django.conf import settings
from django.utils.translation import gettext as _

from apps.cohorts.exports.columns import columns, prepared
from apps.cohorts.exports.entries import subjects
from apps.cohorts.exports.files import FILES, codebook_csv
from apps.cohorts.exports.further import Table, further_tables
from apps.cohorts.exports.odm import odm_xml
from apps.cohorts.exports.redcap import redcap_csv
from apps.cohorts.models import Export
from apps.cohorts.table import Row
from apps.crf.dictionary import load_dictionary

README = "READ-ME.txt"
MAIN_FILE = "data"
# Of the files in the ZIP, so that the same data gives the same file names and dates.
_EPOCH = (1980, 1, 1, 0, 0, 0)


def build_archive(export: Export, rows: Sequence[Row], report: Callable[[str, float], None]) -> bytes:
    """Return the ZIP, in the language that is active."""
    tables = [Table(MAIN_FILE, _("Case report form"), columns(), prepared(rows)), *further_tables(export.centers)]
    files = [(table, ending, make) for table in tables for ending, make in FILES.items()]
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, (table, ending, make) in enumerate(files):
            report("Writing files", 0.3 + 0.5 * number / len(files))
            _add(archive, f"{table.name}{ending}", make(table.columns, table.rows))
        report("Writing files", 0.8)
        _stream(archive, "redcap.csv", redcap_csv(subjects(export.centers)))
        _stream(archive, "odm.xml", odm_xml(export, subjects(export.centers)))
        _add(archive, "codebook.csv", codebook_csv({table.name: table.columns for table in tables}))
        _add(archive, README, _readme(export, len(rows), tables).encode("utf-8-sig"))
    return buffer.getvalue()


def _add(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    archive.writestr(_info(name), content)


def _stream(archive: zipfile.ZipFile, name: str, pieces: Iterator[bytes]) -> None:
    with archive.open(_info(name), "w") as file:
        for piece in pieces:
            file.write(piece)


def _info(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, _EPOCH)
    entry.compress_type = zipfile.ZIP_DEFLATED
    return entry


def _readme(export: Export, patients: int, tables: Sequence[Table]) -> str:
    further = [f"{table.name}: {table.title}" for table in tables[1:]]
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
        _(
            "missing_reasons says why values of its row are missing, where somebody gave a reason: "
            "nihss=not_done; smoking=unknown."
        ),
        _("data holds a line for each patient. Each further form has files of its own, with a line for each entry:"),
        *further,
        _("redcap.csv: for the data import of REDCap. odm.xml: CDISC ODM 1.3.2, all forms with their definitions."),
        _(".csv: UTF-8, comma, point. .xlsx: Excel. .sav: SPSS, with labels. .json: typed values."),
    ]  # fmt: skip
    return "\r\n".join(lines) + "\r\n"
