"""A version step by step: sent as a draft, given its rules, published; each step of a person leaves its row."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.accounts.access import require_everywhere
from apps.accounts.models import User
from apps.accounts.policy import Permission
from apps.audit.chain import sha256_of
from apps.audit.services import record
from apps.core.errors import Conflict, Refusal
from apps.core.models import Job
from apps.crf.dictionary import Dictionary, load_dictionary
from apps.crf.models import CrfForm, Query
from apps.crf.places import MAIN
from apps.crf.rules import completeness
from apps.crf.services import REASON_LENGTH, store
from apps.crf.values import RefusedValueError, clean_text
from apps.crf.versions.current import ask_by, dictionary_of, forget_published, hold_saves, published_id
from apps.crf.versions.impact import Impact, impact_of
from apps.crf.versions.models import DictionaryVersion
from apps.crf.versions.moves import Moves, as_data, form_of, read_moves
from apps.crf.versions.moving import Mover
from apps.crf.versions.reading import read_file
from apps.crf.versions.selectors import content_of

if TYPE_CHECKING:
    from apps.core.jobs import JobHandle

State = DictionaryVersion.State
_CHUNK = 200


@transaction.atomic
def draft_version(*, actor: User, content: bytes) -> DictionaryVersion:
    """Keep a file as the draft of the next version; an earlier draft is discarded."""
    require_everywhere(actor, Permission.MANAGE_DICTIONARY)
    current = load_dictionary()
    number = int(current.version) + 1
    read = read_file(content, name=current.name, version=number)
    for earlier in DictionaryVersion.objects.select_for_update().filter(state=State.DRAFT):
        _discard(actor, earlier)
    try:
        with transaction.atomic():
            draft = DictionaryVersion.objects.create(
                name=current.name, number=number, content=read.dictionary.as_data(), notes=list(read.notes),
                created_by=actor,
            )  # fmt: skip
    except IntegrityError:
        raise Conflict(
            "dictionary_busy", _("Another draft has just been made, or is being published. Look at it first.")
        ) from None
    record(actor=actor, action="draft_dictionary", target=draft, changes={"version": [None, draft.dictionary_id]})
    return draft


@transaction.atomic
def set_moves(*, actor: User, version: DictionaryVersion, moves: Any) -> DictionaryVersion:
    """Keep the rules by which stored values are moved."""
    draft = _locked(actor, version)
    found = read_moves(moves, load_dictionary(), content_of(draft))
    if as_data(found) != draft.moves:
        draft.moves = as_data(found)
        draft.save(update_fields=["moves"])
        record(actor=actor, action="rule_dictionary", target=draft, changes={"rules": [None, len(found)]})
    return draft


@transaction.atomic
def discard_draft_version(*, actor: User, version: DictionaryVersion) -> None:
    """Give a draft up."""
    _discard(actor, _locked(actor, version))


def _discard(actor: User, draft: DictionaryVersion) -> None:
    draft.state = State.DISCARDED
    draft.save(update_fields=["state"])
    record(actor=actor, action="discard_dictionary", target=draft, changes={"version": [draft.dictionary_id, None]})


@transaction.atomic
def publish_version(*, actor: User, version: DictionaryVersion, reason: str) -> DictionaryVersion:
    """Have a draft published by a worker: all values are moved in one go, or nothing changes."""
    from apps.crf.versions.tasks import publish

    draft = _locked(actor, version)
    try:
        why = clean_text(reason, REASON_LENGTH)
    except RefusedValueError as error:
        raise Refusal("dictionary_reason", str(error)) from error
    if not why:
        raise Refusal("dictionary_reason", _("Say why the forms change; people read it beside every moved value."))
    _refuse_blocked(impact_of(*_both(draft)))
    draft.state, draft.reason, draft.published_by = State.PUBLISHING, why, actor
    draft.job = publish.enqueue(version_id=draft.pk)
    draft.save(update_fields=["state", "reason", "published_by", "job"])
    return draft


def perform_publication(job: JobHandle, version: DictionaryVersion) -> None:
    """Move every form and publish, in one transaction; what is refused is a draft again."""
    if version.state != State.PUBLISHING:
        return
    job.report(_("Moving the forms: all of them, or nothing"), 0.1)
    try:
        with transaction.atomic():
            _publish(version)
    except BaseException as error:
        forget_published()  # what was read on the way may never have been
        if isinstance(error, Refusal):
            DictionaryVersion.objects.filter(pk=version.pk, state=State.PUBLISHING).update(state=State.DRAFT)
        raise


def _publish(version: DictionaryVersion) -> None:
    hold_saves()
    draft = DictionaryVersion.objects.select_for_update().get(pk=version.pk)
    actor = version.published_by
    if actor is None or draft.state != State.PUBLISHING:
        raise Conflict("dictionary_state", _("Only a draft can be published."))
    require_everywhere(actor, Permission.MANAGE_DICTIONARY)
    old, new, moves = _both(draft)
    found = impact_of(old, new, moves)
    _refuse_blocked(found)
    draft.state, draft.impact, draft.published_at = State.PUBLISHED, found.as_data(), timezone.now()
    draft.save(update_fields=["state", "impact", "published_at"])
    record(
        actor=actor, action="publish_dictionary", target=draft, reason=draft.reason, at=draft.published_at,
        changes={
            "version": [old.id, new.id], "forms": [None, found.touched], "sha256": [None, sha256_of(draft.content)],
        },
    )  # fmt: skip
    ask_by(new)
    _rename_queries(new, moves)
    _move_forms(actor, Mover(old, new, moves), draft.reason)


def _rename_queries(new: Dictionary, moves: Moves) -> None:
    """Let a query stay with its variable, so that a correction finds it and its rule opens no second one."""
    for name, move in moves.items():
        if move.source:
            form = form_of(new, name) or MAIN
            Query.objects.filter(variable=move.source, form__name=form).update(variable=name)


def _move_forms(actor: User, mover: Mover, reason: str) -> None:
    for form in _locked_forms():
        _old, questions = mover.questions(form.name)
        if questions is None:
            continue  # nothing is entered in it, or it would have been refused
        moved = mover.move(form.name, form.answers)
        changed = moved.changes(form.answers)
        complete = completeness(questions, moved.answers).is_complete
        if changed:
            store(
                actor=actor, form=form, questions=questions, changed=changed, reason=reason, action="migrate_form"
            )  # fmt: skip
        elif complete != form.is_complete:
            CrfForm.objects.filter(pk=form.pk).update(is_complete=complete)


def _locked_forms() -> Iterator[CrfForm]:
    keys = list(CrfForm.objects.order_by("pk").values_list("pk", flat=True))
    for start in range(0, len(keys), _CHUNK):
        chunk = CrfForm.objects.select_for_update(of=("self",)).select_related("patient__center")
        yield from chunk.filter(pk__in=keys[start : start + _CHUNK]).order_by("pk")


def _locked(actor: User, version: DictionaryVersion) -> DictionaryVersion:
    """Return a draft anew under its lock; one whose publication failed is a draft."""
    require_everywhere(actor, Permission.MANAGE_DICTIONARY)
    draft = DictionaryVersion.objects.select_for_update(of=("self",)).select_related("job").get(pk=version.pk)
    failed = draft.state == State.PUBLISHING and draft.job is not None and draft.job.state == Job.State.FAILED
    if draft.state != State.DRAFT and not failed:
        raise Conflict("dictionary_state", _("This version is no draft, so it can't be changed. Send a new one."))
    if failed:
        draft.state = State.DRAFT
        draft.save(update_fields=["state"])
    return draft


def _both(draft: DictionaryVersion) -> tuple[Dictionary, Dictionary, Moves]:
    """Return the version in force, the draft, and its rules; Conflict for a draft of an earlier version."""
    old = dictionary_of(published_id())
    if draft.number != int(old.version) + 1:
        raise Conflict("dictionary_old", _("Another version was published meanwhile. Send this one again as a draft."))
    new = content_of(draft)
    return old, new, read_moves(draft.moves, old, new)


def _refuse_blocked(found: Impact) -> None:
    if found.blocks:
        raise Refusal("dictionary_blocked", " ".join(found.blocks))
