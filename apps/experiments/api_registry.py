"""The API of the model registry."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.accounts.access import get_visible, person, require_everywhere
from apps.accounts.policy import Permission
from apps.experiments import registry
from apps.experiments.api import ExperimentSerializer
from apps.experiments.models import Experiment
from apps.experiments.selectors import experiments_visible_to


class ReasonSerializer(serializers.Serializer[Any]):
    reason = serializers.CharField(allow_blank=True, help_text="Why; stands in the registry and in the audit trail.")


class _Change(APIView):
    """A change of the model in service."""

    def read(self, request: Request) -> str:
        require_everywhere(request.user, Permission.PROMOTE_MODELS)
        body = ReasonSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        return str(body.validated_data["reason"])

    def answer(self, request: Request, experiment_id: int) -> Response:
        return Response(ExperimentSerializer(self.find(request, experiment_id)).data)

    def find(self, request: Request, experiment_id: int) -> Experiment:
        return get_visible(experiments_visible_to(request.user), pk=experiment_id)


class Promote(_Change):
    @extend_schema(request=ReasonSerializer, responses=ExperimentSerializer)
    def post(self, request: Request, experiment_id: int) -> Response:
        """Put a run's model into service in place of the one that serves."""
        reason = self.read(request)
        registry.promote(actor=person(request.user), experiment=self.find(request, experiment_id), reason=reason)
        return self.answer(request, experiment_id)


class Retire(_Change):
    @extend_schema(request=ReasonSerializer, responses=ExperimentSerializer)
    def post(self, request: Request, experiment_id: int) -> Response:
        """Take a run's model out of service."""
        reason = self.read(request)
        registry.retire(actor=person(request.user), experiment=self.find(request, experiment_id), reason=reason)
        return self.answer(request, experiment_id)


class RollBack(_Change):
    @extend_schema(request=ReasonSerializer, responses=ExperimentSerializer)
    def post(self, request: Request) -> Response:
        """Put the model back into service that served before this one; the answer is its run."""
        term = registry.roll_back(actor=person(request.user), reason=self.read(request))
        return self.answer(request, term.experiment_id)
