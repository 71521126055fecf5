"""The filters of the worklists, and what the page of a reconciliation sends."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from apps.accounts.access import Actor, centers_with
from apps.accounts.models import Center, User
from apps.accounts.policy import Permission
from apps.crf.double_entry.agreement import people_of
from apps.crf.double_entry.comparing import Compared, Verdict
from apps.crf.double_entry.reconciling import Choice, Kept
from apps.crf.missing import Missing
from apps.crf.values import display_with_unit

# Before the name of a variable; what no variable's name begins with.
CHOICE = "choice-"
OTHER = "other-"
WHY = "why-"


class CenterFilter(forms.Form):
    """Which center; blank: all of the actor's."""

    center = forms.ModelChoiceField(
        Center.objects.none(), label=_("Center"), required=False, to_field_name="code", empty_label=_("all")
    )

    def __init__(self, actor: Actor, permission: Permission, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        centers: Any = self.fields["center"]
        centers.queryset = centers_with(actor, permission)
        centers.label_from_instance = lambda center: f"{center.code} · {center.name}"


@dataclass(frozen=True)
class Row:
    """One variable on the page of a reconciliation: both answers in words, what was chosen, and what is wrong."""

    compared: Compared
    first_by: str = ""
    first_at: Any = None
    chosen: str = ""
    typed: str = ""
    error: str = ""
    # The first value is another one than when the second entry was submitted.
    changed: bool = False

    @property
    def name(self) -> str:
        return self.compared.variable.name

    @property
    def label(self) -> str:
        return str(self.compared.variable.label)

    @property
    def first(self) -> str:
        return display_with_unit(self.compared.variable, self.compared.first)

    @property
    def second(self) -> str:
        return display_with_unit(self.compared.variable, self.compared.second)

    @property
    def is_open(self) -> bool:
        return self.compared.verdict is not Verdict.EQUAL

    @property
    def reasons(self) -> list[tuple[str, str]]:
        """Return (code, label) of why there may be no value."""
        return [(code, str(label)) for code, label in Missing.choices]

    @property
    def options(self) -> list[tuple[str, str]]:
        """Return (value, label) of what else may be chosen, where the variable has choices."""
        variable = self.compared.variable
        if variable.type == "yesno":
            return [("true", str(_("Yes"))), ("false", str(_("No")))]
        return [(str(choice.value), str(choice)) for choice in variable.choices]


def read_choices(data: Mapping[str, str]) -> dict[str, Choice]:
    """Return the choice of each variable that a page or a caller has sent."""
    return {
        name.removeprefix(CHOICE): Choice(
            kept, data.get((WHY if kept == Kept.MISSING else OTHER) + name.removeprefix(CHOICE), "")[:2000]
        )
        for name, kept in data.items()
        if name.startswith(CHOICE) and kept in list(Kept)
    }


class AgreementFilter(CenterFilter):
    """Which center, and whose second entries."""

    person = forms.ModelChoiceField(
        User.objects.none(), label=_("Second entry by"), required=False, empty_label=_("everybody")
    )

    def __init__(self, actor: Actor, *args: Any, **kwargs: Any) -> None:
        super().__init__(actor, Permission.VIEW_AGREEMENT, *args, **kwargs)
        people: Any = self.fields["person"]
        people.queryset = people_of(actor)
        people.label_from_instance = lambda user: user.full_name or user.username
