"""A dictionary as a YAML file: to be edited and sent back as the next version."""

from typing import Any

import yaml

from apps.crf.dictionary import Dictionary


class _Dumper(yaml.SafeDumper):
    """YAML without aliases, which a person can't edit and the platform does not read."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def dictionary_to_yaml(dictionary: Dictionary) -> str:
    """Return the file's text; what is as it is by default is left out."""
    data = dictionary.as_data(without_defaults=True)
    text: str = yaml.dump(data, Dumper=_Dumper, allow_unicode=True, sort_keys=False, width=120)
    return text
