"""The API of the audit trail."""

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.accounts.access import require
from apps.accounts.policy import Permission
from apps.audit.forms import TrailFilter
from apps.audit.selectors import ShownEvent, chosen_events, page_of
from apps.core.errors import Refusal


class ChangeSerializer(serializers.Serializer[Any]):
    label = serializers.CharField()  # type: ignore[assignment]
    old = serializers.CharField(allow_blank=True)
    new = serializers.CharField(allow_blank=True)


class EventSerializer(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    at = serializers.DateTimeField()
    person = serializers.CharField(allow_null=True, help_text="User name; null for the platform itself.")
    name = serializers.CharField(allow_null=True)
    center = serializers.CharField(allow_null=True)
    study_id = serializers.CharField(allow_blank=True)
    action = serializers.CharField()
    sentence = serializers.CharField(help_text="The action in words.")
    kind = serializers.CharField(help_text="Kind of object, such as crf.crfform.")
    object_id = serializers.CharField()
    changes = ChangeSerializer(many=True)
    reason = serializers.CharField(allow_blank=True)
    digest = serializers.CharField(help_text="SHA-256 of the event's content; docs/reference/audit.md says of what.")


class TrailSerializer(serializers.Serializer[Any]):
    results = EventSerializer(many=True)
    next = serializers.URLField(allow_null=True, help_text="Address of the older events.")


def _parameter(name: str, help_text: str, kind: Any = OpenApiTypes.STR) -> OpenApiParameter:
    return OpenApiParameter(name, kind, description=help_text)


FILTERS = [
    _parameter("patient", "A study id."),
    _parameter("person", "Number of a user.", OpenApiTypes.INT),
    _parameter("action", "An action, such as save_form."),
    _parameter("kind", "A kind of object, such as crf.crfform."),
    _parameter("center", "Code of a center."),
    _parameter("since", "First day, in UTC.", OpenApiTypes.DATE),
    _parameter("until", "Last day, in UTC.", OpenApiTypes.DATE),
    _parameter("before", "Only what is older than the event of this number.", OpenApiTypes.INT),
]


class TrailView(APIView):
    @extend_schema(responses=TrailSerializer, parameters=FILTERS)
    def get(self, request: Request) -> Response:
        """Return the audit trail of the actor's centers, the newest events first."""
        require(request.user, Permission.VIEW_AUDIT)
        form = TrailFilter(request.user, request.query_params)
        if not form.is_valid():
            name, sentences = next(iter(form.errors.items()))
            raise Refusal("audit_filter", f"{name}: {' '.join(map(str, sentences))}")
        page = page_of(chosen_events(request.user, form.cleaned_data))
        following = None
        if page.has_older:
            query = request.query_params.copy()
            query["before"] = str(page.last)
            following = request.build_absolute_uri(f"?{query.urlencode()}")
        documents = [_document(shown) for shown in page.events]
        return Response(TrailSerializer({"results": documents, "next": following}).data)


def _document(shown: ShownEvent) -> dict[str, Any]:
    event = shown.event
    return {
        "id": event.pk, "at": event.at, "center": event.center.code if event.center else None,
        "person": event.actor.username if event.actor else None,
        "name": event.actor.full_name if event.actor else None,
        "study_id": shown.study_id, "action": event.action, "sentence": str(shown.action.sentence),
        "kind": event.object_type, "object_id": event.object_id, "changes": shown.changes, "reason": shown.reason,
        "digest": event.digest,
    }  # fmt: skip
