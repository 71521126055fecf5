"""A dictionary as a YAML file: to be edited and sent back as the next version."""

import yaml

from apps.crf.dictionary import Dictionary


def dictionary_to_yaml(dictionary: Dictionary) -> str:
    """Return the file's text; what is as it is by default is left out."""
    data = dictionary.as_data(without_defaults=True)
    text: str = yaml.safe_dump(data, allow_unicode=True, sort_keys=False, width=120)
    return text
