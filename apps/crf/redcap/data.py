"""How REDCap's data files name events, repeats, and why a value is missing: exports write it, imports read it."""

from apps.crf.dictionary import load_dictionary
from apps.crf.missing import Missing
from apps.crf.redcap.writing import form_names

EVENT, REPEAT, INSTANCE = "redcap_event_name", "redcap_repeat_instrument", "redcap_repeat_instance"
# What a project has to declare as its missing data codes; docs/reference/exports.md repeats them.
MISSING: dict[str, str] = {
    Missing.UNKNOWN: "UNK", Missing.NOT_DONE: "ND", Missing.REFUSED: "REF", Missing.NOT_APPLICABLE: "NA",
}  # fmt: skip


def event_of(visit: str) -> str:
    """Return the unique name that REDCap gives an event of this name, in its first arm."""
    return f"{visit[:18]}_arm_1"


def instrument_of(form: str) -> str:
    """Return what REDCap calls a form beside the main one."""
    return form_names(load_dictionary())[load_dictionary().further[form].sections[0].name]
