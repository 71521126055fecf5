"""The page of one patient's case report form, and the history beside its fields."""

from collections.abc import Mapping
from typing import cast

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_http_methods
from django.views.decorators.vary import vary_on_headers

from apps.accounts.access import has_permission, person
from apps.accounts.models import User
from apps.accounts.policy import Permission
from apps.core.errors import Refusal
from apps.crf import selectors
from apps.crf.dictionary import load_dictionary
from apps.crf.dictionary_checks import RESERVED
from apps.crf.double_entry.blinding import refuse_if_blinded
from apps.crf.double_entry.selectors import stand_of
from apps.crf.drafts import discard_draft, draft_of
from apps.crf.forms import Entry, Reason, build_sections, raw_texts
from apps.crf.models import CrfDraft, CrfForm
from apps.crf.places import MAIN, STAY, Place
from apps.crf.posted import read_posted, variable_of
from apps.crf.queries.selectors import open_by_variable
from apps.crf.schedule import form_url, title_of
from apps.crf.selectors import questions_of
from apps.crf.services import (
    FormConflict,
    FormErrors,
    ReasonRefused,
    SaveResult,
    save_form,
    writable_variables,
)
from apps.crf.signatures.locks import FormLocked
from apps.crf.signatures.panel import panel_of
from apps.crf.versions.current import DictionaryChanged
from apps.patients.models import Patient
from apps.patients.selectors import access_patient


@require_http_methods(["GET", "POST"])
def form(
    request: HttpRequest, study_id: str, form: str = MAIN, visit: str = STAY, instance: int = 1
) -> HttpResponse:  # fmt: skip
    """Show one form of the patient, and save it."""
    patient = access_patient(request.user, study_id, Permission.VIEW_CRF)
    place = Place(form, visit, instance)
    questions_of(place)
    if request.method == "POST":
        return _save(request, patient, place)
    stored = selectors.form_of(patient, place)
    draft = draft_of(request.user, patient, place)
    if draft is not None and draft.dictionary_version != load_dictionary().id:
        return _ask_anew(request, patient, stored, draft.typed, draft.read_version)
    if draft is not None:
        # With the version that was read, so that the save finds what others changed meanwhile.
        return _render(request, patient, stored, Entry.of_draft(draft), draft.read_version, draft=draft)
    shown = Entry(warnings=tuple(selectors.warnings_of(stored)))
    return _render(request, patient, stored, shown, version=stored.version)


@require_GET
@vary_on_headers("HX-Request")
def history(
    request: HttpRequest, study_id: str, variable: str, form: str = MAIN, visit: str = STAY, instance: int = 1
) -> HttpResponse:
    """Show every value that one variable has had: beside its field, or as a page of its own."""
    patient = access_patient(request.user, study_id, Permission.VIEW_CRF)
    place = Place(form, visit, instance)
    found = questions_of(place).variables.get(variable)
    if found is None:
        raise Http404
    template = "crf/partials/history.html" if getattr(request, "htmx", False) else "crf/history.html"
    stored = selectors.form_of(patient, place)
    refuse_if_blinded(request.user, stored)
    past = selectors.history_of(stored, found)
    context = {"patient": patient, "variable": found, "past": past, "form_url": form_url(patient, place)}
    return render(request, template, context | {"form_title": title_of(place)})


def _save(request: HttpRequest, patient: Patient, place: Place) -> HttpResponse:
    raw = {name: request.POST.get(name, "") for name in request.POST if name not in RESERVED}
    posted = read_posted(raw)
    version = read_version(request)
    reason = Reason.read(request.POST)
    if request.POST.get("dictionary", load_dictionary().id) != load_dictionary().id:
        return _ask_anew(request, patient, selectors.form_of(patient, place), raw, version)
    try:
        result = save_form(
            actor=cast(User, request.user), patient=patient, read_version=version, values=posted.values,
            missing=posted.missing, units=posted.units, reason=reason.text, place=place,
        )  # fmt: skip
    except DictionaryChanged:
        return _ask_anew(request, patient, selectors.form_of(patient, place), raw, version)
    except (FormErrors, FormLocked) as error:
        entry = Entry(raw, error.errors, reason=reason)
        return _render(request, patient, selectors.form_of(patient, place), entry, version, error)
    except ReasonRefused as error:
        entry = Entry(raw, reason=Reason.read(request.POST, error.sentence))
        return _render(request, patient, selectors.form_of(patient, place), entry, version, error)
    except FormConflict as error:
        # What the person did not touch shows what is stored by now; saving again then overwrites knowingly.
        mine = {name: text for name, text in raw.items() if variable_of(name) in error.mine}
        stored = selectors.form_of(patient, place)
        entry = Entry(mine, error.errors, reason=reason, conflicts=frozenset(error.errors), merged=error.merged)
        return _render(request, patient, stored, entry, stored.version, error)
    discard_draft(actor=person(request.user), patient=patient, place=place)
    _say_what_was_saved(request, result)
    return redirect(form_url(patient, place))


