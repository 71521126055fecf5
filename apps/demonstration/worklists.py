"""Second entries and queries, so that who tries the demonstration finds worklists with work in them."""

from django.db import transaction

from apps.accounts.models import User
from apps.crf.double_entry.services import start_second_entry, submit_second_entry
from apps.crf.models import CrfForm
from apps.crf.queries.running import run_rules
from apps.crf.signatures.locks import lock_of
from apps.demonstration.people import SECOND

ENTERED_TWICE = 8
# In every fourth form the second person reads another number off the chart.
SLIPS = {1: {"nihss": 1}, 3: {"systolic_bp": 10, "age": -1}}


def fill_worklists() -> None:
    """Enter some forms of one center a second time and judge all by the rules; what was done before stays."""
    person = User.objects.get(username=SECOND.username)
    forms = CrfForm.objects.filter(main_of__center__code=SECOND.center).select_related("patient__center")
    for number, form in enumerate(forms.order_by("pk")[:ENTERED_TWICE]):
        if not form.second_entries.exists() and lock_of(form) is None:
            _enter_again(person, form, SLIPS.get(number % 4, {}))
    run_rules()


@transaction.atomic
def _enter_again(person: User, form: CrfForm, slips: dict[str, int]) -> None:
    entry = start_second_entry(actor=person, form=form)
    values = {name: form.values.get(name) for name in entry.variables}
    values |= {name: values[name] + slip for name, slip in slips.items() if values.get(name) is not None}
    submit_second_entry(actor=person, entry=entry, read_version=entry.version, values=values)
