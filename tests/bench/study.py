"""What is done to all forms at once, of 2,000 patients with 120 variables: rules, export, and a new dictionary."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable
from typing import Any

from tests.bench.table import show

PATIENTS, VARIABLES = 2000, 120
RULES_TARGET, EXPORT_TARGET = 60.0, 20.0


def run() -> None:
    from django.test.utils import setup_databases, setup_test_environment, teardown_databases

    setup_test_environment()
    old = setup_databases(verbosity=0, interactive=False)
    try:
        _measure()
    finally:
        teardown_databases(old, verbosity=0)


def _measure() -> None:
    from apps.accounts.models import Membership
    from apps.accounts.policy import Role
    from apps.crf.queries.running import run_rules
    from tests.analytics.factory import make_finished_experiment
    from tests.factories import UserFactory

    make_finished_experiment(PATIENTS // 5)
    actor = UserFactory(username="bench")
    Membership.objects.create(user=actor, role=Role.DATA_MANAGER)
    dictionary = _publish(actor, _wide(), {})
    assert len(dictionary.variables) == VARIABLES
    note = _fill(dictionary)
    _time("all rules, first run", run_rules, note, RULES_TARGET)
    _time("all rules, again", run_rules, note, RULES_TARGET)
    _time("export of everything", lambda: _export(actor), note, EXPORT_TARGET)
    data = dictionary.as_data()
    renamed = next(each for each in data["sections"][-1]["variables"] if each["name"] == "further_0")
    renamed["name"] = "renamed"
    moves = {"renamed": {"source": "further_0"}}
    _time("a dictionary that moves every form, published", lambda: _publish(actor, data, moves), note)


def _time(name: str, work: Callable[[], object], note: str, target: float | None = None) -> None:
    start = time.perf_counter()
    work()
    show(name, time.perf_counter() - start, target=target, note=note)


def _wide() -> dict[str, Any]:
    """Return the study's dictionary with further numbers, up to 120 variables on the main form."""
    from apps.crf.dictionary import load_dictionary

    data = load_dictionary().as_data()
    words = {"en": "Further", "zh-Hans": "其他"}
    further = [
        {"name": f"further_{number}", "label": words, "type": "decimal", "range": [-9.0, 9.0], "usual": [-3.0, 3.0]}
        for number in range(VARIABLES - len(load_dictionary().variables))
    ]
    data["sections"].append({"name": "further", "label": words, "variables": further})
    return data


def _publish(actor: Any, data: dict[str, Any], moves: dict[str, Any]) -> Any:
    """Publish a dictionary, and return what is in force then. YAML reads JSON."""
    from apps.core.jobs import run_job
    from apps.crf.dictionary import load_dictionary
    from apps.crf.models import DictionaryVersion
    from apps.crf.versions.current import look_again
    from apps.crf.versions.services import draft_version, publish_version, set_moves

    draft = draft_version(actor=actor, content=json.dumps(data).encode())
    set_moves(actor=actor, version=draft, moves=moves)
    publish_version(actor=actor, version=draft, reason="bench")
    run_job(job_id=DictionaryVersion.objects.get(pk=draft.pk).job_id)
    look_again()
    assert load_dictionary().id == draft.dictionary_id
    return load_dictionary()


def _fill(dictionary: Any) -> str:
    """Give each form values of all variables, one in fifty left blank; return what there is."""
    from django.db import connection

    from apps.crf.models import CrfForm

    chance = random.Random(1)
    forms = list(CrfForm.objects.all())
    for form in forms:
        further = {name: round(chance.gauss(0, 1), 1) for name in dictionary.variables if name.startswith("further_")}
        form.values = {name: value for name, value in {**form.values, **further}.items() if chance.random() > 0.02}
    CrfForm.objects.bulk_update(forms, ["values"], batch_size=200)
    return f"{len(forms)} forms, {VARIABLES} variables, {connection.vendor}"


def _export(actor: Any) -> None:
    from apps.cohorts.exports.services import request_export
    from apps.cohorts.models import Export
    from apps.core.jobs import run_job

    export = request_export(actor=actor, purpose="a benchmark")
    run_job(job_id=export.job_id)
    assert Export.objects.get(pk=export.pk).patient_count == PATIENTS
