"""The three ways in for a program and a person: a page, the page's script, and the API."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils.html import escape
from rest_framework.test import APIClient

Post = Callable[[dict[str, Any]], Any]


@dataclass(frozen=True)
class Doors:
    """One address for people, one for programs."""

    browser: Client
    api: APIClient
    page_url: str
    api_url: str

    def posts(self) -> list[Post]:
        """Return the ways to post a form: as a plain form, by the page's script, and to the API."""
        return [
            lambda form: self.browser.post(self.page_url, form),
            lambda form: self.browser.post(self.page_url, form, headers={"accept": "application/json"}),
            lambda form: self.api.post(self.api_url, form),
        ]

    def refuse(self, code: str, form: Callable[[], dict[str, Any]], *, status: int = 422) -> str:
        """Post a form by each way; each must refuse it alike. Return the sentence."""
        page, script, program = (post(form()) for post in self.posts())
        assert [page.status_code, script.status_code, program.status_code] == [status] * 3, program.content
        told = program.json()
        assert told["code"] == code, told
        assert told["status"] == status
        assert script.json() == told
        assert program["content-type"] == script["content-type"] == "application/problem+json"
        sentence: str = told["detail"]
        assert escape(sentence) in page.content.decode()
        check_sentence(sentence)
        return sentence


def check_sentence(sentence: str) -> None:
    """A sentence says what is wrong and, behind a stop or colon, what to do; it shows no inner workings."""
    assert sentence[0].isupper() or sentence[0].isdigit()
    assert sentence.endswith(".")
    assert 20 < len(sentence) < 300
    assert ": " in sentence or ". " in sentence
    assert not any(word in sentence for word in ("Error", "Exception", "Traceback", "None", "/tmp", "\x00"))


def named(contents: Sequence[bytes], names: Sequence[str]) -> list[SimpleUploadedFile]:
    return [SimpleUploadedFile(name, content) for name, content in zip(names, contents, strict=True)]
