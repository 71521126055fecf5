"""A file that a person sends as the next version: YAML as the platform writes it, or REDCap's data dictionary."""

from __future__ import annotations

import json
from dataclasses import dataclass

from django.utils.translation import gettext as _

from apps.core.errors import Refusal
from apps.crf.dictionary import Dictionary, DictionaryError, dictionary_from_json, parse_dictionary
from apps.crf.redcap import decode, read_dictionary
from apps.crf.versions.needs import lacking

MOST_BYTES = 2 * 1024**2
_REDCAP = "Variable / Field Name"


@dataclass(frozen=True)
class Read:
    """The dictionary, and sentences on what the file says that has no place in it."""

    dictionary: Dictionary
    notes: tuple[str, ...] = ()


def read_file(content: bytes, *, name: str, version: int) -> Read:
    """Return the file as the version of this name and number; Refusal says what is wrong with it."""
    if not content.strip():
        raise Refusal("dictionary_empty", _("The file is empty. Choose the file with the dictionary."))
    if len(content) > MOST_BYTES:
        sentence = _("The file is larger than %(n)d MB. Choose the file with the dictionary.")
        raise Refusal("dictionary_too_large", sentence % {"n": MOST_BYTES // 1024**2}, status=413)
    read = _read_redcap(content, name, version) if _REDCAP.encode() in content[:2000] else _read_yaml(content, version)
    if read.dictionary.name != name:
        sentence = _("The file is of the dictionary “%(other)s”, and this study's is “%(name)s”. Correct its name.")
        raise Refusal("dictionary_name", sentence % {"other": read.dictionary.name, "name": name})
    if missing := list(lacking(read.dictionary)):
        raise Refusal("dictionary_lacks", " ".join(missing))
    return read


def _read_redcap(content: bytes, name: str, version: int) -> Read:
    found = read_dictionary(decode(content), name=name, version=str(version))
    return Read(found.dictionary, tuple(str(note) for note in found.notes))


def _read_yaml(content: bytes, version: int) -> Read:
    try:
        # The number is the platform's: the next one, whatever the file says.
        data = parse_dictionary(content.decode("utf-8-sig")).as_data() | {"version": str(version)}
        return Read(dictionary_from_json(json.dumps(data)))
    except UnicodeDecodeError:
        raise Refusal("dictionary_encoding", _("The file is no text in UTF-8. Save it as UTF-8.")) from None
    except DictionaryError as error:
        raise Refusal("dictionary_file", _("The file can't be taken: %(fault)s") % {"fault": error}) from None
