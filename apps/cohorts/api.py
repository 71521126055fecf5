"""The API of exports."""

from typing import Any

from django.db.models import QuerySet
from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.accounts.access import get_visible, person, require
from apps.accounts.policy import Permission
from apps.cohorts.exports.selectors import exports_visible_to
from apps.cohorts.exports.services import request_export
from apps.cohorts.models import Export
from apps.cohorts.views import archive_response


class ExportSerializer(serializers.ModelSerializer[Export]):
    state = serializers.CharField(source="job.state", allow_null=True, read_only=True)
    failure = serializers.CharField(source="job.failure", allow_null=True, read_only=True)

    class Meta:
        model = Export
        fields = (
            "id", "created_at", "centers", "purpose", "language", "state", "failure", "patient_count", "size", "sha256",
        )  # fmt: skip


class RequestSerializer(serializers.Serializer[Any]):
    purpose = serializers.CharField(max_length=300, help_text="What the data are for; stands in the audit trail.")
    centers = serializers.ListField(
        child=serializers.CharField(max_length=20), default=list, help_text="Codes of centers; none: all of yours."
    )


class ExportList(generics.ListAPIView[Export]):
    """Your own exports, newest first."""

    serializer_class = ExportSerializer

    def get_queryset(self) -> QuerySet[Export]:
        require(self.request.user, Permission.EXPORT_DATA)
        return exports_visible_to(self.request.user)

    @extend_schema(request=RequestSerializer, responses={201: ExportSerializer})
    def post(self, request: Request) -> Response:
        """Queue an export of forms, volumes, scores and outcomes: CSV, Excel, SPSS and JSON in one ZIP."""
        require(request.user, Permission.EXPORT_DATA)
        body = RequestSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        wanted = body.validated_data
        export = request_export(actor=person(request.user), purpose=wanted["purpose"], centers=wanted["centers"])
        return Response(ExportSerializer(export).data, status=201)


class ExportDetail(APIView):
    @extend_schema(responses=ExportSerializer)
    def get(self, request: Request, export_id: int) -> Response:
        """Return one of your exports."""
        return Response(ExportSerializer(get_visible(exports_visible_to(request.user), pk=export_id)).data)


class ExportFile(APIView):
    @extend_schema(responses={(200, "application/zip"): OpenApiTypes.BINARY})
    def get(self, request: Request, export_id: int) -> HttpResponse:
        """Return the ZIP of an export that is ready."""
        return archive_response(request, get_visible(exports_visible_to(request.user), pk=export_id))
