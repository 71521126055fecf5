"""The demonstration's accounts on its sign-in page."""

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse

from apps.demonstration.people import sign_in_table


def accounts(request: HttpRequest) -> dict[str, object]:
    """Return the accounts on the sign-in page of a demonstration, nothing anywhere else."""
    if not settings.DEMONSTRATION or request.path != reverse("account_login"):
        return {}
    return {"demo_accounts": sign_in_table()}
