"""Who asks, what he may see, and how the DICOMweb service says no: always in one sentence, never with a page."""

from collections.abc import Callable
from functools import cache
from typing import Any

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.db import connection
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.utils.functional import SimpleLazyObject
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt
from rest_framework.authentication import CSRFCheck
from rest_framework.authtoken.models import Token

from apps.accounts.access import memberships_of
from apps.accounts.models import User
from apps.accounts.policy import Permission, roles_with
from apps.core.api import problem
from apps.core.errors import Refusal
from ml.errors import MLError

View = Callable[..., HttpResponseBase]
_READERS = frozenset(roles_with(Permission.VIEW_IMAGING))
_TOKEN_KINDS = {"token", "bearer"}


def endpoint(*, get: View | None = None, post: View | None = None) -> View:
    """Make one address of the service: it signs in by token or session and answers every refusal as a problem."""
    views = {"GET": get, "HEAD": get, "POST": post}
    allowed = ", ".join(method for method, view in views.items() if view is not None)

    def answer(request: HttpRequest, **parts: Any) -> HttpResponseBase:
        view = views.get(request.method or "")
        try:
            if view is None:
                raise Refusal("method_not_allowed", _("This address takes %s only.") % allowed, status=405)
            _sign_in(request)
            response = view(request, **parts)
        except Refusal as refusal:
            response = _refused(refusal, allowed)
        except MLError as error:
            response = problem(422, error.code, str(error))
        except Http404:
            response = problem(404, "not_found", _("Nothing is stored under this address. Search for it again."))
        # Asked again each time, so that a right that was withdrawn ends at once; the ETag makes the repeat cheap.
        response.headers.setdefault("Cache-Control", "private, no-cache")
        # Django would log the address of a refusal, and a sender may have put his hospital's UID into it.
        response._has_been_logged = True  # type: ignore[attr-defined]
        return response

    return csrf_exempt(login_not_required(answer))  # a session's POST is checked in _sign_in


def _refused(refusal: Refusal, allowed: str) -> HttpResponse:
    response = problem(refusal.status, refusal.code, refusal.sentence)
    if refusal.status == 401:
        response["WWW-Authenticate"] = 'Token realm="dicomweb", Bearer realm="dicomweb"'
    if refusal.status == 405:
        response["Allow"] = allowed
    return response


def has_token(request: HttpRequest) -> bool:
    """Say whether the request means to sign in by token, valid or not."""
    return request.META.get("HTTP_AUTHORIZATION", "").partition(" ")[0].lower() in _TOKEN_KINDS


def _sign_in(request: HttpRequest) -> None:
    """Find out who asks, or raise a Refusal with status 401 (nobody) or 403 (sent by another site's page)."""
    if has_token(request):
        _sign_in_by_token(request, request.META["HTTP_AUTHORIZATION"].partition(" ")[2].strip())
    elif not request.user.is_authenticated:
        raise Refusal("not_signed_in", _("Sign in, or send the access token of your account."), status=401)
    elif request.method == "POST":
        _check_origin(request)


def _sign_in_by_token(request: HttpRequest, key: str) -> None:
    """Read a token's person with his roles in one query; the person's own row is read if somebody asks for it."""
    found: list[tuple[int, str, int | None]] = []
    if "\x00" not in key:
        with connection.cursor() as cursor:
            cursor.execute(_roles_query(), [key])
            found = cursor.fetchall()
    if not found:
        raise Refusal("token_unknown", _("This access token is not valid. Ask for a new one."), status=401)
    request.user = SimpleLazyObject(lambda: User.objects.get(pk=found[0][0]))  # type: ignore[assignment]
    request._roles = [(role, center) for _user, role, center in found]  # type: ignore[attr-defined]


@cache
def _roles_query() -> str:
    """Return the query for (user, role, center), written by Django once: each frame of the viewer would wait for it."""
    columns = ("user_id", "user__memberships__role", "user__memberships__center_id")
    rows = Token.objects.filter(key="", user__is_active=True).values_list(*columns)
    sql: str = rows.query.sql_with_params()[0]
    return sql


def _check_origin(request: HttpRequest) -> None:
    """Refuse a POST by session that a page of another site may have sent; the viewer sends its origin, no token."""
    origin = request.headers.get("Origin")
    if origin is None:
        refused = CSRFCheck(lambda request: HttpResponse()).process_view(request, HttpResponse, (), {}) is not None
    else:
        own = f"{request.scheme}://{request.get_host()}"
        refused = origin != own and origin not in settings.CSRF_TRUSTED_ORIGINS
    if refused:
        sentence = _("This was not sent by a page of this site. Send it with an access token instead.")
        raise Refusal("foreign_origin", sentence, status=403)


def centers_of(request: HttpRequest) -> list[int] | None:
    """Return the centers whose imaging the actor may see, None for all of them."""
    roles = getattr(request, "_roles", None)
    if roles is None:
        roles = [(membership.role, membership.center_id) for membership in memberships_of(request.user)]
    centers = {center for role, center in roles if role in _READERS}
    return None if None in centers else sorted(center for center in centers if center is not None)


def visible(request: HttpRequest, center: str) -> Q:
    """Return the condition that something lies in a center whose imaging the actor may see.

    `center` is the path to the center. The centers are listed, and not asked for at all where they are all of them,
    so that a search among very many studies stays a walk along one index.
    """
    centers = centers_of(request)
    if centers is None:
        return Q()
    return Q(**({f"{center}_id": centers[0]} if len(centers) == 1 else {f"{center}_id__in": centers}))
