"""Numbers as a person reads them, and which of many stand far from the rest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

MISSING = "–"
MIN_FOR_FENCES = 8  # quartiles of fewer say nothing
FENCE = 3.0  # quartile ranges beyond the quartiles: Tukey's "far out", 1 in 400,000 if normal
LEAST_SPREAD = 0.02  # of the median: where all are alike, a hair's breadth is not far


@dataclass(frozen=True)
class Fences:
    """Values below ``low`` or above ``high`` are far from the rest."""

    low: float
    high: float

    def outside(self, value: float | None) -> bool:
        """Whether this value stands out."""
        return value is not None and not self.low <= value <= self.high


def fences(values: Sequence[float], least: float = 0.0) -> Fences:
    """Tukey's outer fences (Exploratory Data Analysis, 1977); none for a handful of values.

    Parameters
    ----------
    least : quartile range below which differences do not matter
    """
    if len(values) < MIN_FOR_FENCES:
        return Fences(-np.inf, np.inf)
    lower, middle, upper = np.quantile(values, (0.25, 0.5, 0.75)).tolist()
    spread = max(upper - lower, LEAST_SPREAD * abs(middle), least)
    return Fences(lower - FENCE * spread, upper + FENCE * spread)


def percent(share: float | None) -> str:
    """``63.3 %``; a share that is not quite all or nothing never rounds to it."""
    if share is None:
        return MISSING
    if 0 < share < 0.0005:
        return "< 0.1 %"
    if 0.9995 <= share < 1:
        return "> 99.9 %"
    return f"{100 * share:.1f} %"


def count(number: int | None, noun: str = "") -> str:
    """``1,234`` or ``1 stack``, ``2 stacks``."""
    if number is None:
        return MISSING
    return f"{number:,}" + (f" {noun}{'' if number == 1 else 's'}" if noun else "")


def decimal(number: float | None) -> str:
    """Three significant digits."""
    return MISSING if number is None else f"{number:.3g}"


def duration(seconds: float | None) -> str:
    """``21 ms``, ``0.15 s``, ``12 s``, ``3 min 20 s``, ``5 h 02 min``."""
    if seconds is None:
        return MISSING
    if seconds < 0.1:
        return f"{1000 * seconds:.0f} ms"
    if seconds < 100:
        return f"{seconds:.2f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def megapixels(pixels: float) -> str:
    """``0.02 MP``, ``20 MP``, ``40 GP``."""
    millions = pixels / 1e6
    if millions >= 10_000:
        return f"{millions / 1000:,.0f} GP"
    return f"{millions:,.0f} MP" if millions >= 10 else f"{millions:.2g} MP"
