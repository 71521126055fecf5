"""The page of the codebook."""

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET

from apps.accounts.access import require
from apps.accounts.policy import Permission
from apps.crf.codebook.entries import checks_of, parts_of
from apps.crf.dictionary import load_dictionary


@require_GET
def codebook(request: HttpRequest, dictionary_id: str = "") -> HttpResponse:
    """Show every variable of the forms, as they are asked now or in an earlier version."""
    require(request.user, Permission.VIEW_CODEBOOK)
    try:
        dictionary = load_dictionary(dictionary_id)
    except KeyError:
        raise Http404 from None
    context = {
        "dictionary": dictionary,
        "current": load_dictionary(),
        "parts": parts_of(dictionary),
        "checks": checks_of(dictionary),
        "count": len(dictionary.all_variables),
        "today": timezone.now().date(),
    }
    return render(request, "crf/codebook.html", context)
