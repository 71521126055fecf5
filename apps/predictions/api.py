"""The API of a patient's scores and prediction."""

from typing import Any

from django.urls import reverse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.accounts.policy import Permission
from apps.patients.selectors import access_patient
from apps.predictions.models import Explanation
from apps.predictions.selectors import explanation_of, prognosis_of, scores_of


class PointsSerializer(serializers.Serializer[Any]):
    item = serializers.CharField()
    input = serializers.CharField()
    value = serializers.JSONField()
    points = serializers.IntegerField()


class ScoreSerializer(serializers.Serializer[Any]):
    key = serializers.CharField(source="definition.key")
    name = serializers.CharField(source="definition.name")
    citation = serializers.CharField(source="definition.citation")
    version = serializers.CharField(source="definition.version")
    higher_is_worse = serializers.BooleanField(source="definition.higher_is_worse")
    value = serializers.IntegerField(allow_null=True)
    missing = serializers.ListField(child=serializers.CharField(), source="result.missing", default=[])
    points = PointsSerializer(many=True, source="result.points", default=[])
    problem = serializers.CharField()


class ResultSerializer(serializers.Serializer[Any]):
    arm = serializers.CharField()
    split = serializers.CharField()
    fold = serializers.IntegerField(allow_null=True)
    probability = serializers.FloatField()


class PredictionSerializer(serializers.Serializer[Any]):
    arm = serializers.CharField()
    probability = serializers.FloatField(allow_null=True)
    per_fold = serializers.ListField(child=serializers.FloatField())
    gate_mean = serializers.FloatField(allow_null=True)
    missing = serializers.ListField(
        child=serializers.CharField(), help_text="Form variables for want of which the fusion model was not used."
    )
    series = serializers.IntegerField(source="series_id")
    tensor_sha256 = serializers.CharField(help_text="Of the preprocessed image that was used.")
    engine = serializers.CharField(help_text="What computed it: another engine's digits differ.")
    form_version = serializers.IntegerField()
    created_at = serializers.DateTimeField()
    state = serializers.CharField(source="job.state", allow_null=True)
    failure = serializers.CharField(source="job.failure", allow_null=True)


class PrognosisSerializer(serializers.Serializer[Any]):
    experiment = serializers.IntegerField(source="experiment.pk", allow_null=True, default=None)
    model_digest = serializers.CharField(source="experiment.model_digest", allow_null=True, default=None)
    results = ResultSerializer(many=True, help_text="By models that never saw this patient.")
    prediction = PredictionSerializer(allow_null=True)


class ContributionSerializer(serializers.Serializer[Any]):
    feature = serializers.CharField()
    value = serializers.JSONField(allow_null=True)
    logit = serializers.FloatField(help_text="Share of the log-odds; above 0 towards a poor outcome.")


class ExplanationSerializer(serializers.Serializer[Any]):
    experiment = serializers.IntegerField(source="experiment_id")
    model_digest = serializers.CharField(source="experiment.model_digest")
    arm = serializers.CharField()
    fold = serializers.IntegerField(allow_null=True, help_text="Whose models alone were explained; null for all.")
    probability = serializers.FloatField(help_text="The prognosis that is explained.")
    gate_mean = serializers.FloatField(allow_null=True, help_text="0 form alone, 1 image alone.")
    baseline_logit = serializers.FloatField(
        allow_null=True, help_text="Log-odds with the form of a typical training patient; the shares add up from here."
    )
    contributions = ContributionSerializer(many=True)
    method = serializers.CharField(help_text="How the map was made; empty until it is computed.")
    map = serializers.SerializerMethodField(help_text="Address of the map on the CT grid (NIfTI, 0 to 255).")
    slice_shares = serializers.ListField(
        child=serializers.FloatField(), help_text="Part of the map's mass on each slice, foot to head."
    )
    series = serializers.IntegerField(source="series_id")
    tensor_sha256 = serializers.CharField(help_text="Of the preprocessed image that was used.")
    form_version = serializers.IntegerField()
    created_at = serializers.DateTimeField()
    state = serializers.CharField(source="job.state", allow_null=True)
    failure = serializers.CharField(source="job.failure", allow_null=True)

    def get_map(self, explanation: Explanation) -> str | None:
        """Return the map's address, or None where there is none on the CT's present slices."""
        if not explanation.has_map:
            return None
        return reverse("predictions:explanation-map", args=[explanation.patient.study_id])


class ExplainedSerializer(serializers.Serializer[Any]):
    explanation = ExplanationSerializer(allow_null=True, help_text="Null until somebody has asked for it on the page.")


class PatientScores(APIView):
    @extend_schema(responses=ScoreSerializer(many=True))
    def get(self, request: Request, study_id: str) -> Response:
        """Return a patient's clinical scores with their points and what is missing."""
        patient = access_patient(request.user, study_id, Permission.VIEW_SCORES)
        return Response(ScoreSerializer(scores_of(patient), many=True).data)


class PatientPrognosis(APIView):
    @extend_schema(responses=PrognosisSerializer)
    def get(self, request: Request, study_id: str) -> Response:
        """Return the serving model's cross-validated results or prediction for a patient."""
        patient = access_patient(request.user, study_id, Permission.VIEW_PREDICTIONS)
        return Response(PrognosisSerializer(prognosis_of(patient)).data)


class PatientExplanation(APIView):
    @extend_schema(responses=ExplainedSerializer)
    def get(self, request: Request, study_id: str) -> Response:
        """Return what the models looked at for the prognosis that is shown."""
        patient = access_patient(request.user, study_id, Permission.VIEW_PREDICTIONS)
        found = explanation_of(patient, prognosis_of(patient))
        return Response(ExplainedSerializer({"explanation": found}).data)
