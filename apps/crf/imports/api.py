"""The API of imports."""

from typing import Any

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.accounts.access import get_visible, person, require
from apps.accounts.policy import Permission
from apps.core.api import PROBLEM
from apps.crf.imports import services
from apps.crf.imports.models import Dates, Encoding, Import
from apps.crf.imports.selectors import imports_visible_to
from apps.crf.imports.views import report_response
from apps.crf.services import REASON_LENGTH

REFUSED = {(422, PROBLEM): OpenApiResponse(OpenApiTypes.OBJECT, "Why it is refused, in a sentence.")}


class CellFindingSerializer(serializers.Serializer[Any]):
    row = serializers.IntegerField(help_text="As a spreadsheet shows it; 0: the file as a whole.")
    column = serializers.CharField()
    value = serializers.CharField(help_text="As typed, shortened.")
    sentence = serializers.CharField()


class ImportReportSerializer(serializers.Serializer[Any]):
    rows = serializers.IntegerField()
    patients = serializers.IntegerField()
    new = serializers.IntegerField()
    changed = serializers.IntegerField()
    unchanged = serializers.IntegerField()
    cleared = serializers.IntegerField(help_text="Cleared, because they no longer apply with what the file says.")
    blank = serializers.IntegerField(help_text="Blank cells: what is saved stays.")
    refused = serializers.IntegerField()
    to_check = serializers.IntegerField()
    needs_reason = serializers.BooleanField()
    moved = serializers.BooleanField(help_text="The forms changed after the check, so nothing was imported.")
    sheet = serializers.CharField()
    faults = CellFindingSerializer(many=True)
    warnings = CellFindingSerializer(many=True)


class ImportSerializer(serializers.ModelSerializer[Import]):
    job_state = serializers.CharField(source="job.state", read_only=True)
    failure = serializers.CharField(source="job.failure", read_only=True)
    report = serializers.SerializerMethodField()

    class Meta:
        model = Import
        fields = ("id", "created_at", "state", "job_state", "failure", "sha256", "report")

    @extend_schema_field(ImportReportSerializer(allow_null=True))
    def get_report(self, found: Import) -> dict[str, Any] | None:
        return dict(ImportReportSerializer(found.report).data) if found.report else None


class ImportStartSerializer(serializers.Serializer[Any]):
    file = serializers.FileField(allow_empty_file=True, help_text="CSV or .xlsx.")
    dates = serializers.ChoiceField(choices=Dates.choices, default=Dates.ISO)
    encoding = serializers.ChoiceField(choices=Encoding.choices, default=Encoding.UTF8)
    dry_run = serializers.BooleanField(
        default=True, help_text="False: imported right after the check, if nothing is refused."
    )
    reason = serializers.CharField(
        required=False, allow_blank=True, default="", max_length=REASON_LENGTH,
        help_text="Why; needed where the file changes values that had been saved before.",
    )  # fmt: skip


class ImportRunSerializer(serializers.Serializer[Any]):
    reason = serializers.CharField(required=False, allow_blank=True, default="", max_length=REASON_LENGTH)


class ImportList(APIView):
    parser_classes = (MultiPartParser,)

    @extend_schema(operation_id="imports_list", responses=ImportSerializer(many=True))
    def get(self, request: Request) -> Response:
        """Return your imports, newest first."""
        require(request.user, Permission.IMPORT_CRF)
        return Response(ImportSerializer(imports_visible_to(request.user)[:50], many=True).data)

    @extend_schema(request={"multipart/form-data": ImportStartSerializer}, responses={202: ImportSerializer, **REFUSED})
    def post(self, request: Request) -> Response:
        """Have a file checked, and imported right after if `dry_run` is false and nothing is refused."""
        require(request.user, Permission.IMPORT_CRF)
        body = ImportStartSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        wanted = dict(body.validated_data)
        content = wanted.pop("file").read()
        found = services.start_import(actor=person(request.user), content=content, **wanted)
        return Response(ImportSerializer(found).data, status=202)


class ImportDetail(APIView):
    @extend_schema(responses=ImportSerializer)
    def get(self, request: Request, import_id: int) -> Response:
        """Return one of your imports: how far it is, and the report of its check."""
        return Response(ImportSerializer(get_visible(imports_visible_to(request.user), pk=import_id)).data)


class ImportRun(APIView):
    @extend_schema(request=ImportRunSerializer, responses={202: ImportSerializer, **REFUSED})
    def post(self, request: Request, import_id: int) -> Response:
        """Import a file that was checked and has nothing refused: all of it, or nothing."""
        found = get_visible(imports_visible_to(request.user), pk=import_id)
        body = ImportRunSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        started = services.run_import(actor=person(request.user), found=found, **body.validated_data)
        return Response(ImportSerializer(started).data, status=202)


class ImportReport(APIView):
    @extend_schema(responses={(200, "text/csv"): OpenApiTypes.STR})
    def get(self, request: Request, import_id: int) -> HttpResponse:
        """Return the report as CSV."""
        return report_response(get_visible(imports_visible_to(request.user), pk=import_id))
