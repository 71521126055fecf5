"""XML as text, element by element: a file of many patients is written without a tree of it in memory."""

from collections.abc import Mapping
from xml.sax.saxutils import escape, quoteattr

from apps.crf.texts import Text

Attributes = Mapping[str, str | int | None]


def element(name: str, attributes: Attributes | None = None, *inner: str) -> str:
    """Return an element around what is XML already; an attribute that is None is left out."""
    begin = opening(name, attributes or {})
    return f"{begin}{''.join(inner)}</{name}>" if inner else f"{begin[:-1]}/>"


def opening(name: str, attributes: Attributes) -> str:
    pairs = "".join(f" {key}={quoteattr(str(value))}" for key, value in attributes.items() if value is not None)
    return f"<{name}{pairs}>"


def text_element(name: str, text: str, attributes: Attributes | None = None) -> str:
    return element(name, attributes, escape(text))


def translated(name: str, text: Text) -> str:
    """Return an element with a text in each language."""
    pairs = (("en", text.en), ("zh-Hans", text.zh_hans))
    return element(name, None, *(text_element("TranslatedText", each, {"xml:lang": lang}) for lang, each in pairs))
