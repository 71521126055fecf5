"""Versions of the dictionary: send a draft, read what it would do, give its rules, publish it."""

from typing import Any

from django import forms
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from apps.accounts.access import get_visible, has_permission_everywhere, person, require, require_everywhere
from apps.accounts.policy import Permission
from apps.core.errors import Refusal
from apps.core.fragments import job_fragment
from apps.crf.dictionary import load_dictionary, shipped_dictionary
from apps.crf.versions import services
from apps.crf.versions.changes import rules_between
from apps.crf.versions.impact import Impact, OfVariable, impact_of
from apps.crf.versions.models import DictionaryVersion
from apps.crf.versions.moves import read_moves
from apps.crf.versions.past import dictionary_before
from apps.crf.versions.rows import read_rules, rows_of
from apps.crf.versions.selectors import content_of, versions_visible_to
from apps.crf.versions.writing import dictionary_to_yaml

State = DictionaryVersion.State


class DraftForm(forms.Form):
    file = forms.FileField(
        label=_("File"),
        help_text=_("The data dictionary as YAML, as it is downloaded here, or a REDCap data dictionary (CSV)."),
        widget=forms.ClearableFileInput(attrs={"accept": ".yaml,.yml,.csv"}),
        allow_empty_file=True,
    )


@require_http_methods(["GET", "POST"])
def listing(request: HttpRequest) -> HttpResponse:
    """Show the versions; a POST makes a file the draft of the next one."""
    require(request.user, Permission.VIEW_CODEBOOK)
    form, problem = DraftForm(), None
    if request.method == "POST":
        require_everywhere(request.user, Permission.MANAGE_DICTIONARY)
        form = DraftForm(request.POST, request.FILES)
        if form.is_valid():
            try:
                content = form.cleaned_data["file"].read()
                return redirect(
                    "versions:detail", services.draft_version(actor=person(request.user), content=content).pk
                )
            except Refusal as refusal:
                problem = refusal
    rows = list(versions_visible_to(request.user))
    context = {
        "form": form,
        "problem": problem,
        "draft": next((row for row in rows if row.state != State.PUBLISHED), None),
        "rows": [row for row in rows if row.state == State.PUBLISHED],
        "shipped": shipped_dictionary(),
        "current": load_dictionary(),
        "may_manage": has_permission_everywhere(request.user, Permission.MANAGE_DICTIONARY),
    }
    return render(request, "crf/versions/list.html", context, status=problem.status if problem else 200)


@require_GET
def detail(request: HttpRequest, version_id: int) -> HttpResponse:
    """Show what a version changes: of a draft with its rules, and what publishing it would do."""
    return _detail(request, _version(request, version_id))


def _version(request: HttpRequest, version_id: int) -> DictionaryVersion:
    return get_visible(versions_visible_to(request.user), pk=version_id)


def _detail(request: HttpRequest, version: DictionaryVersion, problem: Refusal | None = None) -> HttpResponse:
    is_draft = version.state == State.DRAFT
    new = content_of(version)
    old = dictionary_before(new) if version.state == State.PUBLISHED else load_dictionary()
    moves = read_moves(version.moves, old, new)
    impact = impact_of(old, new, moves) if is_draft else _as_published(version.impact)
    rows = rows_of(old, new, moves, impact)
    context = {
        "version": version,
        "old": old,
        "new": new,
        "impact": impact,
        "rows": rows,
        "has_rules": any(row.has_rule for row in rows),
        "rules": rules_between(old, new),
        "is_draft": is_draft,
        "problem": problem,
        "reason": request.POST.get("reason", version.reason),
        **_job(version),
    }
    return render(request, "crf/versions/detail.html", context, status=problem.status if problem else 200)


def _as_published(counts: dict[str, Any]) -> Impact:
    """Return the counts that the publication left."""
    variables = {name: OfVariable(**found) for name, found in counts.get("variables", {}).items()}
    return Impact(**{name: value for name, value in counts.items() if name != "variables"}, variables=variables)


def _job(version: DictionaryVersion) -> dict[str, Any]:
    """Return what partials/job.html needs."""
    return {"job": version.job, "job_url": reverse("versions:status", args=[version.pk])}


@require_GET
def status(request: HttpRequest, version_id: int) -> HttpResponse:
    """Send the job's fragment; once it has ended the page is loaded anew."""
    return job_fragment(request, _job(_version(request, version_id)))


@require_POST
def rules(request: HttpRequest, version_id: int) -> HttpResponse:
    """Keep the rules of a draft, and count anew."""
    version = _version(request, version_id)
    try:
        posted = {key: str(value) for key, value in request.POST.items()}
        moves = read_rules(posted, load_dictionary(), content_of(version))
        services.set_moves(actor=person(request.user), version=version, moves=moves)
    except Refusal as problem:
        return _detail(request, version, problem)
    return redirect("versions:detail", version.pk)


@require_POST
def publish(request: HttpRequest, version_id: int) -> HttpResponse:
    """Have a draft published."""
    version = _version(request, version_id)
    try:
        services.publish_version(
            actor=person(request.user), version=version, reason=request.POST.get("reason", "")
        )  # fmt: skip
    except Refusal as problem:
        return _detail(request, version, problem)
    return redirect("versions:detail", version.pk)


@require_POST
def discard(request: HttpRequest, version_id: int) -> HttpResponse:
    """Give a draft up."""
    version = _version(request, version_id)
    services.discard_draft_version(actor=person(request.user), version=version)
    return redirect("versions:list")


@require_GET
def as_yaml(request: HttpRequest, dictionary_id: str) -> HttpResponse:
    """Hand a published version out as a file."""
    require(request.user, Permission.VIEW_CODEBOOK)
    try:
        dictionary = load_dictionary(dictionary_id)
    except KeyError:
        raise Http404 from None
    response = HttpResponse(dictionary_to_yaml(dictionary), content_type="application/yaml; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{dictionary.id}.yaml"'
    return response
