"""HTML that cannot be written unescaped: text becomes markup only through `tag`.

Names of stacks, warnings and records come from folders and files of anybody.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable

# What XML and HTML cannot hold: controls, halves of surrogate pairs, non-characters.
_UNFIT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")

Attribute = str | int | float | bool | None


class Markup(str):
    """Finished HTML or SVG."""

    __slots__ = ()


Content = str | Iterable[str]


def escape(text: str) -> Markup:
    """Text as markup, for elements and for quoted attributes."""
    return Markup(html.escape(_UNFIT.sub("\ufffd", text)))


def join(parts: Iterable[str], between: str = "") -> Markup:
    """Parts one after the other; plain text among them is escaped."""
    return Markup(escape(between).join(_finished(part) for part in parts))


def tag(name: str, /, *content: Content, **attributes: Attribute) -> Markup:
    """One element; plain text in ``content`` is escaped.

    Parameters
    ----------
    name : of the element
    content : text, markup, or any iterable of both
    attributes : ``class_`` stands for ``class``, ``data_name`` for ``data-name``; True is an
        attribute without a value, False and None are left out
    """
    inside = "".join(_finished(part) for part in content)
    return Markup(f"<{name}{_attributes(attributes)}>{inside}</{name}>")


def void(name: str, /, **attributes: Attribute) -> Markup:
    """One element that holds nothing, as ``img``."""
    return Markup(f"<{name}{_attributes(attributes)}>")


def _finished(part: Content) -> str:
    if isinstance(part, Markup):
        return part
    return escape(part) if isinstance(part, str) else join(part)


def _attributes(attributes: dict[str, Attribute]) -> str:
    words = []
    for key, value in attributes.items():
        if value is None or value is False:
            continue
        name = key.rstrip("_").replace("_", "-")
        words.append(f" {name}" if value is True else f' {name}="{escape(str(value))}"')
    return "".join(words)
