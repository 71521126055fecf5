"""The API of double entry: what the pages offer."""

from typing import Any

from django.http import JsonResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema, extend_schema_view
from rest_framework import serializers
from rest_framework.pagination import PageNumberPagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.accounts.access import person, require
from apps.accounts.policy import Permission
from apps.core.api import PROBLEM
from apps.core.errors import Refusal
from apps.crf.api import FormProblemSerializer, problem_of
from apps.crf.double_entry import services
from apps.crf.double_entry.agreement import agreement_of
from apps.crf.double_entry.comparing import Compared, compare
from apps.crf.double_entry.forms import CenterFilter
from apps.crf.double_entry.models import SecondEntry
from apps.crf.double_entry.reconciling import RECONCILED, Choice, Kept, reconcile
from apps.crf.double_entry.selectors import access_own, access_submitted, access_to_end, awaiting, to_reconcile
from apps.crf.double_entry.views_agreement import HEAD, chosen_entries, line_of
from apps.crf.missing import Missing, as_data
from apps.crf.places import MAIN, STAY, Place
from apps.crf.selectors import form_of, questions_of
from apps.crf.services import REASON_LENGTH, FormErrors
from apps.patients.selectors import access_patient

CENTER = OpenApiParameter("center", OpenApiTypes.STR, description="Code of a center.")
PERSON = OpenApiParameter("person", OpenApiTypes.INT, description="Number of the second person.")
STATES = f"One of: {', '.join(SecondEntry.State.values)}."
PROBLEMS = {(422, PROBLEM): OpenApiResponse(FormProblemSerializer, "Values that were refused; nothing was saved.")}


class PlaceSerializer(serializers.Serializer[Any]):
    study_id = serializers.CharField(source="patient.study_id")
    center = serializers.CharField(source="patient.center.code")
    form = serializers.CharField(source="name")
    visit = serializers.CharField()
    instance = serializers.IntegerField()


class AwaitingSerializer(PlaceSerializer):
    updated_at = serializers.DateTimeField()


class _Page(serializers.Serializer[Any]):
    count = serializers.IntegerField()
    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)


class AwaitingPage(_Page):
    results = AwaitingSerializer(many=True)


class SubmittedSerializer(serializers.Serializer[Any]):
    id = serializers.IntegerField(source="pk")
    form = PlaceSerializer()
    differences = serializers.IntegerField()
    submitted_at = serializers.DateTimeField()
    age_days = serializers.IntegerField()


class SubmittedPage(_Page):
    results = SubmittedSerializer(many=True)


class SecondEntrySerializer(serializers.Serializer[Any]):
    id = serializers.IntegerField(source="pk")
    form = PlaceSerializer()
    state = serializers.CharField(help_text=STATES)
    version = serializers.IntegerField(help_text="Counts the saves of this second entry.")
    variables = serializers.ListField(child=serializers.CharField(), help_text="What is asked.")
    values = serializers.DictField(child=serializers.JSONField())
    missing = serializers.DictField(child=serializers.CharField())
    differences = serializers.IntegerField()


class EnterSerializer(serializers.Serializer[Any]):
    version = serializers.IntegerField(min_value=0, help_text="The version that you read.")
    values = serializers.DictField(child=serializers.JSONField(allow_null=True), required=False, default=dict)
    missing = serializers.DictField(child=serializers.CharField(allow_blank=True), required=False, default=dict)
    units = serializers.DictField(child=serializers.CharField(allow_blank=True), required=False, default=dict)


class ComparedSerializer(serializers.Serializer[Any]):
    variable = serializers.CharField(source="variable.name")
    first = serializers.SerializerMethodField(help_text='A value, null, or {"missing": code}.')
    second = serializers.SerializerMethodField()
    verdict = serializers.CharField()

    def get_first(self, row: Compared) -> Any:
        return as_data(row.first)

    def get_second(self, row: Compared) -> Any:
        return as_data(row.second)


class BothEntriesSerializer(serializers.Serializer[Any]):
    state = serializers.CharField(help_text=STATES)
    version = serializers.IntegerField(source="form.version", help_text="Version of the form; send it back.")
    rows = ComparedSerializer(many=True)


class ChoiceSerializer(serializers.Serializer[Any]):
    kept = serializers.ChoiceField([str(kept) for kept in Kept])
    value = serializers.CharField(
        required=False, allow_blank=True, default="", max_length=2000,
        help_text=f"What is typed instead of both (other), or why there is no value (missing): {', '.join(Missing)}.",
    )  # fmt: skip


class ReconcileSerializer(serializers.Serializer[Any]):
    version = serializers.IntegerField(min_value=0, help_text="The version of the form that you read.")
    choices = serializers.DictField(child=ChoiceSerializer(), help_text="By variable, each that differs.")
    reason = serializers.CharField(required=False, default=RECONCILED, max_length=REASON_LENGTH)


class AwaitingList(APIView):
    @extend_schema(operation_id="double_entry_awaiting_list", responses=AwaitingPage, parameters=[CENTER])
    def get(self, request: Request) -> Response:
        """Return the forms that you may enter for the second time, the newest first."""
        require(request.user, Permission.VIEW_CRF)
        forms = awaiting(request.user)
        return _page(self, request, forms, Permission.VIEW_CRF, "patient__center", AwaitingSerializer)


