"""Roles in centers: what the database refuses, what the services refuse, and what a permission opens."""

from __future__ import annotations

from itertools import product

import pytest
from django.db import IntegrityError, transaction
from django.db.models import ProtectedError

from apps.accounts import services
from apps.accounts.access import centers_with, has_permission, has_permission_everywhere, in_centers, roles_of
from apps.accounts.models import Center, Membership, User
from apps.accounts.policy import CENTER_ROLES, MATRIX, Permission, Role, roles_with
from apps.accounts.selectors import accounts_visible_to
from apps.core.errors import Conflict, Refusal
from apps.patients.models import Patient
from tests.factories import UserFactory, user_with

pytestmark = pytest.mark.django_db


def test_one_role_once_in_a_center(two_centers: tuple[Center, Center]) -> None:
    user = user_with(Role.PI, two_centers[0], everywhere=False)
    Membership.objects.create(user=user, role=Role.PI, center=two_centers[1])
    with pytest.raises(IntegrityError), transaction.atomic():
        Membership.objects.create(user=user, role=Role.PI, center=two_centers[0])


def test_one_role_once_everywhere(two_centers: tuple[Center, Center]) -> None:
    """In SQL two empty centers are not equal, so this needs more than a plain unique constraint."""
    user = user_with(Role.PI, two_centers[0], everywhere=True)
    with pytest.raises(IntegrityError), transaction.atomic():
        Membership.objects.create(user=user, role=Role.PI, center=None)


@pytest.mark.parametrize("role", sorted(CENTER_ROLES))
def test_a_center_role_without_center_is_refused(role: Role) -> None:
    user = UserFactory()
    with pytest.raises(IntegrityError), transaction.atomic():
        Membership.objects.create(user=user, role=role, center=None)


def test_a_center_with_patients_stays(patient: Patient) -> None:
    with pytest.raises(ProtectedError):
        patient.center.delete()


@pytest.mark.parametrize("code", ["", "c1", "1C", "C-1", "C1\n", "TOOLONGCODE", "Ü"])
def test_a_center_code_that_could_not_stand_in_a_study_id_is_refused(code: str, db: None) -> None:
    center = Center(code=code, name="Center")
    with pytest.raises(Exception, match=r"code|Use capital"):
        center.full_clean()


class TestAccess:
    def test_a_role_in_one_center_reaches_no_other(self, two_centers: tuple[Center, Center]) -> None:
        own, foreign = two_centers
        for role, permission in product(Role, Permission):
            user = UserFactory()
            Membership.objects.create(user=user, role=role, center=own)
            holds = permission in MATRIX[role]
            assert has_permission(user, permission, own) == holds
            assert not has_permission(user, permission, foreign)
            assert not has_permission_everywhere(user, permission)
            assert list(centers_with(user, permission)) == ([own] if holds else [])

    def test_roles_in_two_centers_are_not_mixed(self, two_centers: tuple[Center, Center]) -> None:
        first, second = two_centers
        user = UserFactory()
        Membership.objects.create(user=user, role=Role.ASSESSOR, center=first)
        Membership.objects.create(user=user, role=Role.COORDINATOR, center=second)
        assert list(centers_with(user, Permission.VIEW_PATIENTS)) == [first, second]
        assert list(centers_with(user, Permission.VIEW_SCORES)) == [second]
        assert not has_permission(user, Permission.VIEW_SCORES, first)

    @pytest.mark.parametrize("everywhere", [None, Role.DATA_MANAGER, Role.PI, Role.SCIENTIST])
    def test_rows_are_found_by_centers_as_centers_are_listed(
        self, two_centers: tuple[Center, Center], patient: Patient, foreign_patient: Patient, everywhere: Role | None
    ) -> None:
        first, second = two_centers
        for role, other in product(Role, [None, *Role]):
            user = UserFactory()
            held = [(role, first), (other, second), (everywhere, None)]
            for given, center in held:
                if given is not None:
                    Membership.objects.create(user=user, role=given, center=center)
            for permission in Permission:
                rows = Patient.objects.filter(in_centers(user, permission, "center"))
                listed = Patient.objects.filter(center__in=centers_with(user, permission))
                assert set(rows) == set(listed), (held, permission)

    def test_an_inactive_account_holds_nothing(self, two_centers: tuple[Center, Center]) -> None:
        user = user_with(Role.PI, two_centers[0])
        user.is_active = False
        assert roles_of(user) == []
        assert not any(has_permission(user, permission) for permission in Permission)

    def test_only_the_administrator_lists_accounts(self, users: dict[Role, User]) -> None:
        for role, user in users.items():
            assert accounts_visible_to(user).exists() == (role is Role.ADMINISTRATOR)


class TestPolicy:
    """The rules of the roles that the study's protocol gives, beside the table of tests/test_urls.py."""

    def test_every_role_has_a_row(self) -> None:
        assert set(MATRIX) == set(Role)
        assert len(Role) == 9
        assert {p for granted in MATRIX.values() for p in granted} == set(Permission)

    def test_the_outcome_assessor_is_blinded(self) -> None:
        blind = {
            Permission.VIEW_SCORES,
            Permission.VIEW_PREDICTIONS,
            Permission.VIEW_DASHBOARD,
            Permission.VIEW_EXPERIMENTS,
        }
        assert not MATRIX[Role.ASSESSOR] & blind

    def test_the_administrator_sees_no_clinical_data(self) -> None:
        assert MATRIX[Role.ADMINISTRATOR] == {Permission.MANAGE_ACCOUNTS}
        assert roles_with(Permission.MANAGE_ACCOUNTS) == [Role.ADMINISTRATOR]

    def test_the_monitor_only_reads_and_asks(self) -> None:
        does = {permission for permission in MATRIX[Role.MONITOR] if not permission.value.startswith("view_")}
        assert does == {Permission.OPEN_QUERIES}

    def test_the_scientist_opens_no_patient(self) -> None:
        assert not {Permission.VIEW_PATIENTS, Permission.VIEW_CRF, Permission.VIEW_IMAGING} & MATRIX[Role.SCIENTIST]


class TestServices:
    def test_a_weak_password_is_refused_with_the_reason(self, db: None) -> None:
        with pytest.raises(Refusal, match=r"too short|too common|entirely numeric") as refused:
            services.create_user(username="a", full_name="A", email="a@example.org", password="1234")
        assert refused.value.code == "weak_password"
        assert not User.objects.filter(username="a").exists()

    def test_a_username_is_given_once(self, db: None) -> None:
        details = {"full_name": "A", "email": "a@example.org", "password": "correct horse battery"}
        user = services.create_user(username="same", **details)
        assert user.check_password("correct horse battery")
        with pytest.raises(Refusal, match="already exists"):
            services.create_user(username="same", **details)

    def test_a_role_is_given_once_and_a_center_role_needs_its_center(self, two_centers: tuple[Center, Center]) -> None:
        user = UserFactory()
        with pytest.raises(Refusal, match="belongs to one center"):
            services.give_role(user=user, role=Role.COORDINATOR, center=None)
        services.give_role(user=user, role=Role.PI, center=None)
        with pytest.raises(Conflict):
            services.give_role(user=user, role=Role.PI, center=None)
        assert user.memberships.count() == 1

    @pytest.mark.parametrize("code", ["c1", "", "TOOLONGCODE"])
    def test_a_bad_center_code_is_refused_with_a_sentence(self, code: str, db: None) -> None:
        with pytest.raises(Refusal, match="code"):
            services.create_center(code=code, name="Center")
