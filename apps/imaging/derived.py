"""Objects that are sent with scans and are no images themselves: a later app takes them in its own way."""

from dataclasses import dataclass
from typing import Protocol

from pydicom.dataset import Dataset

from apps.accounts.models import User
from apps.imaging.models import Instance

# Codes by which a taker refuses, so that a sender by network hears the standard's reason for it.
ABSENT = "object_absent"
SYNTAX = "object_syntax"
DAMAGED = "object_damaged"
UNFIT = "object_unfit"


@dataclass(frozen=True)
class Taken:
    """What is kept in an object's place, and the sentence that says so."""

    instance: Instance
    sentence: str


class Taker(Protocol):
    """What a later app does with the objects of a SOP class."""

    def __call__(self, *, actor: User, dataset: Dataset) -> Taken:
        """Take an object in, or raise Refusal; of one that came before say again what is kept.

        A patient or series that is absent and one that is not the actor's are refused in the same words.
        """


# {SOP Class UID: taker}; the annotation app adds segmentations. Such an object is never decoded as a whole.
takers: dict[str, Taker] = {}
