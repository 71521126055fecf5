"""A text in each language of the platform."""

from typing import Annotated

from django.utils.translation import get_language
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Text:
    """A text in each language of the platform; as a string, the one of the reader."""

    en: str
    zh_hans: Annotated[str, Field(alias="zh-Hans")]

    def __str__(self) -> str:
        return self.zh_hans if (get_language() or "").lower().startswith("zh") else self.en
