"""The API of a patient's CT series."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.accounts.access import person
from apps.accounts.policy import Permission
from apps.core.uploads import uploaded_files
from apps.imaging import services
from apps.imaging.archive import unpack
from apps.imaging.models import Series
from apps.imaging.selectors import access_series, series_visible_to
from apps.patients.selectors import access_patient


class JobSerializer(serializers.Serializer[Any]):
    state = serializers.CharField()
    stage = serializers.CharField()
    progress = serializers.FloatField()
    attempt = serializers.IntegerField()
    failure = serializers.CharField()


class FindingSerializer(serializers.Serializer[Any]):
    code = serializers.CharField()
    level = serializers.ChoiceField(choices=["info", "warn", "fail"])
    sentence = serializers.CharField()


class SeriesSerializer(serializers.ModelSerializer[Series]):
    patient = serializers.CharField(source="patient.study_id")
    slices = serializers.IntegerField(source="slice_count")
    gaps_mm = serializers.JSONField(source="geometry.gaps", help_text="Runs of equal gaps: [count, millimeters].")
    tilt_degrees = serializers.FloatField(source="geometry.tilt_degrees")
    findings = FindingSerializer(many=True)
    job = JobSerializer(allow_null=True)

    class Meta:
        model = Series
        fields = (
            "id",
            "patient",
            "series_instance_uid",
            "state",
            "uploaded_at",
            "slices",
            "gaps_mm",
            "tilt_degrees",
            "preprocessing_version",
            "findings",
            "job",
        )


class SeriesUploadSerializer(serializers.Serializer[Any]):
    files = serializers.ListField(
        child=serializers.FileField(), help_text="The DICOM files of one CT series, or one ZIP file of them."
    )


class SeriesList(APIView):
    parser_classes = (MultiPartParser,)

    @extend_schema(responses=SeriesSerializer(many=True))
    def get(self, request: Request, study_id: str) -> Response:
        """List a patient's CT series, newest first."""
        patient = access_patient(request.user, study_id, Permission.VIEW_IMAGING)
        found = series_visible_to(request.user).filter(patient=patient).select_related("patient", "job")
        return Response(SeriesSerializer(found, many=True).data)

    @extend_schema(request={"multipart/form-data": SeriesUploadSerializer}, responses={201: SeriesSerializer})
    def post(self, request: Request, study_id: str) -> Response:
        """Store one CT series; identity is removed before anything is written."""
        patient = access_patient(request.user, study_id, Permission.UPLOAD_CT)
        files = unpack(uploaded_files(request._request, "files"))
        series = services.receive_series(actor=person(request.user), patient=patient, files=files)
        return Response(SeriesSerializer(series).data, status=201)


class SeriesDetail(APIView):
    @extend_schema(responses=SeriesSerializer)
    def get(self, request: Request, study_id: str, series_id: int) -> Response:
        """Return one series with the state of its preprocessing."""
        return Response(SeriesSerializer(access_series(request.user, study_id, series_id)).data)
