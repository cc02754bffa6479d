"""Distributions over all stacks as inline SVG; those far from the rest are marked and linked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from mvps.report.markup import Markup, tag
from mvps.report.numbers import Fences, count

LEAST = 3  # values make a distribution
_WIDTH, _HEIGHT, _FLOOR, _TOP = 360, 130, 96, 24
_BINS = (6, 45)
_MARKS = 60  # outliers drawn; each is a link that a keyboard must pass


@dataclass(frozen=True)
class Value:
    """One stack in a distribution: its figure, its name and where its card is."""

    number: float
    name: str
    anchor: str


def distribution(
    title: str, values: Sequence[Value], limits: Fences, show: Callable[[float], str]
) -> Markup:
    """A histogram with its range in words; empty for fewer values than make a distribution.

    Parameters
    ----------
    limits : values outside them are marked
    show : writes a value with its unit
    """
    if len(values) < LEAST:
        return Markup("")
    numbers = np.array([value.number for value in values])
    low, middle, high = float(numbers.min()), float(np.median(numbers)), float(numbers.max())
    odd = sorted((v for v in values if limits.outside(v.number)), key=lambda v: v.number)
    words = f"median {show(middle)}, from {show(low)} to {show(high)}"
    if odd:
        words += f"; {count(len(odd))} far from the rest"
    # A range of nothing would divide by nothing.
    span = (low, high) if high > low else (low - 0.5, low + 0.5)
    shown = odd[: _MARKS // 2] + odd[max(_MARKS // 2, len(odd) - _MARKS // 2) :]
    picture = tag(
        "svg",
        _bars(numbers, span),
        _axis(span, (low, middle, high), show),
        (_mark(value, span, show) for value in shown),
        viewBox=f"0 0 {_WIDTH} {_HEIGHT}",
        role="group",
        aria_label=f"{title}: {words}",
    )
    return tag("figure", tag("figcaption", tag("b", title), " ", words), picture, class_="chart")


def _x(number: float, span: tuple[float, float]) -> float:
    return 8 + (_WIDTH - 16) * (number - span[0]) / (span[1] - span[0])


def _bars(numbers: np.ndarray, span: tuple[float, float]) -> list[Markup]:
    bins = int(np.clip(2 * np.sqrt(len(numbers)), *_BINS))
    heights, edges = np.histogram(numbers, bins=bins, range=span)
    bars = []
    for height, left, right in zip(heights, edges[:-1], edges[1:], strict=True):
        if height == 0:
            continue
        # A single stack among thousands must still be seen.
        tall = max(2.0, (_FLOOR - _TOP) * height / heights.max())
        x0, x1 = _x(left, span), _x(right, span)
        bar = tag(
            "rect",
            x=f"{x0 + 0.5:.1f}",
            y=f"{_FLOOR - tall:.1f}",
            width=f"{max(x1 - x0 - 1, 1):.1f}",
            height=f"{tall:.1f}",
            class_="bar",
        )
        bars.append(bar)
    return bars


def _axis(
    span: tuple[float, float], at: tuple[float, float, float], show: Callable[[float], str]
) -> list[Markup]:
    low, middle, high = at
    line = tag("line", x1=8, x2=_WIDTH - 8, y1=_FLOOR, y2=_FLOOR, class_="axis")
    x = _x(middle, span)
    parts = [line, tag("line", x1=x, x2=x, y1=_FLOOR - 4, y2=_FLOOR + 5, class_="middle")]
    if high > low:
        parts.append(tag("text", show(low), x=8, y=_FLOOR + 28, class_="start"))
        parts.append(tag("text", show(high), x=_WIDTH - 8, y=_FLOOR + 28, class_="end"))
    near = x < 0.3 * _WIDTH or x > 0.7 * _WIDTH
    if not near or high == low:
        parts.append(tag("text", show(middle), x=f"{x:.1f}", y=_FLOOR + 28, class_="centre"))
    return parts


def _mark(value: Value, span: tuple[float, float], show: Callable[[float], str]) -> Markup:
    """A triangle above the bars that leads to the stack's card."""
    x = _x(value.number, span)
    shape = tag("path", d=f"M{x - 5:.1f} 6h10l-5 10z")
    label = f"{value.name}: {show(value.number)}"
    return tag("a", tag("title", label), shape, href=f"#{value.anchor}", class_="mark")
