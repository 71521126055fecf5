"""The page of the codebook."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET

from apps.accounts.access import require
from apps.accounts.policy import Permission
from apps.crf.codebook.entries import checks_of, parts_of
from apps.crf.dictionary import load_dictionary


@require_GET
def codebook(request: HttpRequest) -> HttpResponse:
    """Show every variable of the form, to read, search and print."""
    require(request.user, Permission.VIEW_CODEBOOK)
    dictionary = load_dictionary()
    context = {
        "dictionary": dictionary,
        "parts": parts_of(dictionary),
        "checks": checks_of(dictionary),
        "count": len(dictionary.all_variables),
        "today": timezone.now().date(),
    }
    return render(request, "crf/codebook.html", context)