class ToReconcileList(APIView):
    @extend_schema(operation_id="double_entry_to_reconcile_list", responses=SubmittedPage, parameters=[CENTER])
    def get(self, request: Request) -> Response:
        """Return the second entries that differ from their form, the oldest first."""
        require(request.user, Permission.RECONCILE)
        entries = to_reconcile(request.user)
        return _page(self, request, entries, Permission.RECONCILE, "form__patient__center", SubmittedSerializer)


def _page(
    view: APIView, request: Request, found: Any, permission: Permission, center: str, serializer: Any
) -> Response:
    chosen = CenterFilter(request.user, permission, request.query_params)
    if not chosen.is_valid():
        raise Refusal("center", " ".join(map(str, chosen.errors["center"])))
    if chosen.cleaned_data["center"]:
        found = found.filter(**{center: chosen.cleaned_data["center"]})
    pages = PageNumberPagination()
    rows: list[Any] = pages.paginate_queryset(found, request, view) or []
    return pages.get_paginated_response(serializer(rows, many=True).data)


class StartView(APIView):
    @extend_schema(request=None, responses={201: SecondEntrySerializer})
    def post(self, request: Request, study_id: str, **place: Any) -> Response:
        """Begin a second entry of a form; until you submit or give up you see nothing of the first."""
        patient = access_patient(request.user, study_id, Permission.VIEW_CRF)
        where = Place(**{"form": MAIN, "visit": STAY, **place})
        questions_of(where)
        entry = services.start_second_entry(actor=person(request.user), form=form_of(patient, where))
        return Response(SecondEntrySerializer(entry).data, status=201)


@extend_schema_view(post=extend_schema(operation_id="patients_further_second_entry_create"))
class FurtherStartView(StartView):
    pass


class EntryView(APIView):
    @extend_schema(operation_id="double_entry_retrieve", responses=SecondEntrySerializer)
    def get(self, request: Request, entry_id: int) -> Response:
        """Return a second entry of your own."""
        return Response(SecondEntrySerializer(access_own(request.user, entry_id)).data)

    @extend_schema(request=EnterSerializer, responses={200: SecondEntrySerializer, **PROBLEMS})
    def patch(self, request: Request, entry_id: int) -> Response | JsonResponse:
        """Save values of your second entry: all that are sent, or none."""
        return _enter(request, entry_id, services.save_second_entry)


class SubmitView(APIView):
    @extend_schema(request=EnterSerializer, responses={200: SecondEntrySerializer, **PROBLEMS})
    def post(self, request: Request, entry_id: int) -> Response | JsonResponse:
        """Save values and submit: both entries are compared."""
        return _enter(request, entry_id, services.submit_second_entry)


class GiveUpView(APIView):
    @extend_schema(request=None, responses={204: None})
    def post(self, request: Request, entry_id: int) -> Response:
        """End your second entry without a comparison; who locks forms ends one that its author has left behind."""
        entry = access_to_end(request.user, entry_id)
        services.give_up_second_entry(actor=person(request.user), entry=entry)
        return Response(status=204)


class ReconcileView(APIView):
    @extend_schema(responses=BothEntriesSerializer)
    def get(self, request: Request, entry_id: int) -> Response:
        """Return both entries of a form side by side."""
        return _comparison(access_submitted(request.user, entry_id))

    @extend_schema(request=ReconcileSerializer, responses={200: BothEntriesSerializer, **PROBLEMS})
    def post(self, request: Request, entry_id: int) -> Response | JsonResponse:
        """Keep one answer for each variable that differs: all at once."""
        entry = access_submitted(request.user, entry_id)
        body = ReconcileSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        given = body.validated_data
        choices = {name: Choice(each["kept"], each["value"]) for name, each in given["choices"].items()}
        try:
            reconcile(
                actor=person(request.user), entry=entry, read_version=given["version"], choices=choices,
                reason=given["reason"],
            )  # fmt: skip
        except FormErrors as error:
            return problem_of(error)
        return _comparison(access_submitted(request.user, entry_id))


class AgreementView(APIView):
    @extend_schema(responses=OpenApiTypes.OBJECT, parameters=[CENTER, PERSON])
    def get(self, request: Request) -> Response:
        """Return the agreement of both entries by variable, in the columns of the CSV file."""
        _chosen, entries = chosen_entries(request)
        rows = [dict(zip(HEAD, line_of(row), strict=True)) for row in agreement_of(entries)]
        return Response({"forms": len(entries), "rows": rows})


def _enter(request: Request, entry_id: int, step: Any) -> Response | JsonResponse:
    entry = access_own(request.user, entry_id)
    body = EnterSerializer(data=request.data)
    body.is_valid(raise_exception=True)
    given = body.validated_data
    try:
        step(
            actor=person(request.user), entry=entry, read_version=given["version"], values=given["values"],
            missing=given["missing"], units=given["units"],
        )  # fmt: skip
    except FormErrors as error:
        return problem_of(error)
    return Response(SecondEntrySerializer(access_own(request.user, entry_id)).data)


def _comparison(entry: SecondEntry) -> Response:
    document = {"state": entry.state, "form": entry.form, "rows": compare(entry, entry.form)}
    return Response(BothEntriesSerializer(document).data)
