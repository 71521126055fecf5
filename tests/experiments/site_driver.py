"""Fills a site of its own with a cohort that can be trained on, and starts runs.

`python -m tests.experiments.site_driver N` prints the numbers of the N nested runs that it started.
"""

from __future__ import annotations

import json
import sys

import django

django.setup()

from apps.accounts.models import Center, User  # noqa: E402
from apps.accounts.policy import Role  # noqa: E402
from apps.experiments.services import start_experiment  # noqa: E402
from tests.cohorts.factory import ready_cohort  # noqa: E402
from tests.factories import CenterFactory, user_with  # noqa: E402
from tests.ml.training.factory import tiny_config  # noqa: E402

# Enough to be killed in the middle of.
EPOCHS = 24


def main(runs: int) -> None:
    if not Center.objects.exists():
        ready_cohort()
        user_with(Role.SCIENTIST, CenterFactory(code="C9"))
    scientist = User.objects.get(memberships__role=Role.SCIENTIST)
    config = tiny_config(epochs=EPOCHS, patience=EPOCHS, inner_folds=2)
    started = [start_experiment(actor=scientist, name=f"Run {n}", config=config).pk for n in range(runs)]
    sys.stdout.write(json.dumps(started))


if __name__ == "__main__":
    main(int(sys.argv[1]))
