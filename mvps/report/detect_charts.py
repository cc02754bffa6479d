"""Curves and score histograms of a detector as inline SVG."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mvps.plotting import COLOURS
from mvps.report.markup import Markup, join, tag
from mvps.report.numbers import decimal

Rates = NDArray[np.float64]

SOUND, DEFECTIVE = COLOURS[0], COLOURS[1]
_WIDTH, _HEIGHT = 360, 250
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 350, 12, 208  # of the plane between the axes
_POINTS = 200  # of a curve; a screen shows no more
_BINS = (8, 32)  # of a histogram, more with more items
_HEADROOM = 1.15  # of a histogram, for the words about its threshold


@dataclass(frozen=True)
class Line:
    """One curve: its name, its points from left to right, and the lowest score that each counts."""

    name: str
    x: Rates
    y: Rates
    threshold: NDArray[np.float64]


def curves(title: str, lines: Sequence[Line], axes: tuple[str, str], end: float = 1.0) -> Markup:
    """Curves over rates from 0 to ``end``; with more of them than colours, one colour for all.

    Parameters
    ----------
    axes : what stands along x and along y
    """
    drawn = [line for line in lines if np.isfinite(line.y).all() and len(line.x) > 1]
    if not drawn:
        return Markup("")
    coloured = len(drawn) <= len(COLOURS)
    paths = []
    for number, line in enumerate(drawn):
        colour = COLOURS[number] if coloured else None
        kind = "curve" if coloured else "curve many"
        shape = tag("path", tag("title", line.name), d=_path(line, end), stroke=colour, class_=kind)
        paths.append(shape)
    picture = tag(
        "svg",
        _frame([(0, "0"), (0.5, f"{end / 2:g}"), (1, f"{end:g}")], _fractions()),
        tag("text", axes[0], x=(_LEFT + _RIGHT) / 2, y=_HEIGHT - 6, class_="centre"),
        tag("text", axes[1], x=_LEFT + 6, y=_TOP + 12, class_="start"),
        paths,
        viewBox=f"0 0 {_WIDTH} {_HEIGHT}",
        role="img",
        aria_label=f"{title}: {len(drawn)} curves",
    )
    names = join(_key(line.name, COLOURS[n]) for n, line in enumerate(drawn)) if coloured else ""
    return tag("figure", tag("figcaption", tag("b", title)), picture, names, class_="chart")


def spread_points(x: Rates, y: Rates, count: int) -> NDArray[np.intp]:
    """Places of at most ``count`` points of a curve, the first and the last among them.

    Evenly along the curve rather than along x: both its rise and its tail are seen.
    """
    if len(x) <= count:
        return np.arange(len(x))
    length = np.concatenate([[0], np.cumsum(np.hypot(np.diff(x), np.diff(y)))])
    places = np.searchsorted(length, np.linspace(0, length[-1], count))
    places[-1] = len(x) - 1
    return np.unique(np.minimum(places, len(x) - 1))


def histogram(
    title: str,
    sound: NDArray[np.float64],
    defective: NDArray[np.float64],
    threshold: float | None,
) -> Markup:
    """How scores of sound and of defective items are spread, with the threshold between them."""
    everything = np.concatenate([sound, defective])
    everything = everything[np.isfinite(everything)]
    if not everything.size:
        return Markup("")
    shown = everything if threshold is None else np.append(everything, threshold)
    low, high = float(shown.min()), float(shown.max())
    margin = 0.04 * (high - low) or 0.5
    span = (low - margin, high + margin)
    bins = int(np.clip(2 * len(everything) ** 0.5, *_BINS))
    counts = [np.histogram(values, bins, span)[0] for values in (sound, defective)]
    most = max(int(count.max()) for count in counts)
    top = most * _HEADROOM
    places = [((tick - span[0]) / (span[1] - span[0]), decimal(tick)) for tick in (low, high)]
    picture = tag(
        "svg",
        _frame(places, [(0, "0"), (most / top, f"{most:,}")]),
        [
            tag("path", d=_steps(count, top), fill=colour, stroke=colour, class_="area")
            for count, colour in zip(counts, (SOUND, DEFECTIVE), strict=True)
            if count.any()
        ],
        _threshold(threshold, span),
        viewBox=f"0 0 {_WIDTH} {_HEIGHT}",
        role="img",
        aria_label=f"{title}: {len(sound)} sound, {len(defective)} defective",
    )
    names = [_key(f"sound ({len(sound):,})", SOUND)]
    if len(defective):
        names.append(_key(f"defective ({len(defective):,})", DEFECTIVE))
    return tag("figure", tag("figcaption", tag("b", title)), picture, names, class_="chart")


def _fractions() -> list[tuple[float, str]]:
    return [(0, "0"), (0.5, "0.5"), (1, "1")]


def _x(share: float) -> float:
    return _LEFT + (_RIGHT - _LEFT) * share


def _y(share: float) -> float:
    return _BOTTOM - (_BOTTOM - _TOP) * share


def _frame(across: Sequence[tuple[float, str]], up: Sequence[tuple[float, str]]) -> list[Markup]:
    parts = [
        tag("line", x1=_LEFT, x2=_RIGHT, y1=_BOTTOM, y2=_BOTTOM, class_="axis"),
        tag("line", x1=_LEFT, x2=_LEFT, y1=_TOP, y2=_BOTTOM, class_="axis"),
    ]
    for share, label in across:
        x = f"{_x(share):.1f}"
        parts.append(tag("line", x1=x, x2=x, y1=_BOTTOM, y2=_BOTTOM + 4, class_="axis"))
        parts.append(tag("text", label, x=x, y=_BOTTOM + 18, class_="centre"))
    for share, label in up:
        y = f"{_y(share):.1f}"
        parts.append(tag("line", x1=_LEFT - 4, x2=_LEFT, y1=y, y2=y, class_="axis"))
        parts.append(tag("text", label, x=_LEFT - 7, y=f"{_y(share) + 4:.1f}", class_="end"))
    return parts


def _path(line: Line, end: float) -> str:
    inside = line.x <= end
    x, y = line.x[inside], line.y[inside]
    if x[-1] < end and not inside.all():
        x, y = np.append(x, end), np.append(y, np.interp(end, line.x, line.y))
    kept = spread_points(x / end, y, _POINTS)
    points = (f"{_x(a / end):.1f} {_y(b):.1f}" for a, b in zip(x[kept], y[kept], strict=True))
    return "M" + "L".join(points)


def _steps(counts: NDArray[np.int64], top: float) -> str:
    edges = np.linspace(0, 1, len(counts) + 1)
    path = [f"M{_x(0):.1f} {_BOTTOM}"]
    for count, left, right in zip(counts.tolist(), edges[:-1], edges[1:], strict=True):
        height = _y(count / top)
        path.append(f"L{_x(left):.1f} {height:.1f}L{_x(right):.1f} {height:.1f}")
    return "".join(path) + f"L{_x(1):.1f} {_BOTTOM}Z"


def _threshold(threshold: float | None, span: tuple[float, float]) -> list[Markup]:
    if threshold is None:
        return []
    share = (threshold - span[0]) / (span[1] - span[0])
    side = "end" if share > 0.6 else "start"
    x = _x(share)
    words = f"NG above {decimal(threshold)}"
    return [
        tag("line", x1=f"{x:.1f}", x2=f"{x:.1f}", y1=_TOP - 6, y2=_BOTTOM, class_="threshold"),
        tag("text", words, x=f"{x + (-5 if side == 'end' else 5):.1f}", y=_TOP + 4, class_=side),
    ]


def _key(name: str, colour: str) -> Markup:
    box = tag("rect", width=10, height=10, fill=colour)
    swatch = tag("svg", box, viewBox="0 0 10 10", aria_hidden="true", class_="swatch")
    return tag("span", swatch, " ", name, class_="key")
