"""The API of the case report form and of its data dictionary."""

from typing import Any, cast

from django.http import HttpResponse, JsonResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.accounts.access import require
from apps.accounts.models import User
from apps.accounts.policy import Permission
from apps.core.api import PROBLEM
from apps.crf import selectors
from apps.crf.dictionary import load_dictionary
from apps.crf.double_entry.blinding import BlindedError, hidden_forms, refuse_if_blinded
from apps.crf.missing import Missing
from apps.crf.models import CrfForm
from apps.crf.places import MAIN_PLACE, Place
from apps.crf.redcap import dictionary_to_csv
from apps.crf.schedule import schedule_of
from apps.crf.services import REASON_LENGTH, FormConflict, FormErrors, ReasonRefused, save_form
from apps.crf.signatures.locks import FormLocked
from apps.crf.versions.current import DictionaryChanged
from apps.patients.models import Patient
from apps.patients.selectors import access_patient


class CompletenessSerializer(serializers.Serializer[Any]):
    entered = serializers.IntegerField(help_text="Required variables that apply and have a value or a reason for none.")
    required = serializers.IntegerField(help_text="Required variables that apply.")  # type: ignore[assignment]
    missing = serializers.ListField(child=serializers.CharField())


class PlannedSerializer(serializers.Serializer[Any]):
    form = serializers.CharField(source="place.form")
    visit = serializers.CharField(source="place.visit")
    instance = serializers.IntegerField(source="place.instance")
    due = serializers.DateField(allow_null=True, help_text="Months after the admission; none for the hospital stay.")
    version = serializers.IntegerField(help_text="Counts the saves; 0 for a form that nobody has saved yet.")
    completeness = CompletenessSerializer()


class WarningSerializer(serializers.Serializer[Any]):
    variables = serializers.ListField(child=serializers.CharField())
    sentence = serializers.CharField()


class CrfSerializer(serializers.Serializer[Any]):
    study_id = serializers.CharField()
    form = serializers.CharField(help_text="Name of the form in the data dictionary; main for the main one.")
    visit = serializers.CharField(help_text="Name of the visit in the data dictionary.")
    instance = serializers.IntegerField(help_text="Which one of a form that repeats; else 1.")
    dictionary = serializers.CharField(help_text="Version of the data dictionary at the last save, such as ich-1.")
    asked_by = serializers.CharField(help_text="Version of the data dictionary by which the form asks now.")
    version = serializers.IntegerField(help_text="Counts the saves; 0 for a form that nobody has saved yet.")
    values = serializers.DictField(child=serializers.JSONField(), help_text="Values by variable; blanks are left out.")
    missing = serializers.DictField(
        child=serializers.ChoiceField(Missing.choices), help_text="Why a variable has no value, where somebody said so."
    )
    completeness = CompletenessSerializer()
    warnings = WarningSerializer(many=True)
    updated_at = serializers.DateTimeField(allow_null=True)


class CrfPatchSerializer(serializers.Serializer[Any]):
    version = serializers.IntegerField(min_value=0, help_text="The version that you read.")
    asked_by = serializers.CharField(
        required=False, help_text="Version of the data dictionary that you read; refused if it is another one by now."
    )
    values = serializers.DictField(
        child=serializers.JSONField(allow_null=True), help_text="Values to change, by variable; null clears one."
    )
    missing = serializers.DictField(
        child=serializers.CharField(allow_blank=True, max_length=20), required=False, default=dict,
        help_text=(
            f"Why a variable has no value: {', '.join(Missing.values)}. A blank says nothing; null among the values "
            "takes a reason back."
        ),
    )  # fmt: skip
    units = serializers.DictField(
        child=serializers.CharField(allow_blank=True, max_length=40), required=False, default=dict,
        help_text="Other units that values are sent in, by variable, for the platform to convert: mg/dL.",
    )  # fmt: skip
    reason = serializers.CharField(
        required=False, allow_blank=True, default="", max_length=REASON_LENGTH,
        help_text="Why; needed where a value changes that had been saved before.",
    )  # fmt: skip


class FormProblemSerializer(serializers.Serializer[Any]):
    title = serializers.CharField()
    status = serializers.IntegerField()
    code = serializers.CharField()
    detail = serializers.CharField()
    errors = serializers.DictField(  # type: ignore[assignment]
        child=serializers.CharField(), help_text="One sentence for each variable at fault."
    )


PROBLEMS = {
    (403, PROBLEM): OpenApiResponse(FormProblemSerializer, "A value that the role may not enter; nothing was saved."),
    (409, PROBLEM): OpenApiResponse(
        FormProblemSerializer, "The same variables were changed since that version, or the form is locked."
    ),
    (422, PROBLEM): OpenApiResponse(
        FormProblemSerializer, "Values that were refused, or a reason that is missing; nothing was saved."
    ),
}


