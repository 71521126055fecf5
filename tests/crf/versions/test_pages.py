"""The pages and the API of versions, and a form that was open in a browser while its questions changed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from rest_framework.test import APIClient

from apps.accounts.models import User
from apps.accounts.policy import Role
from apps.crf.dictionary import load_dictionary, parse_dictionary, shipped_dictionary
from apps.crf.models import CrfDraft, CrfForm, DictionaryVersion
from apps.crf.redcap import dictionary_to_csv
from apps.crf.versions.current import ask_by
from apps.crf.versions.writing import dictionary_to_yaml
from apps.patients.models import Patient
from tests.crf.versions.conftest import Data, Publish, shipped, text, variable, without, work
from tests.crf.versions.test_publishing import save, stored

pytestmark = pytest.mark.django_db
Users = dict[Role, User]
SignIn = Callable[[User], Client]


@pytest.fixture
def manager(users: Users, client_as: SignIn) -> Client:
    return client_as(users[Role.DATA_MANAGER])


def send(client: Client, content: bytes) -> Any:
    return client.post(reverse("versions:list"), {"file": SimpleUploadedFile("dictionary.yaml", content)}, follow=True)


def renamed() -> Data:
    data = shipped()
    variable(data, "alcohol")["name"] = "alcohol_use"
    return data


def test_a_data_manager_publishes_by_the_page_alone(
    users: Users, patient: Patient, manager: Client, django_capture_on_commit_callbacks: Any
) -> None:
    save(users[Role.COORDINATOR], patient, {"alcohol": "true", "onset_to_ct_hours": "2", "treatment": "mia"})
    data = without(renamed(), "operation_date")
    variable(data, "onset_to_ct_hours").update(
        unit={"en": "minutes", "zh-Hans": "分钟"}, range=[0, 43200], usual=[10, 4320], other_units=[]
    )
    variable(data, "treatment")["choices"][2] = {"value": "mis", "label": {"en": "MIS", "zh-Hans": "微创"}}
    page = send(manager, text(data))
    draft = DictionaryVersion.objects.get()
    shown = page.content.decode()
    assert "alcohol is gone, but 1 value is stored" in shown
    assert 'name="recode-treatment-mia"' in shown
    assert 'name="recode-treatment-cmt"' not in shown, "what means the same needs no rule"
    assert reverse("versions:publish", args=[draft.pk]) not in shown
    rules = {"source-alcohol_use": "alcohol", "factor-onset_to_ct_hours": "60", "recode-treatment-mia": "mis"}
    page = manager.post(reverse("versions:rules", args=[draft.pk]), rules, follow=True)
    assert reverse("versions:publish", args=[draft.pk]) in page.content.decode()
    page = manager.post(reverse("versions:publish", args=[draft.pk]), {"reason": ""})
    assert (page.status_code, "Say why the forms change" in page.content.decode()) == (422, True)
    manager.post(reverse("versions:publish", args=[draft.pk]), {"reason": "amendment 1"})
    assert manager.get(reverse("versions:status", args=[draft.pk])).status_code == 200
    work(django_capture_on_commit_callbacks)
    assert stored(patient).values == {"alcohol_use": True, "onset_to_ct_hours": 120.0, "treatment": "mis"}
    page = manager.get(reverse("versions:detail", args=[draft.pk]))
    assert "What it did" in page.content.decode()
    assert "ich-2" in manager.get(reverse("versions:list")).content.decode()
    assert "alcohol_use" in manager.get(reverse("codebook")).content.decode()
    earlier = manager.get(reverse("codebook-version", args=["ich-1"])).content.decode()
    assert "This is an earlier version" in earlier


def test_a_draft_is_its_makers_and_a_published_version_everybodys(
    users: Users, manager: Client, client_as: SignIn, publish: Publish
) -> None:
    send(manager, text(shipped()))
    draft = reverse("versions:detail", args=[DictionaryVersion.objects.get().pk])
    assert manager.get(draft).status_code == 200
    assert client_as(users[Role.MONITOR]).get(draft).status_code == 404
    version = publish(shipped())
    assert client_as(users[Role.MONITOR]).get(reverse("versions:detail", args=[version.pk])).status_code == 200
    assert client_as(users[Role.ANNOTATOR]).get(reverse("versions:detail", args=[version.pk])).status_code == 404


def test_a_file_that_is_no_dictionary_is_refused_on_the_page(manager: Client) -> None:
    page = send(manager, b"name: [")
    assert (page.status_code, "not valid YAML" in page.content.decode()) == (422, True)


def test_the_file_that_is_downloaded_is_the_dictionary(manager: Client, publish: Publish) -> None:
    publish(renamed())
    for key in ("ich-1", "ich-2"):
        content = manager.get(reverse("versions:yaml", args=[key])).content.decode()
        assert parse_dictionary(content) == load_dictionary(key)
    assert manager.get(reverse("versions:yaml", args=["ich-3"])).status_code == 404
    assert parse_dictionary(dictionary_to_yaml(shipped_dictionary())) == shipped_dictionary()


def test_a_redcap_dictionary_becomes_a_draft(manager: Client) -> None:
    page = send(manager, dictionary_to_csv(shipped_dictionary()).encode())
    assert "No variable differs" in page.content.decode()


def test_what_was_typed_under_the_old_questions_is_shown_to_be_checked(
    users: Users, patient: Patient, client_as: SignIn, publish: Publish
) -> None:
    """2.5 were hours when it was typed; as minutes it would be a wrong value in the study."""
    browser, url = client_as(users[Role.COORDINATOR]), reverse("crf:form", args=[patient.study_id])
    save(users[Role.COORDINATOR], patient, {"age": "67", "alcohol": "true"})
    data = renamed()
    changed = variable(data, "onset_to_ct_hours")
    changed.update(unit={"en": "minutes", "zh-Hans": "分钟"}, range=[0, 43200], usual=[10, 4320], other_units=[])
    publish(data, {"alcohol_use": {"source": "alcohol"}})
    typed = {
        "dictionary": "ich-1", "version": "1", "age": "67", "onset_to_ct_hours": "2.5", "alcohol": "false",
        "nihss": "12",
    }  # fmt: skip
    page = browser.post(url, typed)
    shown = page.content.decode()
    assert page.status_code == 409
    assert stored(patient).values == {"age": 67, "alcohol_use": True}, "nothing was saved"
    assert 'value="2.5"' in shown
    assert 'value="12"' in shown
    assert "Not asked any more, so it can&#x27;t be saved: false" in shown
    assert shown.count("Check it against the question as it is now.") >= 2
    again = {"dictionary": "ich-2", "version": "2", "age": "67", "onset_to_ct_hours": "150", "nihss": "12"}
    assert browser.post(url, {**again, "reason": "x", "alcohol_use": "true"}).status_code == 302
    assert stored(patient).values == {"age": 67, "alcohol_use": True, "onset_to_ct_hours": 150.0, "nihss": 12}


def test_a_draft_of_the_old_questions_comes_back_to_be_checked(
    users: Users, patient: Patient, client_as: SignIn, publish: Publish
) -> None:
    browser, url = client_as(users[Role.COORDINATOR]), reverse("crf:form", args=[patient.study_id])
    typed = {"dictionary": "ich-1", "version": "0", "nihss": "12", "alcohol": "true"}
    assert browser.post(reverse("crf:draft", args=[patient.study_id]), typed).status_code == 200
    assert CrfDraft.objects.get().dictionary_version == "ich-1"
    publish(renamed())
    page = browser.get(url)
    shown = page.content.decode()
    assert page.status_code == 200
    assert 'value="12"' in shown
    assert "Not asked any more, so it can&#x27;t be saved: true" in shown


def test_a_program_that_asks_by_another_version_is_refused(
    users: Users, patient: Patient, api_as: Callable[[User], APIClient], publish: Publish
) -> None:
    publish(renamed())
    program, url = api_as(users[Role.COORDINATOR]), reverse("api-crf", args=[patient.study_id])
    body: dict[str, Any] = {"version": 0, "values": {"age": 67}}
    refused = program.patch(url, {**body, "asked_by": "ich-1"}, format="json")
    assert (refused.status_code, refused.json()["code"]) == (409, "dictionary_changed")
    assert not CrfForm.objects.exists()
    saved = program.patch(url, {**body, "asked_by": "ich-2"}, format="json")
    assert (saved.status_code, saved.json()["asked_by"]) == (200, "ich-2")


def test_the_api_offers_what_the_page_offers(
    users: Users, patient: Patient, api_as: Callable[[User], APIClient], django_capture_on_commit_callbacks: Any
) -> None:
    save(users[Role.COORDINATOR], patient, {"alcohol": "true"})
    program = api_as(users[Role.DATA_MANAGER])
    file = SimpleUploadedFile("dictionary.yaml", text(renamed()))
    draft = program.post(reverse("api-version-list"), {"file": file}, format="multipart").json()
    assert (draft["dictionary"], draft["state"]) == ("ich-2", "draft")
    assert draft["blocks"] == [
        "alcohol is gone, but 1 value is stored. Say which variable takes it, or set it aside."
    ]  # fmt: skip
    url = reverse("api-version", args=[draft["id"]])
    found = program.put(url, {"moves": {"alcohol_use": {"source": "alcohol"}}}, format="json").json()
    assert (found["blocks"], found["impact"]["touched"]) == ([], 1)
    refused = program.put(url, {"moves": {"age": {"recode": 1}}}, format="json")
    assert (refused.status_code, refused.json()["code"]) == (422, "dictionary_rule")
    publish = reverse("api-version-publish", args=[draft["id"]])
    assert program.post(publish, {"reason": "amendment 1"}, format="json").status_code == 202
    work(django_capture_on_commit_callbacks)
    assert [each["state"] for each in program.get(reverse("api-version-list")).json()] == ["published"]
    assert program.delete(url).status_code == 409
    assert program.get(url).json()["impact"]["variables"]["alcohol"]["converted"] == 1
    another = SimpleUploadedFile("dictionary.yaml", text(renamed()))
    third = program.post(reverse("api-version-list"), {"file": another}, format="multipart").json()
    assert program.delete(reverse("api-version", args=[third["id"]])).status_code == 204


def test_a_request_finds_the_version_that_another_process_published(
    users: Users, manager: Client, publish: Publish
) -> None:
    publish(renamed())
    ask_by(shipped_dictionary())  # as a process that has not looked since
    assert "alcohol_use" in manager.get(reverse("codebook")).content.decode()
