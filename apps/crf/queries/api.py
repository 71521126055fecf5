"""The API of queries: the worklist, the threads, the steps, and the runs of the rules."""

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.pagination import PageNumberPagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.accounts.access import get_visible, person, require
from apps.accounts.models import User
from apps.accounts.policy import Permission
from apps.core.errors import Refusal
from apps.crf.queries import services
from apps.crf.queries.forms import QueryFilter
from apps.crf.queries.models import Query, RuleRun
from apps.crf.queries.selectors import access_query, chosen_queries, queries_visible_to, runs_visible_to
from apps.crf.queries.shown import in_words


class MessageSerializer(serializers.Serializer[Any]):
    action = serializers.CharField(source="message.action")
    text = serializers.CharField()
    about = serializers.DictField(source="message.about", help_text="The values at that time, by variable.")
    author = serializers.CharField(help_text="Full name, or the word for a rule.")
    at = serializers.DateTimeField(source="message.written_at")


class QuerySerializer(serializers.Serializer[Any]):
    id = serializers.IntegerField(source="query.pk")
    study_id = serializers.CharField(source="query.patient.study_id")
    center = serializers.CharField(source="query.patient.center.code")
    form = serializers.CharField(source="place.form")
    visit = serializers.CharField(source="place.visit")
    instance = serializers.IntegerField(source="place.instance")
    variable = serializers.CharField(source="query.variable", help_text="Blank: about the form as a whole.")
    rule = serializers.CharField(source="query.rule", help_text="Blank: a person asked.")
    state = serializers.ChoiceField(source="query.state", choices=Query.State.values)
    about = serializers.DictField(source="query.about")
    question = serializers.CharField()
    assigned_to = serializers.CharField(source="query.assigned_to.username", default=None, allow_null=True)
    opened_at = serializers.DateTimeField(source="query.opened_at")
    answered_at = serializers.DateTimeField(source="query.answered_at", allow_null=True)
    closed_at = serializers.DateTimeField(source="query.closed_at", allow_null=True)
    age_days = serializers.IntegerField(source="query.age_days")
    messages = MessageSerializer(many=True)
    actions = serializers.ListField(child=serializers.CharField(), help_text="The steps that you may take now.")


class QueryPage(serializers.Serializer[Any]):
    count = serializers.IntegerField()
    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)
    results = QuerySerializer(many=True)


class OpenSerializer(serializers.Serializer[Any]):
    study_ids = serializers.ListField(child=serializers.CharField(max_length=20), min_length=1)
    variable = serializers.CharField(max_length=60, allow_blank=True, default="")
    text = serializers.CharField(max_length=services.TEXT_LENGTH)


class TextSerializer(serializers.Serializer[Any]):
    text = serializers.CharField(max_length=services.TEXT_LENGTH, allow_blank=True, default="")


class PersonSerializer(serializers.Serializer[Any]):
    assigned_to = serializers.CharField(max_length=150, allow_null=True, help_text="User name; null: everybody.")


class BulkSerializer(TextSerializer):
    ids = serializers.ListField(child=serializers.IntegerField(min_value=1, max_value=2**63 - 1), min_length=1)
    action = serializers.ChoiceField(choices=["close", "assign"])
    assigned_to = serializers.CharField(max_length=150, allow_null=True, default=None)


class RunSerializer(serializers.ModelSerializer[RuleRun]):
    state = serializers.CharField(source="job.state", read_only=True)
    failure = serializers.CharField(source="job.failure", read_only=True)

    class Meta:
        model = RuleRun
        fields = ("id", "requested_at", "state", "failure", "forms", "opened", "reopened", "resolved")


FILTERS = [
    OpenApiParameter(name, OpenApiTypes.STR, description=text)
    for name, text in {
        "patient": "A study id.",
        "state": "open, answered, closed or all; blank: open and answered.",
        "whose": "waiting (for you) or mine (assigned to you).",
        "rule": "A rule, such as range, or person.",
        "variable": "A variable of the form.",
        "center": "Code of a center.",
        "page": "Number of the page.",
    }.items()
]


