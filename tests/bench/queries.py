"""All rules over 2,000 patients with 120 variables: the first run, which opens, and the next, which changes nothing."""

from __future__ import annotations

import random
import time
from typing import Any

from tests.bench.table import show

PATIENTS, VARIABLES, TARGET = 2000, 120, 60.0


def run() -> None:
    from django.test.utils import setup_databases, setup_test_environment, teardown_databases

    setup_test_environment()
    old = setup_databases(verbosity=0, interactive=False)
    try:
        _measure()
    finally:
        teardown_databases(old, verbosity=0)


def wide_dictionary() -> Any:
    """Return the study's dictionary with further numbers, up to 120 variables."""
    import dataclasses

    from apps.crf.dictionary import Range, Section, Variable, VariableType, load_dictionary
    from apps.crf.texts import Text

    dictionary = load_dictionary()
    words = Text(en="Further", **{"zh-Hans": "其他"})
    bounds = {"range": Range(low=-9.0, high=9.0), "usual": Range(low=-3.0, high=3.0)}
    further = tuple(
        Variable(name=f"further_{number}", label=words, type=VariableType.DECIMAL, **bounds)
        for number in range(VARIABLES - len(dictionary.variables))
    )
    section = Section(name="further", label=words, variables=further)
    return dataclasses.replace(dictionary, sections=(*dictionary.sections, section))


def _measure() -> None:
    from unittest.mock import patch

    from django.db import connection

    from apps.crf.models import CrfForm
    from apps.crf.queries.models import Query
    from apps.crf.queries.running import run_rules
    from tests.analytics.factory import make_finished_experiment

    make_finished_experiment(PATIENTS // 5)
    dictionary = wide_dictionary()
    assert len(dictionary.variables) == VARIABLES
    chance = random.Random(1)
    forms = list(CrfForm.objects.all())
    for form in forms:
        further = {name: chance.gauss(0, 1) for name in dictionary.variables if name.startswith("further_")}
        form.values = {name: value for name, value in {**form.values, **further}.items() if chance.random() > 0.02}
    CrfForm.objects.bulk_update(forms, ["values"], batch_size=200)
    places = ("base", "inconsistent", "outlier", "unusual")
    modules = [f"apps.crf.queries.rules.{place}" for place in places] + ["apps.crf.selectors"]
    patches = [patch(f"{module}.load_dictionary", lambda: dictionary) for module in modules]
    for each in patches:
        each.start()
    try:
        for name in ("all rules, first run", "all rules, again"):
            start = time.perf_counter()
            run_rules()
            seconds = time.perf_counter() - start
            note = f"{len(forms)} forms, {VARIABLES} variables, {Query.objects.count()} queries, {connection.vendor}"
            show(name, seconds, target=TARGET, note=note)
    finally:
        for each in patches:
            each.stop()
