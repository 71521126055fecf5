"""`make bench`: every benchmark, or those named: python -m tests.bench prediction imaging."""

from __future__ import annotations

import os
import sys

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ichor.settings.test")

import django

django.setup()

from tests.bench import annotator, commands, forms, imaging, library, pages, prediction, preprocessing, study

SUITES = {
    "library": library.run,
    "preprocessing": preprocessing.run,
    "prediction": prediction.run,
    "pages": pages.run,
    "forms": forms.run,
    "study": study.run,
    "imaging": imaging.run,
    "annotator": annotator.run,
    "commands": commands.run,
}


def main(names: list[str]) -> None:
    for name in names or SUITES:
        print(f"== {name}", flush=True)
        SUITES[name]()


main(sys.argv[1:])
