"""The distortion polynomial of a lens and its inverse, in normalised image coordinates.

Rational radial, tangential and thin-prism terms as OpenCV writes them (Brown 1966; Weng, Cohen and
Herniou, TPAMI 1992); the inverse is Newton's method with a residual check and a validity mask.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mvps.calib.camera import Array

TOLERANCE = 1e-12  # residual of the inverse, normalised units: 2e-8 px at a focal length of 20,000
ITERATIONS = 20  # 3 to 5 are used; the rest serve points near the fold
DIRECTIONS_OF_FOLD = 360
_CHUNK = 1 << 14  # points whose working arrays stay in the cache of a core
_TABLE = 2048
_LARGEST_RADIUS = 1e3  # 89.94 degrees off the axis
_POWERS = (2, 4, 1, 1, 6, 2, 4, 6, 1, 3, 1, 3)  # of the radius, by which each term grows

Mask = NDArray[np.bool_]


class _Image(NamedTuple):
    """Value of the polynomial at points and its derivatives: ``xy`` is d(x value)/d(y)."""

    x: Array
    y: Array
    xx: Array
    xy: Array
    yx: Array
    yy: Array

    def determinant(self) -> Array:
        with np.errstate(all="ignore"):
            return self.xx * self.yy - self.xy * self.yx


def apply_polynomial(coefficients: ArrayLike, points: ArrayLike) -> Array:
    """Value of the distortion polynomial at normalised points.

    With u = x^2 + y^2 and g = (1 + k1 u + k2 u^2 + k3 u^3) / (1 + k4 u + k5 u^2 + k6 u^3)::

        x' = x g + 2 p1 x y + p2 (u + 2 x^2) + s1 u + s2 u^2
        y' = y g + p1 (u + 2 y^2) + 2 p2 x y + s3 u + s4 u^2

    Parameters
    ----------
    coefficients : (12,) k1 k2 p1 p2 k3 k4 k5 k6 s1 s2 s3 s4
    points : (..., 2) x/z, y/z, without unit

    Returns
    -------
    (..., 2) float64
    """
    k, flat, shape = _arguments(coefficients, points)
    out = np.empty_like(flat)
    for part in _chunks(len(flat)):
        x, y = flat[part, 0], flat[part, 1]
        out[part, 0], out[part, 1] = _value(k, x, y, *_radial(k, x, y)[:2])
    return out.reshape(shape)


def polynomial_jacobian(coefficients: ArrayLike, points: ArrayLike) -> Array:
    """Derivative of :func:`apply_polynomial`: entry [i, j] is d(value i) / d(point j).

    Parameters
    ----------
    coefficients : (12,)
    points : (..., 2) normalised

    Returns
    -------
    (..., 2, 2) float64
    """
    k, flat, shape = _arguments(coefficients, points)
    image = _evaluate(k, flat[:, 0], flat[:, 1])
    return np.stack([image.xx, image.xy, image.yx, image.yy], axis=-1).reshape(*shape, 2)


def invert_polynomial(coefficients: ArrayLike, points: ArrayLike) -> tuple[Array, Mask]:
    """Points that the polynomial maps to ``points``, by Newton's method.

    Parameters
    ----------
    coefficients : (12,)
    points : (..., 2) normalised

    Returns
    -------
    points : (..., 2) float64, NaN where not valid
    valid : (...,) bool, True where the residual is at most 1e-12 (times the length of the point
        where that exceeds 1) and the solution is unfolded (:func:`is_unfolded`)
    """
    k, flat, shape = _arguments(coefficients, points)
    out = np.empty_like(flat)
    valid = np.empty(len(flat), dtype=bool)
    for part in _chunks(len(flat)):
        out[part], valid[part] = _invert(k, flat[part])
    return out.reshape(shape), valid.reshape(shape[:-1])


def is_unfolded(coefficients: ArrayLike, points: ArrayLike) -> Mask:
    """Where the polynomial has not folded over between the centre and a point.

    A point counts when the determinant of the Jacobian is positive at it and, on the way out from
    the centre in the neighbouring of 360 directions, at every smaller radius, and no pole lies
    there. For radial polynomials that is exact: the image there is one to one.

    Parameters
    ----------
    coefficients : (12,)
    points : (..., 2) normalised

    Returns
    -------
    (...,) bool, False where a point is not finite
    """
    k, flat, shape = _arguments(coefficients, points)
    out = np.empty(len(flat), dtype=bool)
    for part in _chunks(len(flat)):
        out[part] = _unfolded(k, flat[part, 0], flat[part, 1])
    return out.reshape(shape[:-1])


def fold_radius(coefficients: ArrayLike) -> float:
    """Smallest radius, over all directions, at which the polynomial folds over; inf if nowhere.

    Every point nearer to the centre is unfolded (:func:`is_unfolded`).

    Parameters
    ----------
    coefficients : (12,)
    """
    k, _, _ = _arguments(coefficients, np.empty((0, 2)))
    return float(_fold_radii(k).min())


def _arguments(
    coefficients: ArrayLike, points: ArrayLike
) -> tuple[tuple[float, ...], Array, tuple[int, ...]]:
    k = np.asarray(coefficients, dtype=np.float64)
    array = np.asarray(points, dtype=np.float64)
    if k.shape != (12,):
        raise ValueError(f"12 distortion coefficients are needed, not {k.shape}")
    if array.ndim == 0 or array.shape[-1] != 2:
        raise ValueError(f"points (..., 2) are needed, not {array.shape}")
    return tuple(k.tolist()), array.reshape(-1, 2), array.shape


def _chunks(count: int) -> list[slice]:
    return [slice(start, start + _CHUNK) for start in range(0, count, _CHUNK)]


def _radial(k: tuple[float, ...], x: Array, y: Array) -> tuple[Array, Array, Array | float]:
    """Squared radius u, factor g, and the reciprocal of the denominator of g."""
    with np.errstate(all="ignore"):
        u = x * x + y * y
        g = 1 + u * (k[0] + u * (k[1] + u * k[4]))
        if not any(k[5:8]):
            return u, g, 1.0
        below = 1 / (1 + u * (k[5] + u * (k[6] + u * k[7])))
        return u, g * below, below


def _value(k: tuple[float, ...], x: Array, y: Array, u: Array, g: Array) -> tuple[Array, Array]:
    p1, p2, s1, s2, s3, s4 = *k[2:4], *k[8:]
    with np.errstate(all="ignore"):
        bend = 2 * (p1 * y + p2 * x)
        # 2 p1 x y + p2 (u + 2 x^2) is x bend + p2 u, and likewise in y
        return x * (g + bend) + u * (p2 + s1 + s2 * u), y * (g + bend) + u * (p1 + s3 + s4 * u)


def _evaluate(k: tuple[float, ...], x: Array, y: Array) -> _Image:
    k1, k2, p1, p2, k3, k4, k5, k6, s1, s2, s3, s4 = k
    u, g, below = _radial(k, x, y)
    with np.errstate(all="ignore"):
        slope = 2 * k1 + u * (4 * k2 + u * (6 * k3))  # 2 dg/du
        if k4 or k5 or k6:
            slope = (slope - g * (2 * k4 + u * (4 * k5 + u * (6 * k6)))) * below
        prism_x, prism_y = 2 * s1 + 4 * s2 * u, 2 * s3 + 4 * s4 * u
        cross = slope * x * y + 2 * (p1 * x + p2 * y)
        return _Image(
            *_value(k, x, y, u, g),
            xx=g + slope * x * x + 2 * p1 * y + 6 * p2 * x + prism_x * x,
            xy=cross + prism_x * y,
            yx=cross + prism_y * x,
            yy=g + slope * y * y + 6 * p1 * y + 2 * p2 * x + prism_y * y,
        )


def _invert(k: tuple[float, ...], goal: Array) -> tuple[Array, Mask]:
    out, valid = np.full_like(goal, np.nan), np.zeros(len(goal), dtype=bool)
    for table in _starts(k):
        left = np.flatnonzero(~valid)
        if left.size:
            x, y, converged = _newton(k, goal[left, 0], goal[left, 1], table)
            solved = converged & _unfolded(k, x, y)
            valid[left] = solved
            out[left[solved], 0], out[left[solved], 1] = x[solved], y[solved]
    return out, valid


def _newton(
    k: tuple[float, ...], x_goal: Array, y_goal: Array, table: tuple[Array, Array]
) -> tuple[Array, Array, Mask]:
    """Solution, and where its residual is small; only points that have not arrived go on."""
    out_x, out_y = np.full_like(x_goal, np.nan), np.full_like(y_goal, np.nan)
    converged = np.zeros(len(x_goal), dtype=bool)
    active = np.arange(len(x_goal))
    with np.errstate(all="ignore"):
        radius = np.sqrt(x_goal * x_goal + y_goal * y_goal)
        scale = np.where(radius > 0, np.interp(radius, *table) / radius, 1.0)
        x, y = x_goal * scale, y_goal * scale
        bound = (TOLERANCE * np.maximum(radius, 1.0)) ** 2
        for _ in range(ITERATIONS):
            image = _evaluate(k, x, y)
            dx, dy = x_goal - image.x, y_goal - image.y
            residual = dx * dx + dy * dy
            inverse = 1 / image.determinant()
            x = x + (image.yy * dx - image.xy * dy) * inverse
            y = y + (image.xx * dy - image.yx * dx) * inverse
            arrived = residual <= bound
            leaving = arrived | ~np.isfinite(residual)
            if leaving.any():
                there = active[arrived]
                out_x[there], out_y[there], converged[there] = x[arrived], y[arrived], True
                stay = ~leaving
                active, x, y, bound = active[stay], x[stay], y[stay], bound[stay]
                x_goal, y_goal = x_goal[stay], y_goal[stay]
            if not active.size:
                break
    return out_x, out_y, converged


@lru_cache(maxsize=64)
def _starts(k: tuple[float, ...]) -> tuple[tuple[Array, Array], ...]:
    """Tables of the radial terms alone, radius after and before: where Newton starts.

    They do not depend on the points asked for, so a point has one answer however an image is cut.
    The second try keeps clear of the fold of all terms: from inside, Newton comes up to it, from
    beyond, it ends in the folded part.
    """
    radial = (*k[:2], 0.0, 0.0, *k[4:8], 0.0, 0.0, 0.0, 0.0)
    own = float(_fold_radii(radial)[0])
    inner = min(own, float(_fold_radii(k).min()))
    tables = []
    for top in sorted({min(f, _LARGEST_RADIUS) for f in (0.999 * own, 0.95 * inner)}, reverse=True):
        before = np.concatenate([[0.0], np.geomspace(1e-6 * top, top, _TABLE)])
        tables.append((_evaluate(radial, before, np.zeros_like(before)).x, before))
    return tuple(tables)


def _unfolded(k: tuple[float, ...], x: Array, y: Array) -> Mask:
    folds = _fold_radii(k)
    with np.errstate(all="ignore"):
        square = x * x + y * y
        # the margin makes up for folds between two of the directions
        inside: Mask = square < (0.99 * folds.min()) ** 2
        unsure = np.flatnonzero(~inside & (square < folds.max() ** 2))
    if unsure.size:
        px, py = x[unsure], y[unsure]
        place = np.arctan2(py, px) / (2 * np.pi) * len(folds)
        low = np.floor(place).astype(np.intp)
        limit = np.minimum(folds[low % len(folds)], folds[(low + 1) % len(folds)])
        positive = _evaluate(k, px, py).determinant() > 0
        inside[unsure] = positive & (square[unsure] < limit**2)
    return inside


@lru_cache(maxsize=64)
def _fold_radii(k: tuple[float, ...]) -> Array:
    """First radius at which the determinant vanishes or the polynomial has a pole, by direction.

    One entry where all terms are radial. In units of the radius at which the strongest term is as
    large as the point itself, so that no power of a coefficient overflows.
    """
    sizes = np.abs(k) ** (1 / np.array(_POWERS))
    strongest = sizes.max()
    if strongest == 0:
        return np.array([np.inf])
    with np.errstate(under="ignore", over="ignore"):
        scaled = np.copysign((sizes / strongest) ** _POWERS, k)
        determinant, below = _along_rays(scaled.tolist())
        folds: Array = np.minimum(_first_root(determinant), _first_root(below)) / strongest
    folds.setflags(write=False)
    return folds


def _along_rays(k: list[float]) -> tuple[Array, Array]:
    """Determinant times D^4, and the denominator D of g, as polynomials in the radius.

    Along the ray r d the Jacobian is g I + 2 g' r^2 d d' + r M + r^3 N, so both are polynomials
    whose constant term is 1. One direction is enough where all terms are radial.
    """
    k1, k2, p1, p2, k3, k4, k5, k6, s1, s2, s3, s4 = k
    count = DIRECTIONS_OF_FOLD if any((p1, p2, s1, s2, s3, s4)) else 1
    angle = np.arange(count) * (2 * np.pi / count)
    c, s = np.cos(angle)[:, None], np.sin(angle)[:, None]
    above = np.array([[1, 0, k1, 0, k2, 0, k3]])
    below = np.array([[1, 0, k4, 0, k5, 0, k6]])
    square = _product(below, below)
    # dg/du D^2 = A'D - AD', as polynomials in r whose odd places are empty; times 2 r^2
    half = np.array([[0, 0, 1, 0, 2, 0, 3]])
    bend = 2 * (_product(half * above, below) - _product(above, half * below))
    ramp, cube = np.array([[0.0, 1, 0, 0]]), np.array([[0.0, 0, 0, 1]])

    def entry(radial: Any, linear: Any, cubic: Any) -> Array:
        return _sum(radial * bend, _product(linear * ramp + cubic * cube, square))

    cross = 2 * (p1 * c + p2 * s)
    xx = entry(c * c, 2 * p1 * s + 6 * p2 * c + 2 * s1 * c, 4 * s2 * c)
    xy = entry(c * s, cross + 2 * s1 * s, 4 * s2 * s)
    yx = entry(c * s, cross + 2 * s3 * c, 4 * s4 * c)
    yy = entry(s * s, 6 * p1 * s + 2 * p2 * c + 2 * s3 * s, 4 * s4 * s)
    g = _product(above, below)
    determinant = _sum(_product(_sum(g, xx), _sum(g, yy)), -_product(xy, yx))
    return determinant, below


def _product(a: Array, b: Array) -> Array:
    """Products of polynomials, coefficients along the last axis from the constant upwards."""
    out = np.zeros((max(len(a), len(b)), a.shape[1] + b.shape[1] - 1))
    for power in range(a.shape[1]):
        out[:, power : power + b.shape[1]] += a[:, power, None] * b
    return out


def _sum(a: Array, b: Array) -> Array:
    out = np.zeros((max(len(a), len(b)), max(a.shape[1], b.shape[1])))
    out[:, : a.shape[1]] += a
    out[:, : b.shape[1]] += b
    return out


def _first_root(polynomials: Array) -> Array:
    """Smallest positive root of each polynomial with constant term 1; infinity without one.

    Read backwards such a polynomial is monic: the inverse roots are eigenvalues of its companion.
    """
    degree = int(np.flatnonzero(np.any(polynomials != 0, axis=0))[-1])
    if degree == 0:
        return np.full(len(polynomials), np.inf)
    companion = np.zeros((len(polynomials), degree, degree))
    companion[:, 0] = -polynomials[:, 1 : degree + 1]
    companion[:, np.arange(1, degree), np.arange(degree - 1)] = 1
    inverse = np.linalg.eigvals(companion)
    real = np.abs(inverse.imag) <= 1e-7 * np.abs(inverse)
    largest = np.where(real, inverse.real, 0).max(axis=1)
    with np.errstate(divide="ignore"):
        return np.asarray(1 / np.maximum(largest, 0), dtype=np.float64)
