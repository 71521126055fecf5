"""Reading versions: those that are published are everybody's who reads the codebook; drafts are their makers'."""

import json

from django.db.models import QuerySet

from apps.accounts.access import Actor, has_permission, has_permission_everywhere
from apps.accounts.policy import Permission
from apps.crf.dictionary import Dictionary, dictionary_from_json
from apps.crf.versions.models import DictionaryVersion

State = DictionaryVersion.State


def versions_visible_to(actor: Actor) -> QuerySet[DictionaryVersion]:
    """Return the versions that the actor may see, the newest first."""
    rows = DictionaryVersion.objects.select_related("created_by", "published_by", "job")
    if has_permission_everywhere(actor, Permission.MANAGE_DICTIONARY):
        return rows.exclude(state=State.DISCARDED)
    return rows.filter(state=State.PUBLISHED) if has_permission(actor, Permission.VIEW_CODEBOOK) else rows.none()


def content_of(version: DictionaryVersion) -> Dictionary:
    """Return the dictionary of a version, draft or not."""
    return dictionary_from_json(json.dumps(version.content))
