"""Nested frozen dataclasses of figures to JSON and back; NaN, which JSON lacks, is null."""

from __future__ import annotations

import dataclasses
import math
import types
from collections.abc import Mapping
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from mvps.errors import InputError

T = TypeVar("T")


def to_plain(value: Any) -> Any:
    """Mappings, lists and numbers alone; infinities become text, NaN null."""
    if isinstance(value, Mapping):
        return {str(name): to_plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else str(value)
    return value


def from_plain(kind: type[T], plain: Any) -> T:
    """A dataclass of what :func:`to_plain` made of it; what it does not know is left out.

    Raises
    ------
    InputError
        Something is missing or of another kind.
    """
    try:
        made: T = _made(kind, plain)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError("metrics", f"cannot be read ({error!r})", "score again") from None
    return made


def _made(kind: Any, plain: Any) -> Any:
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is types.UnionType:
        return None if plain is None else _made(arguments[0], plain)
    if origin is tuple:
        kinds = arguments[:1] * len(plain) if arguments[-1] is Ellipsis else arguments
        return tuple(_made(k, item) for k, item in zip(kinds, plain, strict=True))
    if origin is not None and issubclass(origin, Mapping):
        return {name: _made(arguments[1], item) for name, item in plain.items()}
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        hints = get_type_hints(kind)
        names = [f.name for f in dataclasses.fields(kind)]
        return kind(**{name: _made(hints[name], plain[name]) for name in names})
    if kind is float:
        return math.nan if plain is None else float(plain)
    if not isinstance(plain, kind):
        raise TypeError(f"{plain!r} is no {kind.__name__}")
    return plain
