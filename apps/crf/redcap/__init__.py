"""The data dictionary as a REDCap data dictionary (CSV), and back.

docs/reference/data-dictionary.md says what is kept where.
"""

from apps.crf.redcap.findings import Finding, RedcapRefusal
from apps.crf.redcap.reading import Reading, csv_to_dictionary, read_dictionary
from apps.crf.redcap.rows import decode
from apps.crf.redcap.writing import dictionary_to_csv

__all__ = [
    "Finding", "Reading", "RedcapRefusal", "csv_to_dictionary", "decode", "dictionary_to_csv", "read_dictionary",
]  # fmt: skip
