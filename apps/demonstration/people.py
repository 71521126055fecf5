"""The demonstration's centers and accounts: one for each role, and a coordinator in every center."""

from dataclasses import dataclass

from django.db import transaction

from apps.accounts.models import Center, User
from apps.accounts.policy import CENTER_ROLES, Role
from apps.accounts.services import create_center, create_user, give_role

# Shown on the sign-in page of the demonstration, and accepted nowhere else.
PASSWORD = "simulated-study"  # noqa: S105
CENTERS = {
    "C1": "Riverside General Hospital",
    "C2": "Northfield University Hospital",
    "C3": "Harbor City Hospital",
    "C4": "Lakeview Medical Center",
    "C5": "Hillcrest Hospital",
}


@dataclass(frozen=True)
class Account:
    """One account of the demonstration."""

    username: str
    full_name: str
    role: Role
    center: str | None


ACCOUNTS = [Account(str(role), f"Demo {role.label}", role, "C1" if role in CENTER_ROLES else None) for role in Role]
ANNOTATOR, REVIEWER = str(Role.ANNOTATOR), str(Role.REVIEWER)
COORDINATORS = {code: "coordinator" if code == "C1" else f"coordinator-{code.lower()}" for code in CENTERS}
# Outlines some CTs a second time, blind to the first.
SECOND_ANNOTATOR = Account("annotator-b", "Demo second annotator", Role.ANNOTATOR, None)
# Enters the forms of one center a second time.
SECOND = Account("coordinator-c1b", "Demo second coordinator C1", Role.COORDINATOR, "C1")


@transaction.atomic
def create_people() -> None:
    """Create the centers and accounts; those that exist are left as they are."""
    for code, name in CENTERS.items():
        if not Center.objects.filter(code=code).exists():
            create_center(code=code, name=name)
    others = [
        Account(username, f"Demo coordinator {code}", Role.COORDINATOR, code)
        for code, username in COORDINATORS.items()
        if code != "C1"
    ]
    for account in [*ACCOUNTS, *others, SECOND, SECOND_ANNOTATOR]:
        if User.objects.filter(username=account.username).exists():
            continue
        email = f"{account.username}@example.org"
        user = create_user(username=account.username, full_name=account.full_name, email=email, password=PASSWORD)
        center = Center.objects.get(code=account.center) if account.center else None
        give_role(user=user, role=account.role, center=center)


def sign_in_table() -> list[tuple[str, str, str]]:
    """Return (role, username, password) for the sign-in page and the terminal."""
    return [(str(account.role.label), account.username, PASSWORD) for account in ACCOUNTS]
