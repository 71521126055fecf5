"""The front door: sends each person to the page where his work is."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from apps.accounts.access import roles_of
from apps.accounts.policy import Role

START = {
    Role.PI: "analytics:dashboard",
    Role.SCIENTIST: "experiments:list",
    Role.ADMINISTRATOR: "accounts:list",
}


def home(request: HttpRequest) -> HttpResponse:
    """Redirect to the start page of the first role; somebody without any role is told what to do."""
    roles = roles_of(request.user)
    if not roles:
        return render(request, "accounts/no_role.html")
    return redirect(START.get(roles[0], "patients:list"))
