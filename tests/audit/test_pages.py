"""The page of the trail, its filters, its words, the download and the API."""

from __future__ import annotations

import ast
import csv
import io
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils.translation import override
from rest_framework.test import APIClient

from apps.accounts.models import Center, User
from apps.accounts.policy import Role
from apps.audit.models import AuditEvent
from apps.audit.selectors import chosen_events
from apps.audit.services import record
from apps.audit.words import actions, kinds, shown_reason
from apps.core.spreadsheet import safe_cell
from apps.crf.services import save_form
from apps.patients.models import Patient
from tests.conftest import ROOT
from tests.factories import PatientFactory, user_with
from tests.layout import sources

pytestmark = pytest.mark.django_db
Users = dict[Role, User]
ClientAs = Callable[[User], Client]
PAGE, CSV, API = "/audit/", "/audit/download/", "/api/v1/audit/"


def add(patient: Patient, actor: User | None = None, action: str = "enroll", **values: Any) -> AuditEvent:
    with transaction.atomic():
        return record(actor=actor, action=action, target=patient, center=patient.center, **values)


@pytest.fixture
def trail(users: Users, patient: Patient, foreign_patient: Patient) -> list[AuditEvent]:
    """Enrollment in two centers on two days, a form that was entered and corrected, and an event of no center."""
    day = datetime(2026, 3, 1, 23, 59, 59, 999999, tzinfo=UTC)
    enrolled = [add(patient, users[Role.COORDINATOR], at=day), add(foreign_patient, at=day + timedelta(microseconds=1))]
    for version, (values, reason) in enumerate(
        [
            ({"onset_to_ct_hours": 2.5, "sex": "male", "ivh": True}, ""),
            ({"onset_to_ct_hours": 3.5}, "new source data: CT"),
        ]
    ):
        save_form(actor=users[Role.COORDINATOR], patient=patient, read_version=version, values=values, reason=reason)
    with transaction.atomic():
        study = record(actor=users[Role.SCIENTIST], action="freeze_snapshot", target=users[Role.SCIENTIST])
    return [*enrolled, *AuditEvent.objects.filter(action="save_form").order_by("pk"), study]


def shown(client: Client, query: str = "") -> list[str]:
    """Return the rows of the page as texts."""
    answer = client.get(f"{PAGE}?{query}")
    assert answer.status_code == 200
    body = answer.content.decode().partition("<tbody>")[2].partition("</tbody>")[0]
    return [" ".join(re.sub(r"<[^>]+>", " ", row).split()) for row in body.split("</tr>")[:-1]]


def test_a_row_says_when_who_what_and_why(users: Users, trail: list[AuditEvent], client_as: ClientAs) -> None:
    rows = shown(client_as(users[Role.MONITOR]))
    assert len(rows) == 5
    correction, entry = rows[1], rows[2]
    at = trail[3].at
    assert correction.startswith(f"{at:%Y-%m-%d} {at:%H:%M:%S} {users[Role.COORDINATOR].full_name}")
    assert "C1-0001 Entered values into the case report form" in correction
    assert "Onset to first CT before: 2.5 hours → now: 3.5 hours" in correction
    assert correction.endswith("New source data: CT")
    assert "Sex now: Male" in entry
    assert "Extension to the ventricles (IVH) now: Yes" in entry
    assert rows[3].startswith("2026-03-02 00:00:00 the platform C2-0001 Enrolled the patient")


def test_it_is_read_in_chinese(users: Users, trail: list[AuditEvent], client_as: ClientAs) -> None:
    html = client_as(users[Role.MONITOR]).get(PAGE, headers={"accept-language": "zh-hans"}).content.decode()
    assert "<h1>稽查轨迹</h1>" in html
    assert "3.5 小时" in html
    assert "新的源数据: CT" in html


@pytest.mark.parametrize(
    ("query", "which"),
    [
        ("patient=C1-0001", [3, 2, 0]),
        ("patient=c1-0001", [3, 2, 0]),
        ("patient=C9-9999", []),
        ("action=save_form", [3, 2]),
        ("kind=crf.crfform", [3, 2]),
        ("kind=patients.patient", [1, 0]),
        ("center=C2", [1]),
        ("since=2026-03-02&until=2026-03-02", [1]),
        ("until=2026-03-01", [0]),
        ("since=0001-01-01&until=9999-12-31&action=save_form", [3, 2]),
        ("patient=C1-0001&action=enroll", [0]),
        ("person=COORDINATOR", [3, 2, 0]),
        ("person=COORDINATOR&center=C2", []),
    ],
)
def test_filters(
    users: Users, trail: list[AuditEvent], api_as: Callable[[User], APIClient], query: str, which: list[int]
) -> None:
    query = query.replace("COORDINATOR", str(users[Role.COORDINATOR].pk))
    answer = api_as(users[Role.MONITOR]).get(f"{API}?{query}").json()
    assert [event["id"] for event in answer["results"]] == [trail[number].pk for number in which]
    assert answer["next"] is None


