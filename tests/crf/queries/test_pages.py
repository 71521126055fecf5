"""The worklist, the thread, the queries beside a field, and the API of the same."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from rest_framework.test import APIClient

from apps.accounts.models import User
from apps.accounts.policy import Role
from apps.core.jobs import run_job
from apps.core.models import Job
from apps.crf.queries.models import Query, RuleRun
from apps.crf.queries.running import run_rules
from apps.crf.queries.services import close_query, open_query
from apps.patients.models import Patient
from tests.crf.queries.conftest import Save, query_on
from tests.factories import PatientFactory

pytestmark = pytest.mark.django_db
Users = dict[Role, User]
ClientAs = Callable[[User], Client]
ApiAs = Callable[[User], APIClient]
HTMX = {"hx-request": "true"}


@pytest.fixture
def asked(users: Users, doubtful: Patient) -> Query:
    return open_query(actor=users[Role.DATA_MANAGER], patient=doubtful, variable="age", text="Is <b>it</b> right?")


def page(client: Client, address: str = "/queries/", **headers: str) -> str:
    answer = client.get(address, headers=headers)
    assert answer.status_code == 200
    return " ".join(answer.content.decode().split())


def listed(html: str) -> list[int]:
    return [int(number) for number in re.findall(r'<td class="query-question"><a href="/queries/(\d+)/"', html)]


def test_the_oldest_comes_first_with_its_age(users: Users, asked: Query, client_as: ClientAs) -> None:
    run_rules()
    Query.objects.filter(rule="range").update(opened_at=timezone.now() - timedelta(days=9, hours=3))
    html = page(client_as(users[Role.COORDINATOR]))
    assert listed(html)[0] == query_on("range").pk
    assert 'query-age">9 days<' in html
    assert "oldest: <strong>9</strong> days" in html
    assert "Systolic blood pressure: 300 mmHg is unusual (usually from 80 to 260 mmHg). Check it." in html
    assert "Is &lt;b&gt;it&lt;/b&gt; right?" in html
    assert "data-bulk-all" not in html
    assert "Run the rules" not in html


def test_each_filter_narrows(users: Users, asked: Query, foreign_patient: Patient, client_as: ClientAs) -> None:
    run_rules()
    manager = users[Role.DATA_MANAGER]
    foreign = open_query(actor=manager, patient=foreign_patient, variable="gcs", text="Which hour?")
    closed = close_query(actor=manager, query=query_on("blank", "sex"))
    client, total = client_as(manager), Query.objects.count()
    everything = {
        "": total - 1,
        "?state=closed": 1,
        "?state=all": total,
        "?rule=person": 2,
        "?rule=inconsistent": 1,
        "?variable=gcs": 1 + Query.objects.filter(variable="gcs", rule__gt="").count(),
        "?patient=c2-0001": 1,
        "?center=C2": 1,
        "?whose=mine": 0,
        "?whose=waiting": 0,
    }
    counts = {}
    for query in everything:
        html = page(client, f"/queries/{query}")
        pages = re.search(r"of (\d+)</span>", html)
        counts[query] = int(pages[1]) if pages else 0
    assert counts == everything
    assert listed(page(client, "/queries/?center=C2")) == [foreign.pk]
    assert listed(page(client, "/queries/?state=closed")) == [closed.pk]
    assert "nothing is shown" in page(client, "/queries/?center=C9")


def test_the_navigation_says_how_many_wait(users: Users, asked: Query, client_as: ClientAs) -> None:
    html = page(client_as(users[Role.COORDINATOR]), "/patients/")
    assert re.search(r'href="/queries/".*?<span class="badge">1<span class="visually-hidden"> waiting for you', html)
    assert "waiting for you" not in page(client_as(users[Role.MONITOR]), "/patients/")


def test_a_worklist_costs_the_same_however_long(users: Users, asked: Query, save: Save, client_as: ClientAs) -> None:
    client = client_as(users[Role.DATA_MANAGER])

    def cost(address: str) -> int:
        with CaptureQueriesContext(connection) as captured:
            page(client, address)
        return len(captured)

    addresses = ["/queries/", f"/patients/{asked.patient}/crf/", f"/patients/{asked.patient}/crf/queries/age/"]
    few = [cost(address) for address in addresses]
    run_rules()
    for _ in range(3):
        open_query(actor=users[Role.MONITOR], patient=asked.patient, variable="age", text="And now?")
    assert [cost(address) for address in addresses] == few
    assert len(listed(page(client))) > 20


def test_the_thread_offers_what_the_reader_may_do(users: Users, asked: Query, client_as: ClientAs) -> None:
    address = f"/queries/{asked.pk}/"

    def offers(role: Role) -> set[str]:
        return set(re.findall(rf'(?:form)?action="{address}(\w+)/"', page(client_as(users[role]), address)))

    assert offers(Role.COORDINATOR) == {"answer"}
    assert offers(Role.DATA_MANAGER) == {"close", "assign"}
    assert offers(Role.MONITOR) == set()
    answer = client_as(users[Role.COORDINATOR]).post(f"{address}answer/", {"text": "Yes"})
    assert (answer.status_code, answer["Location"]) == (302, address)
    assert offers(Role.DATA_MANAGER) == {"close", "reopen", "assign"}
    assert offers(Role.COORDINATOR) == set()


def test_a_refusal_keeps_what_was_typed(users: Users, asked: Query, client_as: ClientAs) -> None:
    client = client_as(users[Role.COORDINATOR])
    client.post(f"/queries/{asked.pk}/answer/", {"text": "Yes"})
    answer = client.post(f"/queries/{asked.pk}/answer/", {"text": "Yes again"})
    assert answer.status_code == 409
    assert "The query is answered by now." in answer.content.decode()
    empty = client.post(f"/queries/{asked.pk}/answer/", {"text": " "})
    assert empty.status_code == 422


def test_beside_the_field_is_a_mark_that_opens_the_thread(users: Users, asked: Query, client_as: ClientAs) -> None:
    form = f"/patients/{asked.patient}/crf/"
    html = page(client_as(users[Role.COORDINATOR]), form)
    assert re.findall(r'hx-get="[^"]*/queries/(\w+)/"', html) == ["age"]
    assert "1 query<" in html
    assert "Ask about this value" not in html
    assert "Ask about this value" in page(client_as(users[Role.MONITOR]), form)
    assert 'hx-get="/patients/C1-0001/crf/queries' not in page(client_as(users[Role.ASSESSOR]), form)
    fragment = page(client_as(users[Role.COORDINATOR]), f"{form}queries/age/", **HTMX)
    assert "<html" not in fragment
    assert "Is &lt;b&gt;it&lt;/b&gt; right?" in fragment


def test_a_monitor_asks_about_a_value(users: Users, doubtful: Patient, client_as: ClientAs) -> None:
    address = f"/patients/{doubtful}/crf/queries/gcs/"
    client = client_as(users[Role.MONITOR])
    assert client.post(address, {"text": "Before sedation?"}).status_code == 302
    assert (Query.objects.get().variable, Query.objects.get().about) == ("gcs", {"gcs": 15})
    assert "Before sedation?" in page(client, address)
    assert client.post(address, {"text": ""}).status_code == 422
    assert client.get(f"/patients/{doubtful}/crf/queries/color/").status_code == 404


def test_ticked_queries_are_closed_or_assigned(users: Users, doubtful: Patient, client_as: ClientAs) -> None:
    run_rules()
    client, keys = client_as(users[Role.DATA_MANAGER]), list(Query.objects.values_list("pk", flat=True)[:3])
    coordinator = users[Role.COORDINATOR]
    data = {"queries": keys, "action": "assign", "to": coordinator.pk, "back": "/queries/?state=open"}
    answer = client.post("/queries/bulk/", data)
    assert (answer.status_code, answer["Location"]) == (302, "/queries/?state=open")
    assert set(Query.objects.filter(assigned_to=coordinator).values_list("pk", flat=True)) == set(keys)
    html = client.post("/queries/bulk/", data | {"action": "close", "text": "seen"}, follow=True).content.decode()
    assert "Closed 3 queries." in html
    assert Query.objects.filter(state="closed").count() == 3
    assert "Nothing was done" in client.post("/queries/bulk/", data | {"action": "close"}, follow=True).content.decode()
    assert "tick the queries" in client.post("/queries/bulk/", {"action": "close"}, follow=True).content.decode()
    elsewhere = client.post("/queries/bulk/", data | {"back": "https://example.org/"})
    assert elsewhere["Location"] == "/queries/"


def test_pasted_study_ids(users: Users, doubtful: Patient, client_as: ClientAs) -> None:
    PatientFactory(study_id="C1-0002", center=doubtful.center, enrolled_by=users[Role.COORDINATOR])
    client = client_as(users[Role.DATA_MANAGER])
    data = {"patients": "C1-0001, C1-0002\n\nc1-0002", "variable": "nihss", "text": "Is there a NIHSS?"}
    assert client.post("/queries/open/", data).status_code == 302
    assert Query.objects.count() == 2
    wrong = client.post("/queries/open/", data | {"patients": "C1-0001 C7-0001"})
    assert wrong.status_code == 422
    assert "C7-0001" in wrong.content.decode()


def test_a_run_from_the_button_to_its_result(users: Users, doubtful: Patient, client_as: ClientAs) -> None:
    client = client_as(users[Role.DATA_MANAGER])
    assert client.post("/queries/runs/").status_code == 302
    asked = RuleRun.objects.get()
    address = f"/queries/runs/{asked.pk}/"
    assert "Waiting for a worker" in page(client, address)
    assert client.post(f"{address}retry/").status_code == 409
    assert client_as(users[Role.PI]).get(address).status_code == 404
    run_job(job_id=asked.job_id)
    assert client.get(address)["HX-Trigger"] == "job-ended"
    assert f"1 forms: {Query.objects.count()} queries opened, 0 reopened, 0 closed" in page(client)
    Job.objects.update(state=Job.State.FAILED)
    assert client.post(f"{address}retry/").status_code == 302
    assert Job.objects.get().state == Job.State.QUEUED


def test_the_api_goes_the_same_way(users: Users, doubtful: Patient, api_as: ApiAs) -> None:
    manager, coordinator = api_as(users[Role.DATA_MANAGER]), api_as(users[Role.COORDINATOR])
    body = {"study_ids": ["C1-0001"], "variable": "age", "text": "At onset?"}
    (opened,) = manager.post("/api/v1/queries/", body, format="json").json()
    address = f"/api/v1/queries/{opened['id']}/"
    assert opened["actions"] == ["closed", "assigned"]
    assigned = manager.post(f"{address}assign/", {"assigned_to": "coordinator-c1"}, format="json").json()
    assert assigned["assigned_to"] == "coordinator-c1"
    assert coordinator.get("/api/v1/queries/?whose=mine").json()["count"] == 1
    answered = coordinator.post(f"{address}answer/", {"text": "Yes"}, format="json").json()
    assert (answered["state"], answered["actions"]) == ("answered", [])
    assert manager.post(f"{address}reopen/", {"text": "Sure?"}, format="json").json()["question"] == "Sure?"
    closed = manager.post("/api/v1/queries/bulk/", {"ids": [opened["id"]], "action": "close"}, format="json").json()
    assert [message["action"] for message in closed[0]["messages"]] == [
        "opened", "assigned", "answered", "reopened", "closed"
    ]  # fmt: skip
    again = manager.post(f"{address}close/", {}, format="json")
    assert (again.status_code, again.json()["code"]) == (409, "query_state")
    wrong = manager.get("/api/v1/queries/?center=C9")
    assert (wrong.status_code, wrong.json()["code"]) == (422, "query_filter")
    nobody = manager.post(f"{address}assign/", {"assigned_to": "nobody"}, format="json")
    assert (nobody.status_code, nobody.json()["code"]) == (422, "query_person")


def test_a_run_by_the_api(users: Users, doubtful: Patient, api_as: ApiAs) -> None:
    manager = api_as(users[Role.DATA_MANAGER])
    started = manager.post("/api/v1/queries/runs/")
    assert (started.status_code, started.json()["state"]) == (202, "queued")
    run_job(job_id=RuleRun.objects.get().job_id)
    told = manager.get(f"/api/v1/queries/runs/{started.json()['id']}/").json()
    assert (told["state"], told["opened"]) == ("succeeded", Query.objects.count())


def test_the_thread_shows_what_was_asked_about(
    users: Users, doubtful: Patient, save: Save, client_as: ClientAs
) -> None:
    run_rules()
    query = query_on("inconsistent.coma_fits_gcs")
    html = page(client_as(users[Role.MONITOR]), f"/queries/{query.pk}/")
    about = html.partition('<dl class="query-about">')[2].partition("</dl>")[0]
    assert re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", about) == [
        ("Glasgow Coma Scale when asked", "15"), ("Coma when asked", "Yes")
    ]  # fmt: skip
    save(doubtful, {"gcs": 6})
    html = page(client_as(users[Role.MONITOR]), f"/queries/{query.pk}/")
    assert "Glasgow Coma Scale is now: 6; Coma is now: Yes" in html
