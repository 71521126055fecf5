"""allauth's account adapter: accounts are given by an administrator, never taken."""

from allauth.account.adapter import DefaultAccountAdapter
from django.http import HttpRequest


class ClosedAccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    """Close public sign-up."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False
