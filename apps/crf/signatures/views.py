"""The page that signs, and the buttons of the panel."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from apps.accounts.access import get_visible, person, require
from apps.accounts.policy import Permission
from apps.core.errors import Refusal
from apps.crf.double_entry.blinding import refuse_if_blinded
from apps.crf.models import CrfForm, Part, Signature
from apps.crf.places import MAIN, STAY, Place
from apps.crf.schedule import form_url, title_of
from apps.crf.selectors import form_of, questions_of, values_for_display
from apps.crf.signatures import services
from apps.crf.signatures.content import variables_of
from apps.patients.selectors import access_patient


class SignForm(forms.Form):
    """What a signature needs; neither name nor password is filled in for the signer, nor repeated after a mistake."""

    version = forms.IntegerField(min_value=0, max_value=2**31 - 1, widget=forms.HiddenInput)
    meaning = forms.ChoiceField(label=gettext_lazy("Meaning of the signature"), widget=forms.RadioSelect)
    username = forms.CharField(
        label=gettext_lazy("User name or e-mail address"),
        max_length=254,
        widget=forms.TextInput({"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}),
    )
    password = forms.CharField(
        label=gettext_lazy("Password"),
        max_length=1000,
        strip=False,
        widget=forms.PasswordInput({"autocomplete": "off"}),
    )

    def __init__(self, *args: Any, meanings: list[Any], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [(meaning.value, meaning.label) for meaning in meanings]
        self.fields["meaning"].choices = choices  # type: ignore[attr-defined]
        if len(choices) == 1:
            self.fields["meaning"].initial = choices[0][0]


@sensitive_post_parameters("password")
@require_http_methods(["GET", "POST"])
def sign(
    request: HttpRequest, study_id: str, part: Part, form: str = MAIN, visit: str = STAY, instance: int = 1
) -> HttpResponse:
    """Show what would be signed, and sign it."""
    stored = form_at(request, study_id, Place(form, visit, instance))
    actor = person(request.user)
    require(actor, services.SIGNING[part], stored.patient.center)
    refuse_if_blinded(actor, stored)
    entry = SignForm(
        request.POST or None, meanings=services.meanings_for(actor, stored, part), initial={"version": stored.version}
    )
    problem = None
    if request.method == "POST" and entry.is_valid():
        given = entry.cleaned_data
        try:
            services.sign_form(
                actor=actor, form=stored, part=part, meaning=given["meaning"], read_version=given["version"],
                username=given["username"], password=given["password"],
            )  # fmt: skip
        except Refusal as refusal:
            problem = refusal
        else:
            messages.success(request, _("Signed."))
            return redirect(form_url(stored.patient, stored.place))
    return _show_sign(request, stored, part, entry, problem)


def _show_sign(
    request: HttpRequest, stored: CrfForm, part: Part, entry: SignForm, problem: Refusal | None
) -> HttpResponse:
    names = variables_of(part)
    shown = values_for_display(stored)
    groups = [(each.section, [v for v in each.values if not names or v.variable.name in names]) for each in shown]
    context = {
        "form_title": title_of(stored.place), "form_url": form_url(stored.patient, stored.place),
        "patient": stored.patient, "stored": stored, "part": part, "entry": entry, "problem": problem,
        "groups": [(section, values) for section, values in groups if values],
    }  # fmt: skip
    return render(request, "crf/sign.html", context, status=problem.status if problem else 200)


@require_POST
def lock(
    request: HttpRequest, study_id: str, form: str = MAIN, visit: str = STAY, instance: int = 1
) -> HttpResponse:  # fmt: skip
    """Lock the form."""
    found = form_at(request, study_id, Place(form, visit, instance))
    return _do(request, found, Permission.LOCK_FORMS, _("Locked."), lambda form: services.lock_form(
        actor=person(request.user), form=form
    ))  # fmt: skip


@require_POST
def unlock(
    request: HttpRequest, study_id: str, form: str = MAIN, visit: str = STAY, instance: int = 1
) -> HttpResponse:  # fmt: skip
    """Unlock the form; the reason is in the body."""
    found = form_at(request, study_id, Place(form, visit, instance))
    return _do(request, found, Permission.LOCK_FORMS, _("Unlocked."), lambda form: services.unlock_form(
        actor=person(request.user), form=form, reason=request.POST.get("reason", "")
    ))  # fmt: skip


@require_POST
def withdraw(
    request: HttpRequest, study_id: str, signature_id: int, form: str = MAIN, visit: str = STAY, instance: int = 1
) -> HttpResponse:
    """Withdraw one's own signature; the reason is in the body."""
    found = form_at(request, study_id, Place(form, visit, instance))
    return _do(request, found, Permission.VIEW_CRF, _("Withdrawn."), lambda form: services.withdraw_signature(
        actor=person(request.user), signature=signature_of(form, signature_id), reason=request.POST.get("reason", "")
    ))  # fmt: skip


def _do(
    request: HttpRequest, form: CrfForm, permission: Permission, done: str, act: Callable[[CrfForm], None]
) -> HttpResponse:
    """Do it and go back to the form; what is refused is said there."""
    require(request.user, permission, form.patient.center)
    try:
        act(form)
    except Refusal as refusal:
        messages.error(request, refusal.sentence)
    else:
        messages.success(request, done)
    return redirect(form_url(form.patient, form.place))


def form_at(request: HttpRequest, study_id: str, place: Place) -> CrfForm:
    """Return one form of a patient that the actor may read, or raise Http404."""
    patient = access_patient(request.user, study_id, Permission.VIEW_CRF)
    questions_of(place)
    return form_of(patient, place)


def signature_of(form: CrfForm, signature_id: int) -> Signature:
    """Return one signature of a form, or raise Http404."""
    if form.pk is None:
        raise Http404
    signature = get_visible(Signature.objects.filter(form=form), pk=signature_id)
    signature.form = form
    return signature
