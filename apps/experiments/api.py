"""The API of experiments."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.accounts.access import get_visible, person, require, require_everywhere
from apps.accounts.policy import Permission
from apps.experiments.models import Experiment
from apps.experiments.presets import CHOICES, DESIGNS, config_of
from apps.experiments.progress import progress_of
from apps.experiments.selectors import experiments_visible_to
from apps.experiments.services import start_experiment


class ExperimentSerializer(serializers.ModelSerializer[Experiment]):
    snapshot = serializers.CharField(source="snapshot.digest")
    state = serializers.SerializerMethodField()
    stage = serializers.SerializerMethodField()
    progress = serializers.SerializerMethodField(help_text="0 to 1, of the whole run.")
    failure = serializers.SerializerMethodField()
    serves = serializers.SerializerMethodField(help_text="Whether this run's model is in service.")

    class Meta:
        model = Experiment
        fields = (
            "id",
            "name",
            "snapshot",
            "config",
            "state",
            "stage",
            "progress",
            "failure",
            "metrics",
            "model_digest",
            "card",
            "serves",
            "created_at",
            "finished_at",
        )

    def get_state(self, experiment: Experiment) -> str:
        return progress_of(experiment).state

    def get_stage(self, experiment: Experiment) -> str:
        return progress_of(experiment).stage

    def get_progress(self, experiment: Experiment) -> float:
        return progress_of(experiment).progress

    def get_failure(self, experiment: Experiment) -> str:
        return progress_of(experiment).failure

    def get_serves(self, experiment: Experiment) -> bool:
        return any(term.ended_at is None for term in experiment.terms.all())


class StartSerializer(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=120)
    preset = serializers.ChoiceField(choices=[key for key, _ in CHOICES])
    design = serializers.ChoiceField(choices=[key for key, _ in DESIGNS], default="folds")
    at_door = serializers.BooleanField(
        default=False, help_text="Leave out what is decided after admission, such as the treatment."
    )


class ExperimentList(generics.ListAPIView[Experiment]):
    """The cross-validated training runs, newest first."""

    serializer_class = ExperimentSerializer

    def get_queryset(self) -> QuerySet[Experiment]:
        require(self.request.user, Permission.VIEW_EXPERIMENTS)
        return experiments_visible_to(self.request.user).prefetch_related("terms")

    @extend_schema(request=StartSerializer, responses={201: ExperimentSerializer})
    def post(self, request: Request) -> Response:
        """Freeze the cohort and queue a run."""
        require_everywhere(request.user, Permission.RUN_EXPERIMENTS)
        body = StartSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        wanted = body.validated_data
        config = config_of(wanted["preset"], design=wanted["design"], at_door=wanted["at_door"])
        experiment = start_experiment(actor=person(request.user), name=body.validated_data["name"], config=config)
        return Response(ExperimentSerializer(experiment).data, status=201)


class ExperimentDetail(APIView):
    @extend_schema(responses=ExperimentSerializer)
    def get(self, request: Request, experiment_id: int) -> Response:
        """Return one run."""
        experiment = get_visible(experiments_visible_to(request.user), pk=experiment_id)
        return Response(ExperimentSerializer(experiment).data)
