"""A DICOMweb request with a token goes straight to its view: no session, no form, no page stands behind it."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponseBase
from django.urls import resolve
from django.utils import translation

from apps.imaging.dicomweb.access import has_token


class DicomwebTokenMiddleware:
    """Stands behind SecurityMiddleware; a viewer asks hundreds of times a study, and the rest is for browsers."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if not (request.path_info.startswith("/dicomweb/") and has_token(request)):
            return self.get_response(request)
        with translation.override(translation.get_language_from_request(request)):
            match = request.resolver_match = resolve(request.path_info)
            response: HttpResponseBase = match.func(request, *match.args, **match.kwargs)
        return response
