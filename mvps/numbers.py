"""One number grammar for every text that mvps reads: light tables, rig.yml, camera files.

YAML and locale guesses differ (PyYAML reads ``1e-3`` as text), so scalars are parsed here alone.
"""

from __future__ import annotations

import math
import re

_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_INTEGER = re.compile(r"[+-]?\d{1,18}", re.ASCII)
_DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+([eE][+-]?\d+)?", re.ASCII)


def parse_number(text: str) -> float | None:
    """Finite float that the whole of ``text`` spells (``5e+001``, ``.5``, ``-1``), else None."""
    if not _NUMBER.fullmatch(text):
        return None
    value = float(text)
    return value if math.isfinite(value) else None


def parse_integer(text: str) -> int | None:
    """Integer that the whole of ``text`` spells, at most 18 digits, else None."""
    return int(text) if _INTEGER.fullmatch(text) else None


def number_fault(text: str) -> str:
    """Why ``text`` is no number, for an error message."""
    shown = text if len(text) <= 40 else text[:37] + "..."
    if _DECIMAL_COMMA.fullmatch(text):
        return f"{shown!r} has a decimal comma, write {text.replace(',', '.')!r}"
    if "," in text:
        return f"{shown!r} holds a comma, separate numbers by white space"
    if _NUMBER.fullmatch(text):
        return f"{shown!r} is too large for a number of 64 bits"
    return f"{shown!r} is not a number"