@pytest.mark.parametrize(
    "query",
    [
        "since=yesterday", "until=2026-02-30", "action=nonsense", "kind=nonsense", "center=C9", "person=0", "person=x",
        "since=2026-03-02&until=2026-03-01", "patient=%00", "patient=" + "x" * 21, "before=x", "before=0",
        "before=99999999999999999999", "person=99999999999999999999",
    ],
)  # fmt: skip
def test_what_cannot_be_looked_for_shows_nothing(
    users: Users, trail: list[AuditEvent], client_as: ClientAs, api_as: Callable[[User], APIClient], query: str
) -> None:
    """Never all events, which would be taken for the answer."""
    client = client_as(users[Role.MONITOR])
    html = client.get(f"{PAGE}?{query}").content.decode()
    assert "nothing is shown" in html
    assert "<tbody>" not in html
    assert client.get(f"{CSV}?{query}").status_code == 422
    assert api_as(users[Role.MONITOR]).get(f"{API}?{query}").status_code == 422


def test_a_monitor_of_one_center_sees_no_other(
    users: Users, trail: list[AuditEvent], two_centers: tuple[Center, Center], client_as: ClientAs, api_as: Any
) -> None:
    monitor = user_with(Role.MONITOR, two_centers[1], everywhere=False)
    assert [row.split()[4:6] for row in shown(client_as(monitor))] == [["C2-0001", "Enrolled"]]
    assert shown(client_as(monitor), "patient=C1-0001") == shown(client_as(monitor), "patient=C1-9999") == []
    for query in ("center=C1", f"person={users[Role.COORDINATOR].pk}"):
        assert api_as(monitor).get(f"{API}?{query}").status_code == 422
    assert client_as(monitor).get(f"{PAGE}?before={trail[3].pk}").status_code == 404
    assert "C1-0001" not in b"".join(client_as(monitor).get(CSV)).decode()


