"""What every page knows about the signed-in person: his roles, and the navigation that they open."""

from collections.abc import Callable
from functools import partial

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from apps.accounts.access import has_permission, memberships_of, roles_of
from apps.accounts.models import User
from apps.accounts.policy import Permission, Role

# (permission, URL name, label, icon)
NAVIGATION = (
    (Permission.VIEW_PATIENTS, "patients:list", _("Patients"), "users"),
    (Permission.VIEW_QUERIES, "queries:list", _("Queries"), "help"),
    (Permission.VIEW_CRF, "double-entry:list", _("Double entry"), "copy"),
    (Permission.VIEW_MASK_WORK, "masks:list", _("Masks"), "layers-intersect"),
    (Permission.VIEW_DASHBOARD, "analytics:dashboard", _("Dashboard"), "chart"),
    (Permission.VIEW_EXPERIMENTS, "experiments:list", _("Experiments"), "flask"),
    (Permission.VIEW_CODEBOOK, "codebook", _("Codebook"), "file-text"),
    (Permission.IMPORT_CRF, "imports:list", _("Import"), "upload"),
    (Permission.EXPORT_DATA, "exports:list", _("Exports"), "download"),
    (Permission.VIEW_AUDIT, "audit:list", _("Audit trail"), "history"),
    (Permission.MANAGE_ACCOUNTS, "accounts:list", _("Accounts"), "settings"),
)

_counts: dict[str, Callable[[User], int]] = {}


def count_with(name: str, count: Callable[[User], int]) -> None:
    """Show beside a page of the navigation how much waits there for the person."""
    _counts[name] = count


def actor(request: HttpRequest) -> dict[str, object]:
    """Return the actor's role labels, centers and navigation items."""
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return {"actor_roles": [], "nav_items": []}
    items: list[dict[str, object]] = []
    for permission, name, label, icon in NAVIGATION:
        if has_permission(user, permission):
            url = reverse(name)
            # Called by the template, and so not for a fragment, which has no navigation.
            waiting = partial(_counts[name], user) if name in _counts else 0
            active = request.path.startswith(url)
            items.append({"url": url, "label": label, "icon": icon, "active": active, "waiting": waiting})
    centers = sorted({membership.center.code for membership in memberships_of(user) if membership.center})
    return {
        "actor_roles": [Role(role).label for role in roles_of(user)],
        "actor_center": ", ".join(centers),
        "nav_items": items,
    }