def _ask_anew(
    request: HttpRequest, patient: Patient, stored: CrfForm, raw: Mapping[str, str], version: int
) -> HttpResponse:  # fmt: skip
    """Show what was typed under the questions of an earlier dictionary, each to be checked before it is saved."""
    read = raw_texts(selectors.answers_at(stored, version)) if stored.pk else {}
    typed = {name: text for name, text in raw.items() if text.strip() != read.get(name, "")}
    asked = questions_of(stored.place).variables
    check = _("Typed before the questions changed. Check it against the question as it is now.")
    gone = _("Not asked any more, so it can't be saved: %(value)s")
    errors = {
        variable_of(name): check if variable_of(name) in asked else gone % {"value": text[:200]}
        for name, text in typed.items() if text
    }  # fmt: skip
    kept = {name: text for name, text in typed.items() if variable_of(name) in asked}
    return _render(request, patient, stored, Entry(kept, errors), stored.version, DictionaryChanged())


def read_version(request: HttpRequest) -> int:
    """Return the version of the form that the page in the browser was made of."""
    text = request.POST.get("version", "")
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise Refusal("form_version", _("The form has no such version. Load the form again and repeat the change."))
    return int(text)


def _say_what_was_saved(request: HttpRequest, result: SaveResult) -> None:
    count = len(result.changed)
    if not count:
        messages.info(request, _("Nothing was changed, so nothing was saved."))
        return
    messages.success(request, ngettext("Saved %(n)d value.", "Saved %(n)d values.", count) % {"n": count})


def _render(
    request: HttpRequest, patient: Patient, stored: CrfForm, entry: Entry, version: int, problem: Refusal | None = None,
    *, draft: CrfDraft | None = None,
) -> HttpResponse:  # fmt: skip
    questions, reader = questions_of(stored.place), person(request.user)
    writable = writable_variables(reader, patient, questions)
    panel = panel_of(reader, stored)
    double = stand_of(reader, stored, panel.state.lock)
    if double.is_own and double.entry:
        return redirect("double-entry:entry", double.entry.pk)
    if panel.state.lock is not None:
        writable, draft = frozenset(), None
    sections = build_sections(questions, stored, writable, entry)
    fields = [field for section in sections for field in section.fields]
    context = {
        "patient": patient,
        "panel": panel,
        "double": double,
        "form_title": title_of(stored.place),
        "form_url": form_url(patient, stored.place),
        "sections": sections,
        "version": version,
        "asked_by": load_dictionary().id,
        "stored": stored,
        "can_save": bool(writable),
        "query_counts": open_by_variable(reader, stored),
        "can_ask": has_permission(reader, Permission.OPEN_QUERIES, patient.center),
        "completeness": selectors.completeness(stored),
        "problem": problem,
        "draft": draft,
        "reason": entry.reason,
        "merged": [field for field in fields if field.variable.name in entry.merged],
        "field_errors": [field for field in fields if field.error],
        "other_errors": {name: text for name, text in entry.errors.items() if name not in questions.variables},
        "warnings": [
            (finding.sentence, next(field for field in fields if field.variable.name == finding.variables[0]))
            for finding in entry.warnings
        ],
    }
    return render(request, "crf/form.html", context, status=_status(request, problem))


def _status(request: HttpRequest, problem: Refusal | None) -> int:
    """Who opens the page has asked for nothing that could be refused."""
    return problem.status if problem and request.method == "POST" else 200
