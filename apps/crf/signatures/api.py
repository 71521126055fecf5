"""The API of locks and signatures."""

from typing import Any

from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.accounts.access import person, require
from apps.accounts.policy import Permission
from apps.crf.models import CrfForm, Meaning, Part
from apps.crf.places import MAIN, STAY, Place
from apps.crf.selectors import form_of, questions_of
from apps.crf.services import REASON_LENGTH
from apps.crf.signatures import services
from apps.crf.signatures.selectors import state_of
from apps.crf.signatures.views import signature_of
from apps.patients.selectors import access_patient


class LockSerializer(serializers.Serializer[Any]):
    at = serializers.DateTimeField()
    by = serializers.CharField(source="by.full_name")


class SignatureSerializer(serializers.Serializer[Any]):
    id = serializers.IntegerField(source="signature.pk")
    part = serializers.ChoiceField(Part.choices, source="signature.part")
    meaning = serializers.ChoiceField(Meaning.choices, source="signature.meaning")
    printed_name = serializers.CharField(source="signature.printed_name")
    signed_at = serializers.DateTimeField(source="signature.signed_at")
    form_version = serializers.IntegerField(source="signature.form_version")
    digest = serializers.CharField(source="signature.digest", help_text="SHA-256 of what was signed.")
    valid = serializers.BooleanField(source="is_valid")
    void = serializers.CharField(allow_blank=True, help_text="Why it is void; empty while it is valid.")
    notes = serializers.ListField(child=serializers.CharField())


class FormStateSerializer(serializers.Serializer[Any]):
    version = serializers.IntegerField(help_text="Version of the form.")
    lock = LockSerializer(allow_null=True, help_text="Who locked the form, and when; null while it is open.")
    signatures = SignatureSerializer(many=True)


class SignSerializer(serializers.Serializer[Any]):
    part = serializers.ChoiceField(Part.choices)
    meaning = serializers.ChoiceField(Meaning.choices)
    version = serializers.IntegerField(min_value=0, help_text="The version that you read.")
    username = serializers.CharField(max_length=254, help_text="Your user name or e-mail address.")
    password = serializers.CharField(max_length=1000, trim_whitespace=False, write_only=True)


class FormReasonSerializer(serializers.Serializer[Any]):
    reason = serializers.CharField(max_length=REASON_LENGTH)


# Where the form is: the main one, or a further one by its place.
def _form(request: Request, study_id: str, form: str = MAIN, visit: str = STAY, instance: int = 1) -> CrfForm:
    patient = access_patient(request.user, study_id, Permission.VIEW_CRF)
    place = Place(form, visit, instance)
    questions_of(place)
    return form_of(patient, place)


class SignaturesView(APIView):
    @extend_schema(responses=FormStateSerializer)
    def get(self, request: Request, study_id: str, **place: Any) -> Response:
        """Return lock and signatures of one form of a patient."""
        return _state(_form(request, study_id, **place))

    @extend_schema(request=SignSerializer, responses={201: FormStateSerializer})
    def post(self, request: Request, study_id: str, **place: Any) -> Response:
        """Sign a form, or the outcome of the main one alone; after five failures in 15 minutes the answer is 429."""
        form = _form(request, study_id, **place)
        body = SignSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        given = body.validated_data
        services.sign_form(
            actor=person(request.user), form=form, part=Part(given["part"]), meaning=given["meaning"],
            read_version=given["version"], username=given["username"], password=given["password"],
        )  # fmt: skip
        return _state(form, 201)


class LockView(APIView):
    @extend_schema(request=None, responses=FormStateSerializer)
    def post(self, request: Request, study_id: str, **place: Any) -> Response:
        """Lock one form of a patient."""
        form = _form(request, study_id, **place)
        services.lock_form(actor=person(request.user), form=form)
        return _state(form)


class UnlockView(APIView):
    @extend_schema(request=FormReasonSerializer, responses=FormStateSerializer)
    def post(self, request: Request, study_id: str, **place: Any) -> Response:
        """Unlock one form of a patient; this voids the signatures over the whole form."""
        form = _form(request, study_id, **place)
        require(request.user, Permission.LOCK_FORMS, form.patient.center)
        services.unlock_form(actor=person(request.user), form=form, reason=_reason(request))
        return _state(form)


class WithdrawView(APIView):
    @extend_schema(request=FormReasonSerializer, responses=FormStateSerializer)
    def post(self, request: Request, study_id: str, signature_id: int, **place: Any) -> Response:
        """Withdraw your own signature."""
        form = _form(request, study_id, **place)
        signature = signature_of(form, signature_id)
        services.withdraw_signature(actor=person(request.user), signature=signature, reason=_reason(request))
        return _state(form)


def _named(view: str, *methods: str) -> Any:
    """Name the operations on further forms in the API's document, apart from those on the main form."""
    made = {"get": "retrieve", "post": "create"}
    return extend_schema_view(
        **{method: extend_schema(operation_id=f"patients_further_{view}_{made[method]}") for method in methods}
    )


@_named("signatures", "get", "post")
class FurtherSignaturesView(SignaturesView):
    pass


@_named("lock", "post")
class FurtherLockView(LockView):
    pass


@_named("unlock", "post")
class FurtherUnlockView(UnlockView):
    pass


@_named("withdraw", "post")
class FurtherWithdrawView(WithdrawView):
    pass


def _reason(request: Request) -> str:
    body = FormReasonSerializer(data=request.data)
    body.is_valid(raise_exception=True)
    return str(body.validated_data["reason"])


def _state(form: CrfForm, status: int = 200) -> Response:
    state = state_of(form)
    document = {"version": form.version, "lock": state.lock, "signatures": state.signatures}
    return Response(FormStateSerializer(document).data, status=status)
