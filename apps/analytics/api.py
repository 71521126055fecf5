"""The dashboard's numbers by API."""

from typing import Any

from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.analytics.analysis import PATIENT_SETS, PREDICTORS, finite
from apps.analytics.selectors import dashboard_visible_to
from apps.core.errors import Refusal

PROBLEMS = ("", "no_patients", "one_class", "too_few")
KEYS = [predictor.key for predictor in PREDICTORS]
Plain = serializers.Serializer[Any]


class FiniteField(serializers.FloatField):
    """A number; null where the figure is not defined on these patients."""

    def __init__(self) -> None:
        super().__init__(allow_null=True)

    def to_representation(self, value: Any) -> float | None:  # type: ignore[override]
        return finite(float(value))


class FlowSerializer(Plain):
    enrolled = serializers.IntegerField()
    exclusions = serializers.DictField(child=serializers.IntegerField(), help_text="Patients left out, by reason.")
    included = serializers.IntegerField()
    included_poor = serializers.IntegerField()
    outside = serializers.IntegerField(help_text="Included patients of the set that was not asked for.")
    without_result = serializers.IntegerField(help_text="Included patients whom the experiment did not predict.")
    incomplete = serializers.IntegerField(help_text="Patients of the set who lack a predictor, so left out everywhere.")
    compared = serializers.IntegerField()
    compared_poor = serializers.IntegerField()


class ScoreValueSerializer(Plain):
    value = serializers.IntegerField()
    n = serializers.IntegerField()
    poor = serializers.IntegerField()
    rate = serializers.FloatField(allow_null=True)
    low = serializers.FloatField(allow_null=True)
    high = serializers.FloatField(allow_null=True)


class DistributionSerializer(Plain):
    key = serializers.CharField()
    name = serializers.CharField()
    rows = ScoreValueSerializer(many=True)
    blank = serializers.IntegerField()


class AreaSerializer(Plain):
    value = serializers.FloatField()
    se = FiniteField()
    low = serializers.FloatField()
    high = serializers.FloatField()
    method = serializers.ChoiceField(choices=["DeLong", "exact"])


class RocPointSerializer(Plain):
    fpr = serializers.FloatField()
    tpr = serializers.FloatField()
    threshold = serializers.FloatField(allow_null=True)


class ProportionSerializer(Plain):
    value = FiniteField()
    low = FiniteField()
    high = FiniteField()
    method = serializers.CharField()


class AccuracySerializer(Plain):
    sensitivity = ProportionSerializer()
    specificity = ProportionSerializer()
    ppv = ProportionSerializer()
    npv = ProportionSerializer()
    accuracy = ProportionSerializer()
    tp = serializers.IntegerField()
    fp = serializers.IntegerField()
    tn = serializers.IntegerField()
    fn = serializers.IntegerField()


class PredictorSerializer(Plain):
    key = serializers.ChoiceField(choices=KEYS)
    area = AreaSerializer()
    curve = RocPointSerializer(many=True)
    threshold = serializers.FloatField()
    cut_source = serializers.ChoiceField(choices=["declared", "cross_validation", "same_patients"])
    accuracy = AccuracySerializer()


class ComparisonSerializer(Plain):
    a = serializers.CharField(help_text="Key of a predictor.")
    b = serializers.CharField(help_text="Key of a predictor.")
    difference = serializers.FloatField(help_text="AUC of a minus AUC of b.")
    low = serializers.FloatField()
    high = serializers.FloatField()
    z = serializers.FloatField(allow_null=True)
    p = serializers.FloatField()
    n = serializers.IntegerField()


class CenterSerializer(Plain):
    code = serializers.CharField()
    n = serializers.IntegerField()
    poor = serializers.IntegerField()
    problem = serializers.ChoiceField(choices=PROBLEMS)
    areas = serializers.DictField(child=AreaSerializer())


class AnalysisSerializer(Plain):
    patients = serializers.ChoiceField(choices=PATIENT_SETS)
    centers = serializers.ListField(child=serializers.CharField())
    flow = FlowSerializer()
    distributions = DistributionSerializer(many=True)
    problem = serializers.ChoiceField(choices=PROBLEMS)
    predictors = PredictorSerializer(many=True)
    comparisons = ComparisonSerializer(many=True)
    by_center = CenterSerializer(many=True)


class DashboardSerializer(Plain):
    experiment = serializers.IntegerField(source="experiment.pk")
    experiment_name = serializers.CharField(source="experiment.name")
    snapshot = serializers.CharField(source="experiment.snapshot.digest")
    finished_at = serializers.DateTimeField(source="experiment.finished_at")
    analysis = AnalysisSerializer()


class AnalysisDetail(APIView):
    @extend_schema(
        parameters=[
            OpenApiParameter("center", str, description="Code of one center; absent: all that you may see."),
            OpenApiParameter("patients", str, enum=PATIENT_SETS, default=PATIENT_SETS[0]),
        ],
        responses=DashboardSerializer,
    )
    def get(self, request: Request) -> Response:
        """Return what the dashboard shows: score distributions, ROC curves, AUCs and paired tests."""
        query = request.query_params
        shown = dashboard_visible_to(request.user, center=query.get("center", ""), patients=query.get("patients", ""))
        if shown.analysis is None:
            raise Refusal(
                "no_experiment",
                _("No model is in service. Start an experiment, or promote the model of a finished one."),
                status=409,
            )
        return Response(DashboardSerializer(shown).data)
