"""The patient list: what is found, in which order, how many questions to the database, and what a role is shown."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.http import QueryDict
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.accounts.models import Center, Membership, User
from apps.accounts.policy import Role
from apps.patients import page as parts
from apps.patients.listing import PAGE_SIZE, list_patients
from apps.patients.models import Patient
from tests.factories import UserFactory, user_with

pytestmark = pytest.mark.django_db
COUNT = 60
DAY = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def many(two_centers: tuple[Center, Center]) -> list[Patient]:
    """Patients of two centers; a third of them share the minute of their enrollment."""
    owner = UserFactory()
    rows = [
        Patient(
            study_id=f"{center.code}-{number:04d}",
            center=center,
            enrolled_by=owner,
            enrolled_at=DAY + timedelta(days=number % 7),
        )
        for center in two_centers
        for number in range(1, COUNT // 2 + 1)
    ]
    return Patient.objects.bulk_create(rows)


@pytest.fixture
def pi(two_centers: tuple[Center, Center]) -> User:
    return user_with(Role.PI, two_centers[0])


def found(user: User, query: str) -> list[str]:
    return [patient.study_id for patient, _ in list_patients(user, QueryDict(query)).rows]


def test_a_page_holds_25_of_all(many: list[Patient], pi: User) -> None:
    listing = list_patients(pi, QueryDict())
    assert (len(listing.rows), listing.page.paginator.count, listing.total) == (PAGE_SIZE, COUNT, COUNT)
    assert PAGE_SIZE == 25


def test_search_finds_parts_of_study_ids(many: list[Patient], pi: User) -> None:
    assert found(pi, "q=c2-0007") == ["C2-0007"]
    assert found(pi, "q= -0007 ") == ["C1-0007", "C2-0007"]
    assert found(pi, "q=%25") == found(pi, "q=_") == [], "no wildcards"


def test_center_filter(many: list[Patient], pi: User) -> None:
    listing = list_patients(pi, QueryDict("center=C2"))
    assert {patient.center.code for patient, _ in listing.rows} == {"C2"}
    assert listing.narrowed
    assert listing.page.paginator.count == COUNT // 2


def test_a_member_of_one_center_sees_that_center_alone(many: list[Patient], two_centers: Any) -> None:
    monitor = user_with(Role.MONITOR, two_centers[1], everywhere=False)
    listing = list_patients(monitor, QueryDict("center=C1"))
    assert {patient.center.code for patient, _ in listing.rows} == {"C2"}
    assert listing.total == COUNT // 2
    assert "center" not in [choice.key for choice in listing.filters], "one center is no choice"
    assert found(monitor, "q=C1") == []


def sorts() -> list[str]:
    keys = ["study_id", "enrolled", *(column.key for column in parts.columns.values() if column.sort)]
    return [sign + key for key in keys for sign in ("", "-")]


def test_every_sort_shows_each_patient_once_over_the_pages(many: list[Patient], pi: User) -> None:
    """Many patients are alike in what is sorted by, so an order without a tie-breaker would repeat some."""
    for sort in sorts():
        pages = [found(pi, f"sort={sort}&page={number}") for number in (1, 2, 3)]
        seen = [study_id for page in pages for study_id in page]
        assert sorted(seen) == sorted(patient.study_id for patient in many), sort
        assert pages == [found(pi, f"sort={sort}&page={number}") for number in (1, 2, 3)]


def test_sorts_sort(many: list[Patient], pi: User) -> None:
    days = {patient.study_id: patient.enrolled_at for patient in many}
    ascending = [days[study_id] for study_id in found(pi, "sort=enrolled")]
    assert ascending == sorted(ascending)
    descending = [days[study_id] for study_id in found(pi, "sort=-enrolled")]
    assert descending == sorted(descending, reverse=True)
    assert found(pi, "sort=-study_id")[0] == "C2-0030"


@pytest.mark.parametrize("page", ["0", "-1", "99", "x", "", "1e9", "9" * 5000, "²", "\x00"])
def test_a_page_that_is_not_there_shows_one_that_is(page: str, many: list[Patient], pi: User, client_as: Any) -> None:
    answer = client_as(pi).get("/patients/", {"page": page})
    assert answer.status_code == 200
    assert answer.context["listing"].page.number in {1, 3}


PARAMETERS = st.sampled_from(["q", "center", "sort", "page", "ct", "crf", "outcome", "unknown", "__in", "center__name"])
VALUES = st.one_of(
    st.text(max_size=60),
    st.sampled_from(
        ["\x00", "C1\x00", "x" * 5000, "--study_id", "-", "center__name", "enrolled_by__password", "%", "'"]
    ),
)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(query=st.dictionaries(PARAMETERS, VALUES, max_size=5))
def test_no_query_string_breaks_the_list(query: dict[str, str], many: list[Patient], pi: User, client_as: Any) -> None:
    answer = client_as(pi).get("/patients/", {key: value.encode("utf-8", "replace") for key, value in query.items()})
    assert answer.status_code == 200


def test_unknown_values_are_ignored(many: list[Patient], pi: User) -> None:
    plain = found(pi, "")
    assert found(pi, "sort=enrolled_by__password&center=C9&ct=maybe&unknown=1") == plain


@pytest.mark.parametrize("role", [Role.PI, Role.COORDINATOR, Role.ASSESSOR, Role.ANNOTATOR])
def test_a_full_page_costs_as_many_queries_as_a_short_one(
    role: Role, two_centers: tuple[Center, Center], client_as: Any
) -> None:
    client = client_as(user_with(role, two_centers[0]))
    owner = UserFactory()

    def enroll(first: int, last: int) -> None:
        Patient.objects.bulk_create(
            Patient(study_id=f"C1-{n:04d}", center=two_centers[0], enrolled_by=owner) for n in range(first, last + 1)
        )

    def queries() -> int:
        with CaptureQueriesContext(
            connection,
        ) as captured:
            assert client.get("/patients/").status_code == 200
        return len(captured)

    enroll(1, 2)
    few = queries()
    enroll(3, PAGE_SIZE)
    assert queries() <= few
    assert few <= 25


def shown_columns(client: Any) -> set[str]:
    return {column.key for column in client.get("/patients/").context["listing"].columns}


def test_blinded_roles_see_no_score_and_no_prediction(many: list[Patient], two_centers: Any, client_as: Any) -> None:
    results = {"ich_score", "ich_gs", "probability"}
    for role in (Role.PI, Role.COORDINATOR, Role.DATA_MANAGER):
        assert results <= shown_columns(client_as(user_with(role, two_centers[0])))
    for role in (Role.ASSESSOR, Role.ANNOTATOR, Role.REVIEWER, Role.MONITOR):
        client = client_as(user_with(role, two_centers[0]))
        assert not results & shown_columns(client)
        page = client.get("/patients/C1-0001/")
        assert not {"scores", "prediction"} & {part["section"].key for part in page.context["sections"]}
        assert b"ICH-GS" not in page.content and b"ICH-GS" not in client.get("/patients/").content


def test_blinded_in_one_center_and_coordinator_in_another(many: list[Patient], two_centers: Any) -> None:
    """What he may see in his own center must not uncover the center in which he is blinded."""
    blinded, own = two_centers
    user = UserFactory()
    Membership.objects.create(user=user, role=Role.ASSESSOR, center=blinded)
    Membership.objects.create(user=user, role=Role.COORDINATOR, center=own)
    asked: list[str] = []
    secret = parts.Column(
        "secret", 99, "Secret", parts.Permission.VIEW_SCORES,
        lambda patients: asked.extend(p.study_id for p in patients) or {p.pk: "7" for p in patients},  # type: ignore[func-returns-value]
        sort="enrolled_at",
    )  # fmt: skip
    parts.register(secret)
    try:
        listing = list_patients(user, QueryDict("sort=-secret"))
        values = {p.center.code: dict((c.key, v) for c, v in cells)["secret"] for p, cells in listing.rows}
        list_patients(user, QueryDict("page=2"))
    finally:
        del parts.columns["secret"]
    assert values["C1"] is None
    assert asked and all(study_id.startswith("C2-") for study_id in asked)
    assert listing.sort == "study_id", "the order would tell the values"


def test_htmx_gets_the_table_alone_and_history_the_whole_page(many: list[Patient], pi: User, client_as: Any) -> None:
    client = client_as(pi)
    table = client.get("/patients/?q=C2", headers={"hx-request": "true"})
    assert b"<html" not in table.content and b"C2-0001" in table.content
    restored = client.get("/patients/?q=C2", headers={"hx-request": "true", "hx-history-restore-request": "true"})
    assert b"<html" in restored.content
    assert "HX-Request" in table["Vary"], "or a browser would show the table alone when it goes back"


def test_links_keep_the_rest_of_the_query(many: list[Patient], pi: User, client_as: Any) -> None:
    page = client_as(pi).get("/patients/?q=C&sort=enrolled&center=C1&page=2").content.decode()
    assert "?q=C&amp;sort=-enrolled&amp;center=C1" in page, "the head turns the order round and begins anew"
    assert "page=1" in page and 'aria-sort="ascending"' in page


def test_an_empty_study_says_so(pi: User, client_as: Any) -> None:
    assert b"No patient is enrolled yet." in client_as(pi).get("/patients/").content
    assert b"No patient fits." in client_as(pi).get("/patients/?q=zzz").content
