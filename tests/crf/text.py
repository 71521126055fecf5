"""The study's dictionary with one more form, for tests of what such a form may not be."""

import json
from typing import Any

import yaml

from apps.crf.dictionary import FOLDER, SHIPPED


def dictionary_text(change: dict[str, Any]) -> str:
    """Return the study's dictionary with a further form; `change` is of the form, or of its one variable."""
    data = yaml.safe_load((FOLDER / f"{SHIPPED}.yaml").read_text(encoding="utf-8"))
    label = {"en": "x", "zh-Hans": "x"}
    change = dict(change)
    late = [{"name": "late", "label": label, **change.pop("at_visit")}] if "at_visit" in change else []
    variable = {"name": change.pop("variable", "extra_asked"), "label": label, "type": "yesno"}
    variable |= {name: change.pop(name) for name in ("show_if", "model_feature") if name in change}
    section = {"name": "extra_section", "label": label, "variables": [variable]}
    form = {"name": "extra", "label": label, "visits": ["stay"], "sections": [section], **change}
    whole = {**data, "visits": [*data["visits"], *late], "forms": [*data["forms"], form]}
    # Through JSON, so that no object is there twice: YAML would write an alias.
    return yaml.safe_dump(json.loads(json.dumps(whole, default=str)), allow_unicode=True)
