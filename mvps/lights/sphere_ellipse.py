"""The ellipse that a ball's outline is: its numbers, and its fit to edge points.

Distances to the ellipse are Sampson's (IEEE Trans. PAMI 13, 1991), exact to first order, and the
weights of the fit are Tukey's biweight, from a start of least median distance (Rousseeuw, JASA 79,
1984) among ellipses through five points.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_TUKEY = 4.685  # 95% efficiency on Gaussian noise
_MAD_TO_SIGMA = 1.4826
_ROUNDS = 30
_KEPT_SIGMAS = 3.5
_KEPT = 0.1  # px; no edge point is an outlier for less
_DRAWS = 200  # of five points; with a third of outliers 26 draws are clean
_NEAR_ENOUGH = 0.005  # of the radius, a median distance from which the fit needs no start
_FINEST = 1e-9  # px; below it residuals are rounding and say nothing of outliers


@dataclass(frozen=True, eq=False)
class Ellipse:
    """Points ``centre + shape u`` for unit vectors u; pixel centres at integers, y down.

    Attributes
    ----------
    centre : (2,) float64, px
    shape : (2, 2) float64, px, symmetric and positive; its eigenvalues are the semi-axes
    """

    centre: Array
    shape: Array

    @property
    def semi_axes(self) -> tuple[float, float]:
        """Major and minor semi-axis, px."""
        minor, major = np.linalg.eigvalsh(self.shape)
        return float(major), float(minor)

    @property
    def angle(self) -> float:
        """Direction of the major axis in degrees from +x towards +y (down), within -90 to 90."""
        x, y = np.linalg.eigh(self.shape)[1][:, 1]
        return float(np.degrees(np.arctan2(y, x)) + 90) % 180 - 90

    @property
    def radius(self) -> float:
        """Geometric mean of the semi-axes, px."""
        return float(np.sqrt(np.linalg.det(self.shape)))

    @property
    def eccentricity(self) -> float:
        """sqrt(1 - (minor / major)^2)."""
        major, minor = self.semi_axes
        return float(np.sqrt(max(0.0, 1 - (minor / major) ** 2)))

    def points(self, count: int, scale: float = 1.0) -> Array:
        """(count, 2) points on the ellipse, or on one ``scale`` times as large, px."""
        turn = np.arange(count) * (2 * np.pi / count)
        unit = np.stack([np.cos(turn), np.sin(turn)], axis=1)
        return np.asarray(self.centre + scale * unit @ self.shape, dtype=np.float64)

    def to_disc(self, points: Array) -> Array:
        """Where points (..., 2) in px lie when the ellipse becomes the unit circle, (..., 2)."""
        return np.asarray((points - self.centre) @ np.linalg.inv(self.shape), dtype=np.float64)

    def moved(self, x: float, y: float) -> Ellipse:
        """The same ellipse, displaced in px."""
        return Ellipse(self.centre + np.array([x, y]), self.shape)


def circle(x: float, y: float, radius: float) -> Ellipse:
    """Circle as an ellipse; px, pixel centres at integers."""
    return Ellipse(np.array([x, y], dtype=np.float64), np.eye(2) * radius)


def ellipse_from_axes(x: float, y: float, major: float, minor: float, angle: float) -> Ellipse:
    """Ellipse from its centre, semi-axes (px) and the direction of ``major`` (degrees, y down)."""
    c, s = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    turn = np.array([[c, -s], [s, c]])
    shape = turn @ np.diag([major, minor]) @ turn.T
    return Ellipse(np.array([x, y], dtype=np.float64), shape)


@dataclass(frozen=True, eq=False)
class EllipseFit:
    """A fitted ellipse.

    Attributes
    ----------
    ellipse : the ellipse
    inliers : (N,) bool, points that were kept
    sigma : standard deviation of the kept points about the ellipse, px
    covariance : (5, 5) of centre x, y and shape xx, xy, yy in px^2, at that sigma
    """

    ellipse: Ellipse
    inliers: NDArray[np.bool_]
    sigma: float
    covariance: Array


def distances(ellipse: Ellipse, points: Array) -> Array:
    """Signed distances (N,) in px of points (N, 2) from an ellipse, positive outside."""
    return _residuals(ellipse, points)[0]


def fit_ellipse(points: Array, guess: Ellipse) -> EllipseFit:
    """Ellipse of least squared distances to the points, outliers left out.

    Parameters
    ----------
    points : (N, 2) px, N at least 6
    guess : where the search begins; within a few per cent of its radius

    Raises
    ------
    ValueError
        Fewer than six points, or they span no ellipse.
    """
    if len(points) < 6:
        raise ValueError("an ellipse needs six points")
    ellipse = _start(points, guess)
    for _ in range(_ROUNDS):
        residual, jacobian = _residuals(ellipse, points)
        weight = _tukey(residual)
        ellipse, step = _step(ellipse, jacobian, residual, weight)
        if step < 1e-10 * ellipse.radius:
            break
    residual, _ = _residuals(ellipse, points)
    inliers = np.abs(residual) <= max(_KEPT, _KEPT_SIGMAS * _spread(residual))
    for _ in range(5):
        residual, jacobian = _residuals(ellipse, points)
        ellipse, _step_size = _step(ellipse, jacobian, residual, inliers.astype(np.float64))
    residual, jacobian = _residuals(ellipse, points[inliers])
    sigma = float(np.sqrt((residual**2).sum() / max(1, len(residual) - 5)))
    covariance = sigma**2 * np.linalg.inv(jacobian.T @ jacobian)
    return EllipseFit(ellipse, inliers, sigma, np.asarray(covariance, dtype=np.float64))


def _start(points: Array, guess: Ellipse) -> Ellipse:
    """Best by median distance of the guess and of ellipses through five points each."""
    best, least = guess, float(np.median(np.abs(distances(guess, points))))
    if least < _NEAR_ENOUGH * guess.radius:
        return guess
    rng = np.random.default_rng(len(points))
    chosen = np.argsort(rng.random((_DRAWS, len(points))), axis=1)[:, :5]
    x, y = np.moveaxis((points[chosen] - guess.centre) / guess.radius, -1, 0)
    rows = np.stack([x * x, 2 * x * y, y * y, 2 * x, 2 * y, np.ones_like(x)], axis=-1)
    conics = np.linalg.svd(rows)[2][:, -1]
    for conic in conics:
        candidate = _ellipse_of(conic, guess)
        if candidate is None:
            continue
        median = float(np.median(np.abs(distances(candidate, points))))
        if median < least:
            best, least = candidate, median
    return best


def _ellipse_of(conic: Array, guess: Ellipse) -> Ellipse | None:
    """Ellipse of a x^2 + 2b xy + c y^2 + 2d x + 2e y + f = 0 in units of the guess; None if none.

    One that differs from the guess by a third of its radius is none either.
    """
    a, b, c, d, e, f = conic
    matrix = np.array([[a, b], [b, c]])
    if a * c - b * b <= 1e-9 * (a * a + c * c):
        return None
    centre = -np.linalg.solve(matrix, np.array([d, e]))
    values, vectors = np.linalg.eigh(matrix * np.sign(a + c))
    level = (centre @ matrix @ centre - f) * np.sign(a + c)
    if level <= 0:
        return None
    axes = np.sqrt(level / values)
    if np.abs(axes - 1).max() > 1 / 3 or np.linalg.norm(centre) > 1 / 3:
        return None
    shape = (vectors * axes) @ vectors.T * guess.radius
    return Ellipse(guess.centre + centre * guess.radius, shape)


def _residuals(ellipse: Ellipse, points: Array) -> tuple[Array, Array]:
    """Distances (N,) in px and their derivatives (N, 5) by centre x, y and shape xx, xy, yy."""
    inverse = np.linalg.inv(ellipse.shape)
    u = (points - ellipse.centre) @ inverse
    length = np.linalg.norm(u, axis=1)
    w = (u / length[:, None]) @ inverse  # gradient of |u| by the point
    scale = np.linalg.norm(w, axis=1)
    by_shape = np.stack(
        [w[:, 0] * u[:, 0], w[:, 0] * u[:, 1] + w[:, 1] * u[:, 0], w[:, 1] * u[:, 1]], axis=1
    )
    jacobian = -np.concatenate([w, by_shape], axis=1) / scale[:, None]
    return (length - 1) / scale, jacobian


def _step(
    ellipse: Ellipse, jacobian: Array, residual: Array, weight: Array
) -> tuple[Ellipse, float]:
    """One Gauss-Newton step and its length, px."""
    weighted = jacobian * weight[:, None]
    normal = weighted.T @ jacobian
    if np.linalg.cond(normal) > 1e14:
        raise ValueError("the points span no ellipse")
    step = -np.linalg.solve(normal, weighted.T @ residual)
    xx, xy, yy = step[2:]
    shape = ellipse.shape + np.array([[xx, xy], [xy, yy]])
    if np.linalg.eigvalsh(shape)[0] <= 0.2 * np.linalg.eigvalsh(ellipse.shape)[0]:
        raise ValueError("the points span no ellipse")
    return Ellipse(ellipse.centre + step[:2], shape), float(np.abs(step).max())


def _spread(residual: Array) -> float:
    return max(_FINEST, _MAD_TO_SIGMA * float(np.median(np.abs(residual))))


def _tukey(residual: Array) -> Array:
    ratio = residual / (_TUKEY * _spread(residual))
    return np.where(np.abs(ratio) < 1, (1 - ratio**2) ** 2, 0.0)