def test_pages_follow_each_other_without_loss(users: Users, patient: Patient, client_as: ClientAs, api_as: Any) -> None:
    same = datetime(2026, 5, 1, tzinfo=UTC)  # what was done at one moment may lie on two pages
    events = [add(patient, users[Role.COORDINATOR], at=same + timedelta(seconds=number // 70)) for number in range(120)]
    client, found, address = api_as(users[Role.PI]), [], f"{API}?action=enroll"
    while address:
        answer = client.get(address).json()
        found += [event["id"] for event in answer["results"]]
        address = answer["next"]
    assert found == [event.pk for event in reversed(events)]
    html = client_as(users[Role.PI]).get(f"{PAGE}?action=enroll").content.decode()
    older = re.search(r'rel="next" href="([^"]+)"', html)
    assert older is not None
    assert older[1] == f"/audit/?action=enroll&amp;before={events[70].pk}"
    assert "Newest" in client_as(users[Role.PI]).get(older[1].replace("&amp;", "&")).content.decode()


def test_the_download_is_what_the_page_shows(users: Users, trail: list[AuditEvent], client_as: ClientAs) -> None:
    answer = client_as(users[Role.DATA_MANAGER]).get(f"{CSV}?patient=C1-0001")
    assert answer["Content-Disposition"].startswith('attachment; filename="audit-trail-')
    text = b"".join(answer).decode("utf-8-sig")
    lines = list(csv.DictReader(io.StringIO(text)))
    assert [(line["Event"], line["Variable"], line["Old value"], line["New value"]) for line in lines] == [
        (str(trail[3].pk), "Onset to first CT", "2.5 hours", "3.5 hours"),
        (str(trail[2].pk), "Sex", "", "Male"),
        (str(trail[2].pk), "Onset to first CT", "", "2.5 hours"),
        (str(trail[2].pk), "Extension to the ventricles (IVH)", "", "Yes"),
        (str(trail[0].pk), "", "", ""),
    ]
    first = lines[0]
    assert first["Time (UTC)"] == f"{trail[3].at:%Y-%m-%d %H:%M:%S}"
    assert (first["Person"], first["User name"]) == (trail[3].actor.full_name, trail[3].actor.username)
    assert (first["Center"], first["Study id"], first["Reason"]) == ("C1", "C1-0001", "New source data: CT")


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_a_spreadsheet_computes_nothing(users: Users, patient: Patient, client_as: ClientAs, start: str) -> None:
    formula = f"{start}HYPERLINK(1)"
    assert safe_cell(formula) == f"'{formula}"
    add(patient, users[Role.COORDINATOR], changes={formula: [formula, formula]}, reason=formula)
    text = b"".join(client_as(users[Role.PI]).get(CSV)).decode("utf-8-sig")
    cells = [cell for row in csv.reader(io.StringIO(text, newline="")) for cell in row]
    assert cells.count(f"'{formula}") == 4
    assert formula not in cells


def test_what_was_typed_is_no_html(users: Users, patient: Patient, client_as: ClientAs) -> None:
    attack = "<script>alert(1)</script>"
    add(patient, users[Role.COORDINATOR], changes={attack: [attack, attack]}, reason=attack)
    assert attack not in client_as(users[Role.PI]).get(PAGE).content.decode()


def test_the_navigation_leads_there_for_who_may(users: Users, client_as: ClientAs) -> None:
    leads = {role for role, user in users.items() if b'href="/audit/"' in client_as(user).get("/", follow=True).content}
    assert leads == {Role.DATA_MANAGER, Role.PI, Role.MONITOR}


def test_the_number_of_queries_does_not_grow(users: Users, trail: list[AuditEvent], client_as: ClientAs) -> None:
    client = client_as(users[Role.MONITOR])

    def queries(address: str) -> int:
        with CaptureQueriesContext(connection) as captured:
            answer = client.get(address)
            assert answer.status_code == 200
            b"".join(answer)
        return len(captured)

    queries(PAGE)
    addresses = PAGE, CSV, f"{PAGE}?patient=C1-0001"
    few = [queries(address) for address in addresses]
    for number in range(2, 42):
        other = PatientFactory(study_id=f"C1-{number:04d}", center=trail[0].center)
        add(other, users[Role.COORDINATOR])
        save_form(actor=users[Role.COORDINATOR], patient=other, read_version=0, values={"age": number})
    assert [queries(address) for address in addresses] == few
    assert max(few) < 25


@pytest.mark.parametrize("name", ["", "person", "action", "kind", "center"])
def test_a_page_is_read_from_an_index(users: Users, patient: Patient, name: str) -> None:
    """However long the trail is, a page begins where its filter's newest event stands."""
    rows = [
        AuditEvent(
            at=datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=number), actor=users[Role.PI],
            center=patient.center,
            action="enroll" if number % 50 else "predict", object_id="1",
            object_type="patients.patient" if number % 50 else "predictions.prediction",
        )
        for number in range(3000)
    ]  # fmt: skip
    AuditEvent.objects.bulk_create(rows)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE audit_auditevent")
    chosen = {"person": users[Role.PI], "action": "predict", "kind": "predictions.prediction", "center": patient.center}
    values = {name: chosen[name]} if name else {}
    before = rows[2000].pk
    plan = chosen_events(users[Role.MONITOR], values | {"before": before})[:51].explain()
    assert "audit_newest" in plan or "audit_by_" in plan
    assert "Seq Scan on audit_auditevent" not in plan
    assert "SCAN audit_auditevent" not in plan.replace("SCAN audit_auditevent USING INDEX", "")
    assert "TEMP B-TREE" not in plan


def test_every_action_and_kind_has_words() -> None:
    """Read from the source: what `record(action=...)` is called with."""
    found = set()
    for path in sources(ROOT, "apps"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.keyword) and node.arg == "action" and isinstance(node.value, ast.Constant):
                found.add(node.value.value)
    found = {key for key in found if key not in {"store_true", "append"}}
    assert len(found) > 15
    assert found <= set(actions)
    with override("zh-hans"):
        for part in [*actions.values(), *kinds.values()]:
            assert re.search(r"[\u4e00-\u9fff]", str(getattr(part, "sentence", None) or part.name)), part  # type: ignore[union-attr]


def test_the_way_from_each_kind_to_its_patient_is_there() -> None:
    for kind in kinds.values():
        if kind.study_id:
            from django.apps import apps

            model = apps.get_model(kind.object_type)
            assert list(model._default_manager.filter(**{kind.study_id: "none"}).values_list("pk", kind.study_id)) == []


def test_a_reason_of_ones_own_stays_as_it_is() -> None:
    assert shown_reason("typing error: digits") == "Typing error: digits"
    assert shown_reason("no error: digits") == "no error: digits"
    assert shown_reason("") == ""
