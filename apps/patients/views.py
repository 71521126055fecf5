"""The patient list, one patient, and enrollment."""

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_http_methods
from django.views.decorators.vary import vary_on_headers

from apps.accounts.access import centers_with, has_permission, person, require
from apps.accounts.models import Center
from apps.accounts.policy import Permission
from apps.patients import page as parts
from apps.patients.blinding import may
from apps.patients.listing import list_patients
from apps.patients.selectors import access_patient
from apps.patients.services import enroll_patient


class EnrollForm(forms.Form):
    center = forms.ModelChoiceField(queryset=Center.objects.none(), label=gettext_lazy("Center"))

    def __init__(self, *args: Any, centers: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["center"]
        field.queryset = centers  # type: ignore[attr-defined]
        field.label_from_instance = lambda center: f"{center.code} · {center.name}"  # type: ignore[attr-defined]


@require_GET
@vary_on_headers("HX-Request")
def listing(request: HttpRequest) -> HttpResponse:
    """List the patients of the actor's centers."""
    require(request.user, Permission.VIEW_PATIENTS)
    context = {
        "listing": list_patients(request.user, request.GET),
        "can_enroll": has_permission(request.user, Permission.ENROLL),
    }
    htmx = getattr(request, "htmx", None)
    # Going back in the browser's history asks for the whole page again.
    only_table = htmx and not htmx.history_restore_request
    return render(request, "patients/partials/table.html" if only_table else "patients/list.html", context)


@require_GET
def detail(request: HttpRequest, study_id: str) -> HttpResponse:
    """Show one patient: every part that the actor may see."""
    patient = access_patient(request.user, study_id)
    sections = []
    for section in sorted(parts.sections.values(), key=lambda section: section.order):
        if may(request.user, section.permission, patient):
            context = section.context(request, patient)
            sections.append({"section": section, "context": context, "summary": section.summary(context)})
    return render(request, "patients/detail.html", {"patient": patient, "sections": sections})


@require_http_methods(["GET", "POST"])
def enroll(request: HttpRequest) -> HttpResponse:
    """Enroll one patient and open his page."""
    require(request.user, Permission.ENROLL)
    centers = centers_with(request.user, Permission.ENROLL)
    form = EnrollForm(request.POST or None, centers=centers, initial={"center": centers.first()})
    if request.method == "POST" and form.is_valid():
        patient = enroll_patient(actor=person(request.user), center=form.cleaned_data["center"])
        messages.success(request, _("Enrolled as %(id)s. Write this study id on the source record.") % {"id": patient})
        return redirect("patients:detail", patient.study_id)
    return render(request, "patients/enroll.html", {"form": form})
