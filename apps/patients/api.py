"""The API of patients."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.accounts.access import centers_with, get_visible, person, require
from apps.accounts.policy import Permission
from apps.patients.models import Patient
from apps.patients.selectors import access_patient, patients_visible_to
from apps.patients.services import enroll_patient


class PatientSerializer(serializers.ModelSerializer[Patient]):
    center = serializers.CharField(source="center.code")

    class Meta:
        model = Patient
        fields = ("study_id", "center", "enrolled_at")


class EnrollSerializer(serializers.Serializer[Any]):
    center = serializers.CharField(max_length=8, help_text="Code of the center, such as C1.")


class PatientList(generics.ListAPIView[Patient]):
    """List the patients of the actor's centers, in the order of their study ids."""

    serializer_class = PatientSerializer

    def get_queryset(self) -> QuerySet[Patient]:
        require(self.request.user, Permission.VIEW_PATIENTS)
        return patients_visible_to(self.request.user)

    @extend_schema(request=EnrollSerializer, responses={201: PatientSerializer})
    def post(self, request: Request) -> Response:
        """Enroll one patient."""
        require(request.user, Permission.ENROLL)
        body = EnrollSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        centers = centers_with(request.user, Permission.ENROLL)
        center = get_visible(centers, code=body.validated_data["center"])
        return Response(PatientSerializer(enroll_patient(actor=person(request.user), center=center)).data, status=201)


class PatientDetail(APIView):
    @extend_schema(responses=PatientSerializer)
    def get(self, request: Request, study_id: str) -> Response:
        """Return one patient."""
        return Response(PatientSerializer(access_patient(request.user, study_id)).data)
