"""The reflection of a lamp in a mirror ball: its place to a fraction of a pixel.

A compact spot has an intensity-weighted centroid, in which a saturated plateau counts evenly and
its border by how far it is lit. A ragged one (a scratched ball draws stars) has the median of its
saturated pixels, as in PSBox (Xiong 2014).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

SATURATED = 0.98  # of white
MIN_PEAK = 0.05  # of white above what all images share; below it there is no highlight
RIVAL = 0.3  # of the light of the brightest spot makes a second spot worth a warning

_PLATEAU = (0.40, SATURATED)  # of white; weights rise from 0 to 1 between them
_UNSATURATED = 0.5  # of the peak, below which nothing counts
_COMPACT = 0.85  # of its convex hull is filled by a spot whose centroid can be trusted
_SMALL = 30  # px; the hull of fewer says nothing
_LEAST_AREA = 2  # px; less is a hot pixel

Method = Literal["auto", "centroid", "median"]
METHODS: tuple[str, ...] = get_args(Method)


@dataclass(frozen=True)
class Highlight:
    """Brightest spot on a ball.

    Attributes
    ----------
    x, y : centroid, px of the image that was given
    area : pixels that counted, weighted
    peak : brightest pixel, fraction of white
    saturated : share of the counted area that is saturated
    rival : light of the second spot over that of this one
    method : "centroid" or "median", whichever x and y are
    doubt : px from the other (of a centroid, from that of the spot's brighter half):
        what the shape of the spot leaves open
    """

    x: float
    y: float
    area: float
    peak: float
    saturated: float
    rival: float
    method: str
    doubt: float


def find_highlight(
    image: Array, inside: NDArray[np.bool_], shared: Array, method: Method = "auto"
) -> Highlight | None:
    """The highlight of one lamp, or None where there is none.

    Parameters
    ----------
    image : (H, W) linear or not, fraction of white
    inside : (H, W), pixels on the ball
    shared : (H, W), what every image of the series shows there (its minimum): the surroundings
    method : "auto" takes the median where the spot is saturated and ragged, else the centroid
    """
    own = inside & (image - shared >= np.maximum(MIN_PEAK, 0.5 * image))
    lit = np.where(own, image, 0.0)
    peak = float(lit.max())
    if peak < MIN_PEAK:
        return None
    weight = _weights(lit, peak)
    spots = _spots(weight)
    if not spots:
        return None
    main = np.zeros_like(weight)
    main[spots[0]] = weight[spots[0]]
    rival = float(weight[spots[1]].sum() / main.sum()) if len(spots) > 1 else 0.0
    total = float(main.sum())
    full = lit >= SATURATED
    saturated = float(main[full].sum() / total)
    # Every saturated pixel of the ball: a median needs no choice among fragments of a star.
    median = _median(full if full.any() else main > 0)
    centroid = _centroid(main)
    if method == "auto":
        method = "median" if full.any() and not _is_compact(main) else "centroid"
    x, y = median if method == "median" else centroid
    core = _centroid(np.clip(main - 0.5 * main.max(), 0.0, None))
    other = centroid if method == "median" else core
    doubt = float(np.hypot(x - other[0], y - other[1]))
    return Highlight(x, y, total, peak, saturated, rival, method, doubt)


def find_highlights(
    images: Array, inside: NDArray[np.bool_], method: Method = "auto"
) -> list[Highlight | None]:
    """The highlight of each of K images (K, H, W) of one ball, all by one method.

    Which of a series is ragged may be chance; "auto" takes the median where most are.
    """
    shared = images.min(axis=0)
    found = [find_highlight(image, inside, shared, method) for image in images]
    seen = [spot for spot in found if spot is not None]
    if method != "auto" or len({spot.method for spot in seen}) < 2:
        return found
    ragged = sum(spot.method == "median" for spot in seen)
    method = "median" if 2 * ragged > len(seen) else "centroid"
    return [find_highlight(image, inside, shared, method) for image in images]


def _weights(lit: Array, peak: float) -> Array:
    if peak >= SATURATED:
        low, high = _PLATEAU
        return np.clip((lit - low) / (high - low), 0.0, 1.0)
    return np.clip(lit / peak - _UNSATURATED, 0.0, None)


def _spots(weight: Array) -> list[tuple[NDArray[np.intp], ...]]:
    """Pixels of each connected spot of at least two pixels, the one with most light first."""
    import cv2

    _, labels = cv2.connectedComponents((weight > 0).astype(np.uint8), connectivity=8)
    flat = labels.ravel()
    light = np.bincount(flat, weights=weight.ravel())
    light[np.bincount(flat) < _LEAST_AREA] = 0.0
    light[0] = 0.0
    best = np.argsort(light)[::-1][:2]
    return [np.nonzero(labels == label) for label in best if light[label] > 0]


def _is_compact(weight: Array) -> bool:
    """Whether the brighter half of a spot fills its convex hull."""
    import cv2

    solid = (weight >= 0.5 * weight.max()).astype(np.uint8)
    area = int(solid.sum())
    if area < _SMALL:
        return True
    hull = cv2.fillConvexPoly(np.zeros_like(solid), cv2.convexHull(cv2.findNonZero(solid)), 1)
    return bool(area >= _COMPACT * int(hull.sum()))


def _centroid(weight: Array) -> tuple[float, float]:
    rows, columns = np.nonzero(weight)
    w = weight[rows, columns]
    return float((w * columns).sum() / w.sum()), float((w * rows).sum() / w.sum())


def _median(mask: NDArray[np.bool_]) -> tuple[float, float]:
    """Median column and row of a mask, interpolated within the pixel."""
    return _median_of(mask.sum(axis=0)), _median_of(mask.sum(axis=1))


def _median_of(counts: NDArray[np.int_]) -> float:
    cumulated = np.cumsum(counts)
    half = cumulated[-1] / 2
    i = int(np.searchsorted(cumulated, half))
    return float(i - 0.5 + (half - (cumulated[i] - counts[i])) / counts[i])
