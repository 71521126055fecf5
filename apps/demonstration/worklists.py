"""Second entries, queries, and masks to review: who tries the demonstration finds worklists with work in them."""

import zlib

from django.db import transaction

from apps.accounts.models import User
from apps.annotation.models import Mask
from apps.annotation.outlines import begin_again, save_slices, submit_outline
from apps.annotation.review import Place, return_mask
from apps.crf.double_entry.services import start_second_entry, submit_second_entry
from apps.crf.models import CrfForm
from apps.crf.queries.running import run_rules
from apps.crf.signatures.locks import lock_of
from apps.demonstration.people import ANNOTATOR, REVIEWER, SECOND

ENTERED_TWICE = 8
REMARK = "The hematoma reaches one slice higher. Please outline it there too."
# In every fourth form the second person reads another number off the chart.
SLIPS = {1: {"nihss": 1}, 3: {"systolic_bp": 10, "age": -1}}


def fill_worklists() -> None:
    """Enter forms of one center again, judge all by the rules, correct two masks; what was done before stays."""
    person = User.objects.get(username=SECOND.username)
    forms = CrfForm.objects.filter(main_of__center__code=SECOND.center).select_related("patient__center")
    for number, form in enumerate(forms.order_by("pk")[:ENTERED_TWICE]):
        if not form.second_entries.exists() and lock_of(form) is None:
            _enter_again(person, form, SLIPS.get(number % 4, {}))
    run_rules()
    _correct_masks()


def _correct_masks() -> None:
    """Have the annotator correct two masks: one correction waits for review, the other was returned."""
    annotator, reviewer = (User.objects.get(username=name) for name in (ANNOTATOR, REVIEWER))
    found = Mask.objects.filter(state=Mask.State.APPROVED, version=1).select_related("series__patient__center")
    for number, mask in enumerate(found.order_by("-pk")[:2]):
        if mask.series.masks.count() > 1:
            continue
        correction = _without_top(annotator, mask)
        if number:
            top = correction.slice_areas_mm2
            last = max(index for index, area in enumerate(top) if area)
            place = Place(last + 1, mask.series.geometry["rows"] // 2, mask.series.geometry["columns"] // 2)
            return_mask(actor=reviewer, mask=correction, text=REMARK, place=place)


@transaction.atomic
def _without_top(actor: User, mask: Mask) -> Mask:
    """Submit an approved mask again, without the uppermost slice of the hematoma."""
    outline = begin_again(actor=actor, series=mask.series, begin_from=mask)
    top = max(index for index, area in enumerate(mask.slice_areas_mm2) if area)
    empty = zlib.compress(bytes(mask.series.geometry["rows"] * mask.series.geometry["columns"]))
    outline = save_slices(
        actor=actor, series=mask.series, series_revision=mask.series.revision, revision=outline.revision,
        slices={top: empty},
    )  # fmt: skip
    return submit_outline(actor=actor, outline=outline, revision=outline.revision)


@transaction.atomic
def _enter_again(person: User, form: CrfForm, slips: dict[str, int]) -> None:
    entry = start_second_entry(actor=person, form=form)
    values = {name: form.values.get(name) for name in entry.variables}
    values |= {name: values[name] + slip for name, slip in slips.items() if values.get(name) is not None}
    submit_second_entry(actor=person, entry=entry, read_version=entry.version, values=values)
