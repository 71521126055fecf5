"""The filters of the trail: one form reads the query string of the page, of the download and of the API."""

from typing import Any

from django import forms
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from apps.accounts.access import Actor, centers_with, has_permission_everywhere
from apps.accounts.models import Center, User
from apps.accounts.policy import Permission
from apps.audit.words import actions, kinds

LARGEST_KEY = 2**63 - 1


class DayField(forms.DateField):
    """A day of the calendar, as year-month-day, or none."""

    def __init__(self, **kwargs: Any) -> None:
        widget = forms.DateInput({"type": "date"})
        super().__init__(required=False, input_formats=["%Y-%m-%d"], widget=widget, **kwargs)


class TrailFilter(forms.Form):
    """What to look for. Nothing is left out silently: an answer to another question would be taken for this one's."""

    patient = forms.CharField(label=_("Study id"), max_length=20, required=False)
    person = forms.ModelChoiceField(User.objects.none(), label=_("Person"), required=False, empty_label=_("all"))
    action = forms.ChoiceField(label=_("Action"), required=False)
    kind = forms.ChoiceField(label=_("Kind"), required=False)
    center = forms.ModelChoiceField(
        Center.objects.none(), label=_("Center"), required=False, to_field_name="code", empty_label=_("all")
    )
    since = DayField(label=pgettext_lazy("first day", "From"))
    until = DayField(label=pgettext_lazy("last day", "To"))
    # The last event of the page before: the next one begins behind it.
    before = forms.IntegerField(min_value=1, max_value=LARGEST_KEY, required=False, widget=forms.HiddenInput)

    def __init__(self, actor: Actor, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        centers = centers_with(actor, Permission.VIEW_AUDIT)
        self._choices("person", _people(actor), lambda user: f"{user.full_name} ({user.username})")
        self._choices("center", centers, lambda center: f"{center.code} · {center.name}")
        for name, known in (("action", actions), ("kind", kinds)):
            words = sorted(((key, _words(part)) for key, part in known.items()), key=lambda pair: pair[1])
            self.fields[name].choices = [("", _("all")), *words]  # type: ignore[attr-defined]

    def _choices(self, name: str, queryset: Any, label: Any) -> None:
        field = self.fields[name]
        field.queryset = queryset  # type: ignore[attr-defined]
        field.label_from_instance = label  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        chosen = super().clean() or {}
        since, until = chosen.get("since"), chosen.get("until")
        if since and until and until < since:
            self.add_error("until", _("The last day lies before the first. Exchange them."))
        return chosen

    @property
    def is_narrowed(self) -> bool:
        return self.is_valid() and any(value for name, value in self.cleaned_data.items() if name != "before")


def _words(part: Any) -> str:
    return str(getattr(part, "sentence", None) or part.name)


def _people(actor: Actor) -> Any:
    """Return the people who may stand in the events that the actor sees."""
    people = User.objects.order_by("full_name", "username")
    if has_permission_everywhere(actor, Permission.VIEW_AUDIT):
        return people
    centers = centers_with(actor, Permission.VIEW_AUDIT)
    return people.filter(Q(memberships__center__in=centers) | Q(memberships__center=None)).distinct()
