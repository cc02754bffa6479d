"""The outline of a ball in a photograph, to a fraction of a pixel.

A gradient-voted circle (Kimme, Ballard and Sklansky, CACM 18, 1975) is the guess; edge points are
the maxima of a derivative of a Gaussian along normals of the outline.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mvps.lights.sphere_ellipse import Ellipse, EllipseFit, circle, fit_ellipse

Array = NDArray[np.float64]

_COARSE_SIDE = 320  # px; the guess needs no more
_COARSE_ERROR = 2.5  # px, of that guess
_EDGE_SHARE = 0.2  # of all pixels, the steepest, vote for circles
_RADII = (0.06, 0.56)  # of the shorter side
_BANDS = (0.05, 0.025, 0.012)  # of the radius on either side, searched in turn
_LEAST_BAND = 4.0  # px
_LEAST_SIDE = 16  # px; a smaller picture shows no ball
_SMOOTHING = 1.2  # px, of the derivative along a normal
_SAMPLING = 0.5  # px
_LEAST_COVERAGE = 0.35  # of the normals must meet an edge point that fits


@dataclass(frozen=True, eq=False)
class Outline:
    """Outline of a ball.

    Attributes
    ----------
    ellipse : in raw px
    points : (N, 2) float64, edge points that it was fitted to, raw px; empty when it was given
    sigma : standard deviation of these about it, px; 0 when it was given
    covariance : (5, 5) as in EllipseFit; zeros when it was given
    coverage : share of its circumference on which an edge was found; 1 when it was given
    """

    ellipse: Ellipse
    points: Array
    sigma: float
    covariance: Array
    coverage: float


def given_outline(ellipse: Ellipse) -> Outline:
    """An outline that somebody stated, taken at its word."""
    return Outline(ellipse, np.empty((0, 2)), 0.0, np.zeros((5, 5)), 1.0)


def find_balls(image: Array, count: int = 1) -> tuple[Outline, ...]:
    """Outlines of the ``count`` balls that show most clearly, from left to right.

    Parameters
    ----------
    image : (H, W) float, any scale

    Returns
    -------
    outlines : fewer than ``count`` where no more are found
    """
    found: list[Outline] = []
    if min(image.shape) < _LEAST_SIDE:
        return ()
    scale = min(1.0, _COARSE_SIDE / max(image.shape))
    for guess in _voted_circles(image, scale, 4 * count):
        outline = refine_outline(image, guess, _COARSE_ERROR / scale)
        if outline is None or any(_overlap(outline.ellipse, o.ellipse) for o in found):
            continue
        found.append(outline)
        if len(found) == count:
            break
    return tuple(sorted(found, key=lambda o: float(o.ellipse.centre[0])))


def refine_outline(image: Array, guess: Ellipse, reach: float = 0.0) -> Outline | None:
    """The outline near a guess; None when no ellipse is there.

    Parameters
    ----------
    image : (H, W) float, any scale
    reach : px, how far the guess may be off, where that is more than 5% of its radius
    """
    count = int(np.clip(2 * np.pi * guess.radius, 90, 720))
    ellipse, points, fit = guess, np.empty((0, 2)), None
    for band in (max(reach, _BANDS[0] * guess.radius), *(b * guess.radius for b in _BANDS[1:])):
        points = edge_points(image, ellipse, max(_LEAST_BAND, band), count)
        if len(points) < _LEAST_COVERAGE * count:
            return None
        try:
            fit = fit_ellipse(points, ellipse)
        except (ValueError, np.linalg.LinAlgError):
            return None
        ellipse = fit.ellipse
    return _outline(fit, points, count) if fit else None


def _outline(fit: EllipseFit, points: Array, count: int) -> Outline | None:
    coverage = float(fit.inliers.sum()) / count
    major, minor = fit.ellipse.semi_axes
    if coverage < _LEAST_COVERAGE or minor < 0.7 * major:
        return None
    return Outline(fit.ellipse, points[fit.inliers], fit.sigma, fit.covariance, coverage)


def edge_points(image: Array, ellipse: Ellipse, band: float, count: int) -> Array:
    """Steepest place along each of ``count`` normals of an ellipse, (N, 2) px, N <= count.

    Parameters
    ----------
    image : (H, W) float, any scale
    band : px searched on either side; a place near the ellipse is preferred
    """
    on = ellipse.points(count)
    normals = (on - ellipse.centre) @ np.linalg.inv(ellipse.shape @ ellipse.shape)
    normals /= np.linalg.norm(normals, axis=1)[:, None]
    margin = 3 * _SMOOTHING
    offsets = np.arange(-band - margin, band + margin + _SAMPLING / 2, _SAMPLING)
    samples = bilinear(image, on[:, None, :] + offsets[:, None] * normals[:, None, :])
    slope = np.abs(_derivative(samples))
    preference = np.exp(-0.5 * (offsets / band) ** 2)
    slope = np.where(np.abs(offsets) <= band, slope, 0.0)
    best = np.argmax(np.nan_to_num(slope * preference), axis=1)
    best = np.clip(best, 1, len(offsets) - 2)
    rows = np.arange(count)
    before, here, after = (slope[rows, best + i] for i in (-1, 0, 1))
    bend = before - 2 * here + after
    with np.errstate(divide="ignore", invalid="ignore"):
        shift = 0.5 * (before - after) / bend
    is_peak = (here > before) & (here >= after) & (here > 0) & (np.abs(shift) <= 1)
    along = offsets[best] + np.where(is_peak, shift, 0.0) * _SAMPLING
    return np.asarray((on + along[:, None] * normals)[is_peak], dtype=np.float64)


def bilinear(image: Array, points: Array) -> Array:
    """Image (H, W) at points (..., 2) px between pixels; NaN outside."""
    height, width = image.shape
    x, y = points[..., 0], points[..., 1]
    inside = (x >= 0) & (y >= 0) & (x <= width - 1) & (y <= height - 1)
    column = np.clip(np.nan_to_num(x).astype(np.intp), 0, max(0, width - 2))
    row = np.clip(np.nan_to_num(y).astype(np.intp), 0, max(0, height - 2))
    fx, fy = x - column, y - row
    top = image[row, column] * (1 - fx) + image[row, column + 1] * fx
    bottom = image[row + 1, column] * (1 - fx) + image[row + 1, column + 1] * fx
    return np.where(inside, top * (1 - fy) + bottom * fy, np.nan)


def _derivative(samples: Array) -> Array:
    """Derivative of a Gaussian along the last axis; NaN where the samples are."""
    sigma = _SMOOTHING / _SAMPLING
    reach = round(3 * sigma)
    t = np.arange(-reach, reach + 1, dtype=np.float64)
    kernel = t * np.exp(-0.5 * (t / sigma) ** 2)
    kernel /= np.abs(kernel).sum()
    padded = np.pad(samples, ((0, 0), (reach, reach)), mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1, axis=1)
    return np.asarray(windows @ kernel, dtype=np.float64)


def _voted_circles(image: Array, scale: float, count: int) -> list[Ellipse]:
    """Circles with most of their circumference on edges that face them, best first.

    They are sought in a picture ``scale`` times as large.
    """
    import cv2

    size = (max(8, round(image.shape[1] * scale)), max(8, round(image.shape[0] * scale)))
    small = cv2.resize(image.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), 1.0)
    gx, gy = cv2.Sobel(small, cv2.CV_32F, 1, 0), cv2.Sobel(small, cv2.CV_32F, 0, 1)
    steep = np.hypot(gx, gy)
    edges = (steep > 0) & (steep >= np.quantile(steep, 1 - _EDGE_SHARE))
    y, x = np.nonzero(edges)
    slope = np.stack([gx[edges], gy[edges]]) / steep[edges]
    shorter = min(small.shape)
    found: list[tuple[float, Ellipse]] = []
    for radius in np.arange(max(4.0, _RADII[0] * shorter), _RADII[1] * shorter):
        votes = _votes(small.shape, np.stack([x, y]), slope * radius) / (2 * np.pi * float(radius))
        row, column = np.unravel_index(np.argmax(votes), votes.shape)
        # A large circle needs a smaller share than a small one to be as unlikely by chance.
        score = float(votes[row, column]) * np.sqrt(radius)
        centre = ((column + 0.5) / scale - 0.5, (row + 0.5) / scale - 0.5)
        found.append((score, circle(*centre, radius / scale)))
    found.sort(key=lambda pair: -pair[0])
    distinct: list[Ellipse] = []
    for _, guess in found:
        if not any(_alike(guess, other) for other in distinct):
            distinct.append(guess)
    return distinct[:count]


def _votes(shape: tuple[int, ...], edges: NDArray[np.intp], move: NDArray[Any]) -> Array:
    """Votes (H, W) for a centre of edges (2, N) at ``move`` (2, N) px, gathered over 3 x 3 px."""
    import cv2

    height, width = shape
    total = np.zeros(height * width)
    for sign in (1, -1):
        column, row = np.rint(edges + sign * move).astype(np.intp)
        inside = (column >= 0) & (row >= 0) & (column < width) & (row < height)
        place = row[inside] * width + column[inside]
        total += np.bincount(place, minlength=height * width)
    return np.asarray(cv2.boxFilter(total.reshape(shape), -1, (3, 3), normalize=False))


def _alike(a: Ellipse, b: Ellipse) -> bool:
    apart = np.linalg.norm(a.centre - b.centre) + abs(a.radius - b.radius)
    return bool(apart < 0.1 * max(a.radius, b.radius))


def _overlap(a: Ellipse, b: Ellipse) -> bool:
    return bool(np.linalg.norm(a.centre - b.centre) < 0.9 * (a.radius + b.radius))