class CrfView(APIView):
    @extend_schema(responses=CrfSerializer)
    def get(self, request: Request, study_id: str) -> Response:
        """Return one patient's main case report form."""
        return _read(request, study_id, MAIN_PLACE)

    @extend_schema(request=CrfPatchSerializer, responses={200: CrfSerializer, **PROBLEMS})
    def patch(self, request: Request, study_id: str) -> Response | JsonResponse:
        """Change values of one patient's main case report form: all that are sent, or none."""
        return _change(request, study_id, MAIN_PLACE)


class FurtherFormView(APIView):
    @extend_schema(operation_id="patients_further_form_retrieve", responses=CrfSerializer)
    def get(self, request: Request, study_id: str, form: str, visit: str, instance: int) -> Response:
        """Return one form of a patient beside the main one."""
        return _read(request, study_id, Place(form, visit, instance))

    @extend_schema(
        operation_id="patients_further_form_partial_update", request=CrfPatchSerializer,
        responses={200: CrfSerializer, **PROBLEMS},
    )  # fmt: skip
    def patch(self, request: Request, study_id: str, form: str, visit: str, instance: int) -> Response | JsonResponse:
        """Change values of one form beside the main one: all that are sent, or none."""
        return _change(request, study_id, Place(form, visit, instance))


class ScheduleView(APIView):
    @extend_schema(responses=PlannedSerializer(many=True))
    def get(self, request: Request, study_id: str) -> Response:
        """Return the forms of one patient beside the main one: all that are planned, and those that were repeated."""
        patient = access_patient(request.user, study_id, Permission.VIEW_CRF)
        rows = schedule_of(patient, selectors.form_of(patient), hidden_forms(request.user))
        return Response(PlannedSerializer([planned for row in rows for planned in row.planned], many=True).data)


def _read(request: Request, study_id: str, place: Place) -> Response:
    patient = access_patient(request.user, study_id, Permission.VIEW_CRF)
    selectors.questions_of(place)
    form = selectors.form_of(patient, place)
    refuse_if_blinded(request.user, form)
    return Response(_document(patient, form))


def _change(request: Request, study_id: str, place: Place) -> Response | JsonResponse:
    patient = access_patient(request.user, study_id, Permission.VIEW_CRF)
    body = CrfPatchSerializer(data=request.data)
    body.is_valid(raise_exception=True)
    data = body.validated_data
    if data.get("asked_by", load_dictionary().id) != load_dictionary().id:
        raise DictionaryChanged
    try:
        result = save_form(
            actor=cast(User, request.user), patient=patient, read_version=data["version"], values=data["values"],
            reason=data["reason"], place=place, missing=data["missing"],
            units=data["units"],
        )  # fmt: skip
    except (FormErrors, FormConflict, FormLocked, ReasonRefused, BlindedError) as error:
        return problem_of(error)
    return Response(_document(patient, result.form))


class DictionaryView(APIView):
    @extend_schema(responses=OpenApiTypes.OBJECT)
    def get(self, request: Request) -> Response:
        """Return the data dictionary of the case report forms."""
        return Response(load_dictionary().as_data())


class _AnyAccept(BaseContentNegotiation):
    """A file has one form, whatever the caller says it accepts; what is refused comes as JSON like everywhere."""

    def select_parser(self, request: Request, parsers: Any) -> Any:
        return next(iter(parsers), None)

    def select_renderer(self, request: Request, renderers: Any, format_suffix: str | None = None) -> Any:
        return renderers[0], renderers[0].media_type


class RedcapView(APIView):
    content_negotiation_class = _AnyAccept

    @extend_schema(responses={(200, "text/csv"): OpenApiTypes.STR})
    def get(self, request: Request) -> HttpResponse:
        """Return the data dictionary as a REDCap data dictionary (CSV, UTF-8)."""
        require(request.user, Permission.VIEW_CODEBOOK)
        dictionary = load_dictionary()
        response = HttpResponse(dictionary_to_csv(dictionary), content_type="text/csv; charset=utf-8")
        response["Content-Disposition"] = f'attachment; filename="{dictionary.id}-redcap.csv"'
        return response


def _document(patient: Patient, form: CrfForm) -> dict[str, Any]:
    complete = selectors.completeness(form)
    return dict(
        CrfSerializer(
            {
                "study_id": patient.study_id,
                "form": form.name,
                "visit": form.visit,
                "instance": form.instance,
                "dictionary": form.dictionary_version,
                "asked_by": load_dictionary().id,
                "version": form.version,
                "values": form.values,
                "missing": form.missing,
                "completeness": complete,
                "warnings": selectors.warnings_of(form),
                "updated_at": form.updated_at if form.version else None,
            }
        ).data
    )


def problem_of(error: FormErrors | FormConflict | FormLocked | ReasonRefused | BlindedError) -> JsonResponse:
    document = {
        "title": error.code.replace("_", " "), "status": error.status, "code": error.code, "detail": error.sentence,
        "errors": error.errors,
    }  # fmt: skip
    return JsonResponse(document, status=error.status, content_type=PROBLEM)
