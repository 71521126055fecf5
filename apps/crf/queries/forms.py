"""The filters of the worklist, which the page and the API read alike, and the forms of its actions."""

import re
from collections.abc import Mapping
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from apps.accounts.access import Actor, centers_with
from apps.accounts.models import Center, User
from apps.accounts.policy import Permission
from apps.crf.dictionary import Variable, load_dictionary
from apps.crf.queries.models import Query
from apps.crf.queries.rules import rules
from apps.crf.queries.selectors import PERSON, people_for
from apps.crf.queries.services import TEXT_LENGTH


class QueryFilter(forms.Form):
    """What to look for; blank filters leave everything but closed queries."""

    patient = forms.CharField(label=_("Study id"), max_length=20, required=False)
    state = forms.ChoiceField(
        label=_("State"), required=False,
        choices=[("", _("not closed")), *Query.State.choices, ("all", _("all"))],
    )  # fmt: skip
    whose = forms.ChoiceField(
        label=_("For"), required=False,
        choices=[("", _("everybody")), ("waiting", _("what waits for me")), ("mine", _("assigned to me"))],
    )  # fmt: skip
    rule = forms.ChoiceField(label=_("Opened by"), required=False)
    variable = forms.ChoiceField(label=_("Variable"), required=False)
    center = forms.ModelChoiceField(
        Center.objects.none(), label=_("Center"), required=False, to_field_name="code", empty_label=_("all")
    )

    def __init__(self, actor: Actor, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        centers: Any = self.fields["center"]
        centers.queryset = centers_with(actor, Permission.VIEW_QUERIES)
        centers.label_from_instance = lambda center: f"{center.code} · {center.name}"
        own = [(rule.key, rule.label) for rule in rules.values()]
        self.fields["rule"].choices = [("", _("all")), (PERSON, _("a person")), *own]  # type: ignore[attr-defined]
        self.fields["variable"].choices = [  # type: ignore[attr-defined]
            ("", _("all")), *_labels(load_dictionary().all_variables)
        ]  # fmt: skip


def _labels(variables: Mapping[str, Variable]) -> list[tuple[str, str]]:
    return [(name, str(variable.label)) for name, variable in variables.items()]


def _text(required: bool = True) -> forms.CharField:
    area = forms.Textarea({"rows": 3, "maxlength": TEXT_LENGTH})
    return forms.CharField(label=_("Question"), required=required, widget=area)


class AskForm(forms.Form):
    """A question about one variable of one patient."""

    text = _text()


class OpenManyForm(forms.Form):
    """The same question to many patients."""

    patients = forms.CharField(
        label=_("Study ids"), required=False, max_length=100_000, widget=forms.Textarea({"rows": 6}),
        help_text=_("One a line, or separated by commas, as a spreadsheet gives them."),
    )  # fmt: skip
    variable = forms.ChoiceField(label=_("Variable"), required=False)
    text = _text()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["variable"].choices = [("", _("the form as a whole")), *_labels(load_dictionary().variables)]  # type: ignore[attr-defined]

    def clean_patients(self) -> list[str]:
        return [part for part in re.split(r"[\s,;]+", self.cleaned_data["patients"]) if part]


class AssignForm(forms.Form):
    """Who is to look after a query; nobody: all who may answer it."""

    to = forms.ModelChoiceField(User.objects.none(), label=_("Assigned to"), required=False, empty_label=_("everybody"))

    def __init__(self, centers: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        people: Any = self.fields["to"]
        people.queryset = people_for(centers)
        people.label_from_instance = lambda user: f"{user.full_name} ({user.username})"


class BulkForm(AssignForm):
    """What is done to the queries that were ticked."""

    queries = forms.TypedMultipleChoiceField(required=False, coerce=int)
    action = forms.ChoiceField(choices=[("close", _("Close")), ("assign", _("Assign"))])
    text = forms.CharField(label=_("Note"), required=False, max_length=TEXT_LENGTH)

    def __init__(self, chosen: list[str], centers: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(centers, *args, **kwargs)
        keys = [key for key in chosen if key.isascii() and key.isdigit() and len(key) < 16]
        self.fields["queries"].choices = [(key, key) for key in keys]  # type: ignore[attr-defined]
