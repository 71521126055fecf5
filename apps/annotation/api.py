"""The API of a patient's hematoma masks."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.accounts.access import person
from apps.accounts.policy import Permission
from apps.annotation import services
from apps.annotation.models import Mask
from apps.annotation.selectors import masks_visible_to
from apps.annotation.uploads import mask_content, series_for_mask
from apps.patients.selectors import access_patient


class MaskSerializer(serializers.ModelSerializer[Mask]):
    class Meta:
        model = Mask
        fields = ("version", "series", "volume_ml", "abc2_ml", "sha256", "uploaded_at")


class MaskUploadSerializer(serializers.Serializer[Any]):
    file = serializers.FileField(
        help_text="NIfTI (.nii, .nii.gz), NRRD (.nrrd, .seg.nrrd of one layer) or MetaImage (.mha) on the grid of the "
        "patient's CT, as ITK-SNAP and 3D Slicer save it."
    )


class MaskList(APIView):
    parser_classes = (MultiPartParser,)

    @extend_schema(responses=MaskSerializer(many=True))
    def get(self, request: Request, study_id: str) -> Response:
        """List the versions of a patient's masks, newest first."""
        patient = access_patient(request.user, study_id, Permission.VIEW_IMAGING)
        found = masks_visible_to(request.user).filter(patient=patient).order_by("-uploaded_at")
        return Response(MaskSerializer(found, many=True).data)

    @extend_schema(request={"multipart/form-data": MaskUploadSerializer}, responses={201: MaskSerializer})
    def post(self, request: Request, study_id: str) -> Response:
        """Add a mask version to the patient's current CT."""
        patient = access_patient(request.user, study_id, Permission.UPLOAD_MASK)
        content = mask_content(request._request)
        mask = services.receive_mask(actor=person(request.user), series=series_for_mask(patient), content=content)
        return Response(MaskSerializer(mask).data, status=201)
