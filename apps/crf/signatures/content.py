"""What a signature is tied to: the digest of one form's identity and of the values that were signed."""

from collections.abc import Collection, Sequence
from typing import Any

from apps.audit.chain import sha256_of
from apps.crf.dictionary import load_dictionary
from apps.crf.missing import Answers, known, reasons
from apps.crf.models import CrfForm, CrfValue, Part


def variables_of(part: str) -> list[str]:
    """Return the names of the variables of a part; none named: all of the form, also those of a later dictionary."""
    if part == Part.FORM:
        return []
    return [variable.name for variable in load_dictionary().variables.values() if variable.outcome]


def events_of(form: CrfForm) -> list[CrfValue]:
    """Return every value that the form has had, oldest first, with who entered it."""
    return list(CrfValue.objects.filter(form=form).select_related("recorded_by"))


def touching(events: Sequence[CrfValue], variables: Collection[str]) -> list[CrfValue]:
    """Return the events of the named variables; none named: all."""
    return [event for event in events if not variables or event.variable in variables]


def digest_of_values(form: CrfForm, events: Sequence[CrfValue], variables: Collection[str], answers: Answers) -> str:
    """Return the SHA-256 of the answers of some variables, which the events have led to.

    Of version and dictionary those of the last save that touched these variables count: a save of others changes
    nothing here, and one that changes a value and changes it back does.
    """
    mine = touching(events, variables)
    signed = {name: answer for name, answer in answers.items() if not variables or name in variables}
    content: dict[str, Any] = {
        "form": identity_of(form),
        "version": mine[-1].form_version if mine else 0,
        "dictionary": mine[-1].dictionary_version if mine else "",
        "variables": sorted(variables),
        "values": known(signed),
    }
    if absent := reasons(signed):  # left out where there is none: so it was before there were reasons
        content["missing"] = absent
    return sha256_of(content)


def identity_of(form: CrfForm) -> dict[str, Any]:
    """Return what tells this form from every other."""
    return {
        "form": form.pk, "study_id": form.patient.study_id, "name": form.name, "visit": form.visit,
        "instance": form.instance,
    }  # fmt: skip