class QueryList(APIView):
    @extend_schema(operation_id="queries_list", responses=QueryPage, parameters=FILTERS)
    def get(self, request: Request) -> Response:
        """Return the queries of the actor's centers, the oldest first."""
        require(request.user, Permission.VIEW_QUERIES)
        form = QueryFilter(request.user, request.query_params)
        if not form.is_valid():
            name, sentences = next(iter(form.errors.items()))
            raise Refusal("query_filter", f"{name}: {' '.join(map(str, sentences))}")
        pages = PageNumberPagination()
        found = pages.paginate_queryset(chosen_queries(request.user, form.cleaned_data), request, self) or []
        return pages.get_paginated_response(QuerySerializer(in_words(request.user, found), many=True).data)

    @extend_schema(request=OpenSerializer, responses={201: QuerySerializer(many=True)})
    def post(self, request: Request) -> Response:
        """Open the same query on one or several patients: on all of them, or none."""
        require(request.user, Permission.OPEN_QUERIES)
        body = OpenSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        opened = services.open_queries(actor=person(request.user), **body.validated_data)
        return Response(QuerySerializer(in_words(request.user, opened), many=True).data, status=201)


def _document(request: Request, query: Query) -> Response:
    # Read anew: the step may have changed what the reader may do next.
    return Response(QuerySerializer(in_words(request.user, [access_query(request.user, query.pk)])[0]).data)


class QueryDetail(APIView):
    @extend_schema(responses=QuerySerializer)
    def get(self, request: Request, query_id: int) -> Response:
        """Return one query with its thread."""
        return _document(request, access_query(request.user, query_id))


class _Step(APIView):
    permission = Permission.MANAGE_QUERIES

    def take(self, request: Request, query_id: int) -> tuple[User, Query]:
        query = access_query(request.user, query_id)
        require(request.user, self.permission, query.patient.center)
        return person(request.user), query

    def words(self, request: Request) -> str:
        body = TextSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        text: str = body.validated_data["text"]
        return text


class Answer(_Step):
    permission = Permission.ANSWER_QUERIES

    @extend_schema(request=TextSerializer, responses=QuerySerializer)
    def post(self, request: Request, query_id: int) -> Response:
        """Answer a query."""
        actor, query = self.take(request, query_id)
        return _document(request, services.answer_query(actor=actor, query=query, text=self.words(request)))


class Close(_Step):
    @extend_schema(request=TextSerializer, responses=QuerySerializer)
    def post(self, request: Request, query_id: int) -> Response:
        """Close a query: the value is right."""
        actor, query = self.take(request, query_id)
        return _document(request, services.close_query(actor=actor, query=query, text=self.words(request)))


class Reopen(_Step):
    @extend_schema(request=TextSerializer, responses=QuerySerializer)
    def post(self, request: Request, query_id: int) -> Response:
        """Ask again."""
        actor, query = self.take(request, query_id)
        return _document(request, services.reopen_query(actor=actor, query=query, text=self.words(request)))


class Assign(_Step):
    @extend_schema(request=PersonSerializer, responses=QuerySerializer)
    def post(self, request: Request, query_id: int) -> Response:
        """Give a query to a person."""
        actor, query = self.take(request, query_id)
        body = PersonSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        to = services.person_named(actor, body.validated_data["assigned_to"])
        return _document(request, services.assign_query(actor=actor, query=query, to=to))


class QueryBulk(APIView):
    @extend_schema(request=BulkSerializer, responses=QuerySerializer(many=True))
    def post(self, request: Request) -> Response:
        """Close or assign several queries: all of them, or none."""
        require(request.user, Permission.MANAGE_QUERIES)
        body = BulkSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        data, actor = body.validated_data, person(request.user)
        chosen = [get_visible(queries_visible_to(actor), pk=key) for key in sorted(set(data["ids"]))]
        if data["action"] == "close":
            done = services.close_queries(actor=actor, queries=chosen, text=data["text"])
        else:
            to = services.person_named(actor, data["assigned_to"])
            done = services.assign_queries(actor=actor, queries=chosen, to=to)
        return Response(QuerySerializer(in_words(actor, done), many=True).data)


class RunList(APIView):
    @extend_schema(request=None, responses={202: RunSerializer})
    def post(self, request: Request) -> Response:
        """Queue a run of all rules over the patients of your centers."""
        require(request.user, Permission.MANAGE_QUERIES)
        return Response(RunSerializer(services.request_run(actor=person(request.user))).data, status=202)


class RunDetail(APIView):
    @extend_schema(responses=RunSerializer)
    def get(self, request: Request, run_id: int) -> Response:
        """Return one of your runs of the rules."""
        require(request.user, Permission.MANAGE_QUERIES)
        return Response(RunSerializer(get_visible(runs_visible_to(request.user), pk=run_id)).data)
