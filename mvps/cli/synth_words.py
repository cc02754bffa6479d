"""Words that the commands of ``mvps synth`` share, as values."""

from __future__ import annotations

import re

from mvps.errors import InputError

_SIZE = re.compile(r"\s*(\d{1,5})\s*(?:[xX]\s*(\d{1,5})\s*)?")


def names_of(text: str) -> tuple[str, ...]:
    """``a,b`` as ("a", "b"), without empty words."""
    return tuple(word.strip() for word in text.split(",") if word.strip())


def size_of(text: str) -> tuple[int, int]:
    """``512`` or ``640x480`` as (width, height).

    Raises
    ------
    InputError
        Neither of them.
    """
    found = _SIZE.fullmatch(text)
    if found is None:
        raise InputError("--size", f"{text!r} is no size", "e.g. 512 or 640x480")
    size = int(found[1]), int(found[2] or found[1])
    if not all(size):
        raise InputError("--size", f"{text!r} has no pixels", "e.g. 512 or 640x480")
    return size


def lights_word(text: str) -> tuple[int, str]:
    """``4`` as (4, ""), a light file as (0, its name).

    Raises
    ------
    InputError
        A number below one.
    """
    if not re.fullmatch(r"\s*[+-]?\d+\s*", text):
        return 0, text
    if int(text) < 1:
        raise InputError("--lights", f"{text.strip()} lights", "give 3 or more, or a light file")
    return int(text), ""


def numbers_of(option: str, text: str, low: float, high: float) -> tuple[float, ...]:
    """``30,45`` as (30.0, 45.0), each within low to high.

    Raises
    ------
    InputError
        Something is no number, outside, or nothing is there.
    """
    from mvps.numbers import number_fault, parse_number

    values = []
    for word in names_of(text):
        value = parse_number(word)
        if value is None:
            raise InputError(option, number_fault(word))
        if not low <= value <= high:
            raise InputError(option, f"{word} is outside {low:g} to {high:g}")
        values.append(value)
    if not values:
        raise InputError(option, "names no number", "e.g. 30,45,60")
    return tuple(values)
