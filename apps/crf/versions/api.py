"""The API of versions of the dictionary."""

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.parsers import JSONParser, MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.accounts.access import get_visible, person, require, require_everywhere
from apps.accounts.policy import Permission
from apps.core.api import PROBLEM
from apps.crf.dictionary import load_dictionary
from apps.crf.services import REASON_LENGTH
from apps.crf.versions import services
from apps.crf.versions.impact import impact_of
from apps.crf.versions.models import DictionaryVersion
from apps.crf.versions.moves import read_moves
from apps.crf.versions.selectors import content_of, versions_visible_to

REFUSED = {(422, PROBLEM): OpenApiResponse(OpenApiTypes.OBJECT, "Why it is refused, in a sentence.")}


class DictionaryVersionSerializer(serializers.ModelSerializer[DictionaryVersion]):
    dictionary = serializers.CharField(source="dictionary_id", read_only=True)
    state = serializers.CharField(read_only=True, help_text=", ".join(DictionaryVersion.State.values))
    job_state = serializers.CharField(source="job.state", read_only=True)
    failure = serializers.CharField(source="job.failure", read_only=True)

    class Meta:
        model = DictionaryVersion
        fields: tuple[str, ...] = (
            "id",
            "dictionary",
            "state",
            "created_at",
            "published_at",
            "reason",
            "job_state",
            "failure",
        )


class DictionaryVersionDetailSerializer(DictionaryVersionSerializer):
    impact = serializers.SerializerMethodField()
    blocks = serializers.SerializerMethodField()

    class Meta(DictionaryVersionSerializer.Meta):
        fields = (*DictionaryVersionSerializer.Meta.fields, "notes", "moves", "impact", "blocks", "content")

    def to_representation(self, instance: DictionaryVersion) -> Any:
        is_draft = instance.state == DictionaryVersion.State.DRAFT
        self._found = _impact(instance) if is_draft else (instance.impact, [])
        return super().to_representation(instance)

    @extend_schema_field(OpenApiTypes.OBJECT)
    def get_impact(self, _version: DictionaryVersion) -> dict[str, Any]:
        """What publishing does to the stored values: counts."""
        return self._found[0]

    @extend_schema_field({"type": "array", "items": {"type": "string"}})
    def get_blocks(self, _version: DictionaryVersion) -> list[str]:
        """Sentences on what stands in the way of publishing."""
        return self._found[1]


def _impact(version: DictionaryVersion) -> tuple[dict[str, Any], list[str]]:
    old, new = load_dictionary(), content_of(version)
    found = impact_of(old, new, read_moves(version.moves, old, new))
    return found.as_data(), found.blocks


class DraftSerializer(serializers.Serializer[Any]):
    file = serializers.FileField(allow_empty_file=True, help_text="YAML, or a REDCap data dictionary (CSV).")


class MovesSerializer(serializers.Serializer[Any]):
    moves = serializers.DictField(
        help_text="Variable -> {source, recode: {old: new}, factor, set_aside}; takes the place of all rules."
    )


class PublishSerializer(serializers.Serializer[Any]):
    reason = serializers.CharField(max_length=REASON_LENGTH)


class VersionList(APIView):
    parser_classes = (MultiPartParser,)

    @extend_schema(operation_id="dictionary_versions_list", responses=DictionaryVersionSerializer(many=True))
    def get(self, request: Request) -> Response:
        """Return the versions of the dictionary, the newest first; the shipped one has no row."""
        require(request.user, Permission.VIEW_CODEBOOK)
        return Response(DictionaryVersionSerializer(versions_visible_to(request.user), many=True).data)

    @extend_schema(
        request={"multipart/form-data": DraftSerializer}, responses={201: DictionaryVersionDetailSerializer, **REFUSED}
    )
    def post(self, request: Request) -> Response:
        """Make a file the draft of the next version; an earlier draft is discarded."""
        require_everywhere(request.user, Permission.MANAGE_DICTIONARY)
        body = DraftSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        content = body.validated_data["file"].read()
        draft = services.draft_version(actor=person(request.user), content=content)
        return Response(DictionaryVersionDetailSerializer(draft).data, status=201)


class VersionDetail(APIView):
    parser_classes = (JSONParser,)

    @extend_schema(responses=DictionaryVersionDetailSerializer)
    def get(self, request: Request, version_id: int) -> Response:
        """Return a version with its rules, and what publishing it does."""
        return Response(DictionaryVersionDetailSerializer(_version(request, version_id)).data)

    @extend_schema(request=MovesSerializer, responses={200: DictionaryVersionDetailSerializer, **REFUSED})
    def put(self, request: Request, version_id: int) -> Response:
        """Set the rules of a draft."""
        version = _version(request, version_id)
        body = MovesSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        draft = services.set_moves(
            actor=person(request.user), version=version, moves=body.validated_data["moves"]
        )  # fmt: skip
        return Response(DictionaryVersionDetailSerializer(draft).data)

    @extend_schema(responses={204: None, **REFUSED})
    def delete(self, request: Request, version_id: int) -> Response:
        """Discard a draft."""
        services.discard_draft_version(actor=person(request.user), version=_version(request, version_id))
        return Response(status=204)


class VersionPublish(APIView):
    @extend_schema(request=PublishSerializer, responses={202: DictionaryVersionSerializer, **REFUSED})
    def post(self, request: Request, version_id: int) -> Response:
        """Publish a draft: every form is moved, or nothing changes."""
        version = _version(request, version_id)
        body = PublishSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        started = services.publish_version(
            actor=person(request.user), version=version, reason=body.validated_data["reason"]
        )  # fmt: skip
        return Response(DictionaryVersionSerializer(started).data, status=202)


def _version(request: Request, version_id: int) -> DictionaryVersion:
    return get_visible(versions_visible_to(request.user), pk=version_id)
