"""A mask that counts, as a reviewer's approval leaves it."""

from apps.accounts.models import Center, User
from apps.accounts.policy import Role
from apps.annotation.models import Mask
from apps.annotation.review import approve_mask
from tests.factories import user_with


def approved(mask: Mask) -> Mask:
    """Have a reviewer approve a version."""
    return approve_mask(actor=reviewer_of(mask.patient.center), mask=mask)


def reviewer_of(center: Center) -> User:
    known = User.objects.filter(username=f"{Role.REVIEWER}-{center.code.lower()}").first()
    return known or user_with(Role.REVIEWER, center)
