"""The API of a patient's CT series."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.accounts.policy import Permission
from apps.imaging.models import Series
from apps.imaging.selectors import access_series, series_visible_to
from apps.imaging.views import receipt_json, receive_request
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
    gaps_mm = serializers.SerializerMethodField(help_text="Runs of equal gaps: [count, millimeters].")
    tilt_degrees = serializers.SerializerMethodField()
    study_instance_uid = serializers.CharField(source="study.study_instance_uid")
    geometry = serializers.SerializerMethodField(help_text="pass, warn or fail; nothing goes on with a failed one.")
    findings = FindingSerializer(many=True)
    job = JobSerializer(allow_null=True)

    class Meta:
        model = Series
        fields = (
            "id",
            "patient",
            "study_instance_uid",
            "series_instance_uid",
            "modality",
            "description",
            "instance_count",
            "is_chosen",
            "state",
            "geometry",
            "uploaded_at",
            "slices",
            "gaps_mm",
            "tilt_degrees",
            "preprocessing_version",
            "findings",
            "job",
        )

    def get_gaps_mm(self, series: Series) -> list[list[float]]:
        return list(series.geometry.get("gaps", []))

    def get_tilt_degrees(self, series: Series) -> float | None:
        tilt = series.geometry.get("tilt_degrees")
        return None if tilt is None else float(tilt)

    def get_geometry(self, series: Series) -> str:
        return str(series.geometry_report.get("level", ""))


class SeriesUploadSerializer(serializers.Serializer[Any]):
    files = serializers.ListField(
        child=serializers.FileField(), help_text="DICOM files of one person's CT, or one ZIP file of them."
    )
    confirmed = serializers.BooleanField(
        required=False, help_text="The answer to other_person: the scan is this patient's."
    )
    more = serializers.ChoiceField(
        choices=["0", "1"], required=False, help_text="Sent in parts: 1 with each part but the last, 0 with the last."
    )


class OutcomeSerializer(serializers.Serializer[Any]):
    number = serializers.IntegerField(help_text="Place of the file in the request, from 1.")
    status = serializers.ChoiceField(choices=["stored", "known", "held", "left_out", "refused"])
    code = serializers.CharField()
    sentence = serializers.CharField()


class ReceiptSerializer(serializers.Serializer[Any]):
    counts = serializers.DictField(child=serializers.IntegerField())
    outcomes = OutcomeSerializer(many=True)
    series = serializers.ListField(child=serializers.IntegerField())


class SeriesList(APIView):
    parser_classes = (MultiPartParser,)

    @extend_schema(responses=SeriesSerializer(many=True))
    def get(self, request: Request, study_id: str) -> Response:
        """List a patient's CT series, newest first."""
        patient = access_patient(request.user, study_id, Permission.VIEW_IMAGING)
        found = series_visible_to(request.user).filter(patient=patient).select_related("patient", "study", "job")
        return Response(SeriesSerializer(found, many=True).data)

    @extend_schema(
        request={"multipart/form-data": SeriesUploadSerializer},
        responses={201: ReceiptSerializer, 200: ReceiptSerializer},
    )
    def post(self, request: Request, study_id: str) -> Response:
        """Store images of a CT, whole or in parts; identity is removed before anything is written."""
        patient = access_patient(request.user, study_id, Permission.UPLOAD_CT)
        receipt = receive_request(request._request, patient)
        return Response(receipt_json(receipt), status=201 if receipt.series else 200)


class SeriesDetail(APIView):
    @extend_schema(responses=SeriesSerializer)
    def get(self, request: Request, study_id: str, series_id: int) -> Response:
        """Return one series with the state of its preprocessing."""
        return Response(SeriesSerializer(access_series(request.user, study_id, series_id)).data)
