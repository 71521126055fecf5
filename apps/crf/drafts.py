"""Drafts: what somebody types is kept as he types it, so that a crash or a lost connection takes nothing away."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.db import transaction
from django.http import Http404
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.accounts.access import Actor, person
from apps.accounts.models import User
from apps.core.errors import Refusal
from apps.crf.dictionary import load_dictionary
from apps.crf.double_entry.blinding import refuse_if_blinded
from apps.crf.forms import raw_texts
from apps.crf.models import CrfDraft
from apps.crf.places import Place
from apps.crf.posted import variable_of
from apps.crf.selectors import answers_at, form_of, questions_of
from apps.crf.services import writable_variables
from apps.patients.models import Patient

REASON_FIELDS = ("reason", "reason_choice")
LONGEST = 2000


def draft_of(actor: Actor, patient: Patient, place: Place) -> CrfDraft | None:
    """Return the actor's own draft of a form."""
    return CrfDraft.objects.filter(owner=person(actor), **_key(patient, place)).first()


@transaction.atomic
def keep_draft(
    *, actor: User, patient: Patient, place: Place, read_version: int, typed: Mapping[str, str], asked_by: str = ""
) -> CrfDraft | None:
    """Keep what differs from the version that was read; with nothing that differs there is no draft (None).

    `asked_by` is the dictionary of the page. Raises Refusal for a text that is too long to be kept or holds a null
    character, and Http404 for who may enter nothing.
    """
    writable = writable_variables(actor, patient, questions_of(place))
    if not writable:
        raise Http404
    form = form_of(patient, place)
    refuse_if_blinded(actor, form)  # nothing to keep would tell that what was typed is what is stored
    if read_version > form.version:
        raise Refusal("form_version", _("The form has no such version. Load the form again and repeat the change."))
    base = form.answers if form.version == read_version or not form.pk else answers_at(form, read_version)
    # What is stored by now is no draft either: the request may have been overtaken by the save of the same values.
    stored = raw_texts(base), raw_texts(form.answers)
    changed = {
        name: text
        for name, text in typed.items()
        if variable_of(name) in writable and text.strip() not in {texts.get(name, "") for texts in stored}
    }
    if not changed:
        discard_draft(actor=actor, patient=patient, place=place)
        return None
    changed |= {name: typed[name] for name in REASON_FIELDS if typed.get(name)}
    refuse_unkept(changed.values())
    kept = {
        "read_version": read_version, "typed": changed, "kept_at": timezone.now(),
        "dictionary_version": asked_by[:20] or load_dictionary().id,
    }  # fmt: skip
    draft, _created = CrfDraft.objects.update_or_create(owner=actor, **_key(patient, place), defaults=kept)
    return draft


def refuse_unkept(texts: Iterable[str]) -> None:
    """Refuse what is too long to be kept as typed, or what a database can't hold."""
    if any(len(text) > LONGEST or "\x00" in text for text in texts):
        raise Refusal("draft", _("A text on the form is too long, or holds what can't be stored; correct it."))


def discard_draft(*, actor: User, patient: Patient, place: Place) -> None:
    """Throw the actor's own draft away; that there is none is fine."""
    CrfDraft.objects.filter(owner=actor, **_key(patient, place)).delete()


def _key(patient: Patient, place: Place) -> dict[str, Any]:
    return {"patient": patient, "name": place.form, "visit": place.visit, "instance": place.instance}
