"""The camera's curve from light to sample values, and its inverse as a table.

sRGB after IEC 61966-2-1; a measured curve comes as a text file.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from mvps.errors import InputError
from mvps.files import read_text

_KNOWN = "linear, srgb, gamma=2.2 or the name of a file"
_MIN_GAMMA, _MAX_GAMMA = 0.1, 10.0


@dataclass(frozen=True)
class Response:
    """Map from samples to linear light, both as fractions of white.

    Parameters
    ----------
    name : ``linear``, ``srgb``, ``gamma=X`` or the file
    gamma : exponent from sample to light, when that is the curve
    knots : samples and light of a measured curve, rising from the first to ``(1, 1)``
    """

    name: str
    gamma: float | None = None
    knots: tuple[tuple[float, float], ...] = ()

    @property
    def is_linear(self) -> bool:
        """Whether samples are already proportional to light."""
        return self.name == "linear" or self.gamma == 1.0

    def apply(self, samples: NDArray[Any]) -> NDArray[Any]:
        """Light of `samples`, both as fractions of white; samples are held within 0 to 1.

        Linear samples come back as they are. NaN stays NaN.
        """
        if self.is_linear:
            return samples
        x: NDArray[Any] = np.clip(samples, 0.0, 1.0)
        if self.gamma is not None:
            return np.asarray(x**self.gamma)
        if self.knots:
            sample, light = np.array(self.knots).T
            curve: NDArray[Any] = np.interp(x, sample, light)
        else:
            curve = np.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4)
        return curve.astype(x.dtype)

    def table(self, dtype: DTypeLike, white: float) -> NDArray[np.float32]:
        """Linear sample for each raw sample ``(256,)`` or ``(65536,)``; white stays white.

        Parameters
        ----------
        dtype : uint8 or uint16
        white : raw value of a full-scale sample; above it the table stays at white unless linear
        """
        sample = np.dtype(dtype)
        if sample not in (np.uint8, np.uint16):
            raise ValueError(f"no table for {sample}; uint8 or uint16 expected")
        raw = np.arange(1 << sample.itemsize * 8, dtype=np.float64)
        return (self.apply(raw / white) * white).astype(np.float32)


def parse_response(text: str) -> Response:
    """The response that a user names: ``linear``, ``srgb``, ``gamma=2.2`` or a file.

    A file holds one or two columns of numbers, separated by blanks; ``#`` begins a comment. Two
    columns are raw value and light, one column is light at evenly spaced raw values from 0. Units
    are free: the last row is white. Raw values must rise, light must not fall.

    Raises
    ------
    InputError
        The word is unknown, or the file is not such a curve; file and row are named.
    """
    word = text.strip()
    if word in ("linear", "srgb"):
        return Response(word)
    if word.startswith("gamma="):
        return Response(word, gamma=_gamma(word))
    path = Path(word)
    if not word or not path.is_file():
        raise InputError("response", f"{text!r} is neither a curve nor a file", f"use {_KNOWN}")
    return Response(word, knots=_knots(path))


def _gamma(word: str) -> float:
    try:
        value = float(word.removeprefix("gamma="))
    except ValueError:
        value = 0.0
    if not _MIN_GAMMA <= value <= _MAX_GAMMA:
        limits = f"{_MIN_GAMMA:g} and {_MAX_GAMMA:g}"
        raise InputError("response", f"{word!r} is no exponent", f"give one between {limits}")
    return value


def _knots(path: Path) -> tuple[tuple[float, float], ...]:
    rows: list[tuple[float, float]] = []
    columns = 0
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        words = line.split("#")[0].split()
        if not words:
            continue
        where = f"{path}, line {number}"
        columns = columns or len(words)
        values = [_number(word, where) for word in words]
        if len(values) != columns or columns > 2:
            raise InputError(where, f"has {len(values)} columns", "give one or two in every row")
        raw = values[0] if columns == 2 else float(len(rows))
        rows.append((raw, values[-1]))
        if len(rows) > 1 and raw <= rows[-2][0]:
            raise InputError(where, f"raw value {raw:g} does not rise", "sort the rows")
        if len(rows) > 1 and values[-1] < rows[-2][1]:
            raise InputError(where, f"light {values[-1]:g} falls", "a response must not fall")
    if len(rows) < 2 or rows[-1][1] <= rows[0][1]:
        raise InputError(path, "is not a response curve", "give at least two rows that rise")
    white, full = rows[-1]
    return tuple((raw / white, light / full) for raw, light in rows)


def _number(word: str, where: str) -> float:
    if "," in word:
        raise InputError(where, f"{word!r} has a comma", "write points and separate by blanks")
    try:
        value = float(word)
    except ValueError:
        raise InputError(where, f"{word!r} is not a number", "comments begin with #") from None
    if not 0 <= value < float("inf"):
        raise InputError(where, f"{word!r} is negative or not finite", "give values from 0")
    return value
