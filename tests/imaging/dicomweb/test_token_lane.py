"""A request with a token passes no session, form or page; what it is told stays the same."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from apps.accounts.models import User
from apps.imaging.models import ImagingStudy

pytestmark = pytest.mark.django_db


def test_the_answer_is_that_of_a_session(study: ImagingStudy, web: Client, client_as: Any, coordinator: User) -> None:
    for path in ("/dicomweb/studies", f"/dicomweb/studies/{study.study_instance_uid}/series", "/dicomweb/nothing"):
        by_token, by_session = web.get(path), client_as(coordinator).get(path)
        assert (by_token.status_code, by_token.content) == (by_session.status_code, by_session.content)
        assert by_token["X-Content-Type-Options"] == by_session["X-Content-Type-Options"] == "nosniff"


def test_no_session_is_begun(study: ImagingStudy, web: Client) -> None:
    assert not web.get("/dicomweb/studies").cookies


def test_sentences_come_in_the_language_asked_for(web: Client) -> None:
    chinese, english = (web.get("/dicomweb/nothing", headers={"Accept-Language": code}) for code in ("zh-hans", "en"))
    assert chinese.json()["detail"] != english.json()["detail"]
    assert "Nothing is stored" in english.json()["detail"]


@pytest.mark.parametrize("header", ["Token", "Bearer x", "Token  ", "token \x00"])
def test_a_token_that_is_none(header: str) -> None:
    answer = Client().get("/dicomweb/studies", headers={"Authorization": header})
    assert answer.status_code == 401 and "WWW-Authenticate" in answer


def test_other_ways_to_sign_in_are_no_token() -> None:
    answer = Client().get("/dicomweb/studies", headers={"Authorization": "Basic eDp5"})
    assert answer.status_code == 401 and answer.json()["code"] == "not_signed_in"
