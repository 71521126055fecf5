"""How well first and second entry agreed when the second was submitted: for each variable, and for each person."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date

from django.db.models import QuerySet

from apps.accounts.access import Actor, centers_with
from apps.accounts.models import Center, User
from apps.accounts.policy import Permission
from apps.crf.dictionary import Variable, VariableType, load_dictionary
from apps.crf.double_entry.comparing import same
from apps.crf.double_entry.models import SecondEntry
from apps.crf.missing import Absent, Answer, from_data
from ml.statistics.agreement import Estimate, Limits, icc_2_1, kappa, limits_of_agreement, wilson_ci
from ml.statistics.intervals import Proportion

# Below that an estimate says nothing.
FEWEST = 10
Pair = tuple[Answer, Answer]
State = SecondEntry.State
_NUMBERS = (VariableType.INTEGER, VariableType.DECIMAL, VariableType.DATE)


@dataclass(frozen=True)
class Agreement:
    """One variable: `n` pairs that at least one answered, `equal` of them the same, `both` of them two values."""

    variable: Variable
    n: int
    equal: int
    both: int
    share: Proportion | None = None
    kappa: Estimate | None = None
    # Grades: disagreement counts by its distance.
    is_weighted: bool = False
    limits: Limits | None = None
    icc: Estimate | None = None
    points: tuple[tuple[float, float], ...] = ()

    @property
    def too_few(self) -> bool:
        return self.n < FEWEST

    @property
    def unit(self) -> str:
        if self.variable.type == VariableType.DATE:
            return "d"
        return str(self.variable.unit or "")


@dataclass(frozen=True)
class PersonRow:
    """One person: of his values that were compared and reconciled, how many the reconciliation overruled."""

    name: str
    n: int
    overruled: int

    @property
    def too_few(self) -> bool:
        return self.n < FEWEST

    @property
    def share(self) -> Proportion:
        return wilson_ci(self.overruled, self.n)


def submitted_for(actor: Actor, center: Center | None = None, person: User | None = None) -> QuerySet[SecondEntry]:
    """Return the submitted second entries of the actor's centers: of one center, and of one second person."""
    entries = SecondEntry.objects.filter(
        state__in=[State.SUBMITTED, State.RECONCILED], form__patient__center__in=centers_with(actor, _MAY)
    )
    if center is not None:
        entries = entries.filter(form__patient__center=center)
    return entries if person is None else entries.filter(entered_by=person)


_MAY = Permission.VIEW_AGREEMENT


def people_of(actor: Actor) -> QuerySet[User]:
    """Return who has submitted a second entry in the actor's centers."""
    return User.objects.filter(pk__in=submitted_for(actor).values("entered_by")).order_by("full_name", "username")


def agreement_of(entries: Iterable[SecondEntry]) -> list[Agreement]:
    """Return one row for each variable that was compared, in the order of the dictionary."""
    pairs: dict[str, list[Pair]] = defaultdict(list)
    for entry in entries:
        for name, pair in _pairs_of(entry).items():
            pairs[name].append(pair)
    return [_agreement(v, pairs[name]) for name, v in load_dictionary().all_variables.items() if name in pairs]


def _pairs_of(entry: SecondEntry) -> dict[str, Pair]:
    """Return both answers at the submission of what at least one of the two has answered."""
    second = entry.answers
    found = {name: (from_data(stored[0]), second.get(name)) for name, stored in entry.first.items()}
    return {name: pair for name, pair in found.items() if pair != (None, None)}


def _agreement(variable: Variable, pairs: list[Pair]) -> Agreement:
    equal = sum(same(*pair) for pair in pairs)
    both = [pair for pair in pairs if all(one is not None and not isinstance(one, Absent) for one in pair)]
    row = Agreement(variable, len(pairs), equal, len(both))
    if len(pairs) < FEWEST:
        return row
    share = wilson_ci(equal, len(pairs))
    if len(both) < FEWEST or variable.type == VariableType.TEXT:
        return Agreement(variable, len(pairs), equal, len(both), share)
    if variable.type in _NUMBERS:
        points = [(_number(one), _number(other)) for one, other in both]
        first, second = zip(*points, strict=True)
        return Agreement(
            variable, len(pairs), equal, len(both), share, limits=limits_of_agreement(first, second),
            icc=icc_2_1(points), points=tuple(points),
        )  # fmt: skip
    known = [choice.value for choice in variable.choices] or [False, True]
    is_grade = bool(variable.choices) and all(isinstance(value, int) for value in known)
    return Agreement(
        variable, len(pairs), equal, len(both), share, is_weighted=is_grade,
        kappa=_kappa(both, sorted(known, key=int) if is_grade else known, is_grade),
    )  # fmt: skip


def _kappa(both: list[Pair], categories: list[bool | int | str], is_grade: bool) -> Estimate:
    # A value that the dictionary has no longer is a category of its own, at the end.
    gone = [value for pair in both for value in pair if value not in categories]
    everything = [*categories, *dict.fromkeys(gone)]
    first, second = zip(*both, strict=True)
    return kappa(first, second, categories=everything, weights="quadratic" if is_grade else "none")


def _number(answer: Answer) -> float:
    return float(date.fromisoformat(answer).toordinal()) if isinstance(answer, str) else float(answer)  # type: ignore[arg-type]


def people_rows(entries: Iterable[SecondEntry]) -> list[PersonRow]:
    """Return for each person, first or second, his values in reconciled forms and those that were overruled."""
    compared: dict[int, int] = defaultdict(int)
    overruled: dict[int, int] = defaultdict(int)
    for entry in entries:
        if entry.state == State.RECONCILED:
            for name in _pairs_of(entry):
                _count(entry, entry.first[name][1], entry.kept.get(name, ""), compared, overruled)
    names = dict(User.objects.filter(pk__in=compared).values_list("pk", "full_name"))
    rows = [PersonRow(names[key], n, overruled[key]) for key, n in compared.items() if key in names]
    return sorted(rows, key=lambda row: row.name)


def _count(
    entry: SecondEntry, first_by: int | None, kept: str, compared: dict[int, int], overruled: dict[int, int]
) -> None:
    persons: Mapping[str, int | None] = {"first": first_by, "second": entry.entered_by_id}
    for which, person in persons.items():
        if person is not None:  # a first answer that was blank is nobody's
            compared[person] += 1
            overruled[person] += kept not in ("", which)
