"""Objects for tests, made through the models (services have tests of their own)."""

from __future__ import annotations

import factory

from apps.accounts.models import Center, Membership, User
from apps.accounts.policy import CENTER_ROLES, Role
from apps.patients.models import Patient

PASSWORD = "correct horse battery"


class CenterFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Center

    code = factory.Sequence(lambda n: f"C{n + 1}")
    name = factory.LazyAttribute(lambda center: f"Center {center.code}")


class UserFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = User

    username = factory.Sequence(lambda n: f"user{n}")
    full_name = factory.LazyAttribute(lambda user: user.username.title())
    email = factory.LazyAttribute(lambda user: f"{user.username}@example.org")
    password = factory.django.Password(PASSWORD)


class PatientFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Patient

    center = factory.SubFactory(CenterFactory)
    study_id = factory.Sequence(lambda n: f"X-{n + 1:04d}")
    enrolled_by = factory.SubFactory(UserFactory)


def user_with(role: Role, center: Center, *, everywhere: bool | None = None) -> User:
    """Return a new user with one role: in `center` where the role is a center's or everywhere is False."""
    everywhere = role not in CENTER_ROLES if everywhere is None else everywhere
    user = UserFactory(username=f"{role}-{center.code.lower()}")
    Membership.objects.create(user=user, role=role, center=None if everywhere else center)
    return user
