"""Accounts, for the administrator."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from apps.accounts.access import require
from apps.accounts.policy import Permission
from apps.accounts.selectors import accounts_visible_to, all_centers


@require_GET
def listing(request: HttpRequest) -> HttpResponse:
    """List people with their roles and centers."""
    require(request.user, Permission.MANAGE_ACCOUNTS)
    context = {"accounts": accounts_visible_to(request.user), "centers": all_centers()}
    return render(request, "accounts/list.html", context)
