"""What is right for the robust solvers: trimmed and iteratively reweighted least squares in NumPy.

Trimmed least squares after Rousseeuw (1984), reweighting after Holland and Welsch (1977); every
compiled path is tested against this file in float64, as against ``reference.py``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mvps.stereo.problem import Problem
from mvps.stereo.solvers import SHADOW, TUNING

DEVIATION_OF_MEDIAN = 1.4826  # of |e|, for a normal distribution
FARTHEST2 = 1e12  # squared residuals beyond it count as this
COUNTS = 0.01  # a light with less than this weight does not
SMALLEST_PIVOT = 1e-5  # of the trace of L'L; usable lights below it lie in a plane
TRUSTED_PIVOT = 1e-3  # of the trace of L'WL; a few degrees from a plane lights multiply noise

Array = NDArray[Any]


@dataclass
class Fit:
    """Estimate of N pixels.

    Attributes
    ----------
    G : (N, 3, A), g of every albedo
    M : (N, 3, 3), the matrix L'WL behind it
    weights : (K, N), of the lights at the final estimate
    determined : (N,) whether there is an estimate at all
    fallback : (N,) whether a guard refused the robust one
    followed : where the weights follow the residuals, what the quality takes: (K, N) each, weights
        of the covariance, weights h(e) that judge the noise, and the slope of h(e) e
    """

    G: Array
    M: Array
    weights: Array
    determined: Array
    fallback: Array
    followed: tuple[Array, Array, Array] | None = None

    @property
    def parts(self) -> tuple[Array, Array, Array]:
        """As ``followed``: the weights themselves where they do not follow the residuals."""
        return self.followed or (self.weights,) * 3


def robust_fit(problem: Problem, v: Array, usable: Array) -> Fit:
    """Fit v (K, N, A) with the problem's solver; ``usable`` is (K, N) bool."""
    usable = usable.astype(v.dtype)
    L = problem.directions.astype(v.dtype)
    if problem.solver.name == "trimmed":
        return _trimmed(problem, L, v, usable)
    fit = _lit(L, v, usable)
    return fit if problem.solver.name == "gated" else _reweighted(problem, L, v, fit)


def _least_squares(
    L: Array, v: Array, weights: Array, smallest: float = TRUSTED_PIVOT
) -> tuple[Array, Array, Array]:
    """G (N, 3, A), L'WL (N, 3, 3) and whether it spans three dimensions, weights (K, N)."""
    K, N, A = v.shape
    upper = np.triu_indices(3)
    products = L[:, upper[0]] * L[:, upper[1]]  # (K, 6)
    M = (products.T @ weights)[[0, 1, 2, 1, 3, 4, 2, 4, 5]].reshape(3, 3, N)
    b = (L.T @ (weights[:, :, None] * v).reshape(K, -1)).reshape(3, N, A)
    l10, l20 = M[0, 1] / M[0, 0], M[0, 2] / M[0, 0]
    pivot1 = M[1, 1] - l10 * M[0, 1]
    rest = M[1, 2] - l10 * M[0, 2]
    l21 = rest / pivot1
    pivot2 = M[2, 2] - l20 * M[0, 2] - l21 * rest
    tiny = smallest * (M[0, 0] + M[1, 1] + M[2, 2])
    spans = (M[0, 0] > tiny) & (pivot1 > tiny) & (pivot2 > tiny)
    y = b[1] - l10[:, None] * b[0]
    z = (b[2] - l20[:, None] * b[0] - l21[:, None] * y) / pivot2[:, None]
    y = y / pivot1[:, None] - l21[:, None] * z
    x = b[0] / M[0, 0, :, None] - l10[:, None] * y - l20[:, None] * z
    return np.stack([x, y, z], axis=1), M.transpose(2, 0, 1), spans


def _over(L: Array, v: Array, weights: Array, smallest: float = TRUSTED_PIVOT) -> Fit:
    """Least squares over the lights whose weight counts."""
    G, M, spans = _least_squares(L, v, weights, smallest)
    determined = spans & ((weights > COUNTS).sum(axis=0) > 2.5)
    return Fit(G, M, weights, determined, np.zeros_like(determined))


def _guarded(fit: Fit, L: Array, v: Array, usable: Array) -> Fit:
    """The fit, and least squares over all usable lights where it is not determined."""
    if fit.determined.all():
        return fit
    plain, kept = _over(L, v, usable, SMALLEST_PIVOT), fit.determined
    return Fit(
        G=np.where(kept[:, None, None], fit.G, plain.G),
        M=np.where(kept[:, None, None], fit.M, plain.M),
        weights=np.where(kept, fit.weights, usable),
        determined=kept | plain.determined,
        fallback=~kept & plain.determined,
    )


def _lit(L: Array, v: Array, usable: Array) -> Fit:
    """Least squares without the samples at or below SHADOW |g|, g of least squares over all."""
    G = _over(L, v, usable, SMALLEST_PIVOT).G
    darkest = SHADOW * np.sqrt(np.square(G).sum(axis=1)).sum(axis=1)
    return _guarded(_over(L, v, usable * (v.sum(axis=2) > darkest)), L, v, usable)


def _square_errors(L: Array, v: Array, G: Array) -> Array:
    """(K, N): mean over the albedos of (v - l.g)^2."""
    K, N, A = v.shape
    predicted = L @ G.transpose(1, 0, 2).reshape(3, N * A)
    errors: Array = np.square(v - predicted.reshape(K, N, A)).mean(axis=2)
    return errors


def _reweighted(problem: Problem, L: Array, v: Array, fit: Fit) -> Fit:
    """W L g = W v, repeatedly, with weights from the residuals of the g before.

    The scale is found once: 1.4826 times the median absolute residual of the fit without shadows,
    but not below epsilon |g|. The median is the ceil(K/2)-th smallest; what is unusable ranks last.
    """
    solver, usable, K = problem.solver, fit.weights, len(L)
    middle = (K + 1) // 2 - 1
    errors2 = _square_errors(L, v, fit.G)
    ranked = np.partition(np.where(usable > 0, errors2, 1e30), middle, axis=0)
    scale2 = np.maximum(
        DEVIATION_OF_MEDIAN**2 * ranked[middle],
        solver.epsilon**2 * np.square(fit.G).sum(axis=1).mean(axis=1),
    )
    scale2 = np.maximum(scale2, problem.floor**2) * TUNING[solver.loss] ** 2
    going = fit.determined & ~fit.fallback
    for _ in range(solver.iterations):
        weights = usable * _loss_weights(solver.loss, errors2 / scale2)
        G, M, spans = _least_squares(L, v, weights)
        going &= spans
        fit.G = np.where(going[:, None, None], G, fit.G)
        fit.M = np.where(going[:, None, None], M, fit.M)
        errors2 = _square_errors(L, v, fit.G)
    fit.fallback = fit.determined & ~going
    weights = usable * _loss_weights(solver.loss, errors2 / scale2)
    fit.weights = np.where(fit.fallback, usable, weights)
    fit.followed = _judging(solver.loss, errors2 / scale2, usable, fit)
    return fit


def _judging(loss: str, u2: Array, usable: Array, fit: Fit) -> tuple[Array, Array, Array]:
    """Parts of the lights for :class:`Fit`, from squared residuals in units of the tuned scale.

    The noise is judged by Huber's weights. Those of L1 grow without end towards a residual of zero
    and give way to Huber's in the covariance as well.
    """
    corners = TUNING[loss] / TUNING["huber"]
    judged = usable * _loss_weights("huber", u2 * corners**2)
    slopes = np.where(fit.fallback, usable, np.where(judged < 1, 0, judged))
    judged = np.where(fit.fallback, usable, judged)
    return judged if loss in ("huber", "l1") else fit.weights, judged, slopes


def _loss_weights(loss: str, u2: Array) -> Array:
    """Weight of a squared residual in units of the tuned scale."""
    u2 = np.minimum(u2, FARTHEST2)
    if loss == "cauchy":
        weights: Array = 1 / (1 + u2)
    elif loss == "tukey":
        weights = np.square(np.maximum(1 - u2, 0))
    else:
        weights = 1 / np.sqrt(np.maximum(u2, 1))
    return weights


def _trimmed(problem: Problem, L: Array, v: Array, usable: Array) -> Fit:
    """Least squares over a window of ranks of sum_c v, without what is in shadow beside its end."""
    weights = usable * rank_weights(v, *problem.solver.window(len(L)))
    return _guarded(_over(L, v, weights), L, v, usable)


def rank_weights(v: Array, lower: int, upper: int) -> Array:
    """(K, N): 1 inside the window of ranks, 0 outside; ties across an end share its places.

    Inside, what is at or below SHADOW of the bright end is 0 as well.

    Values are compared in float32, as the kernels see them, so that all find the same ties.
    """
    keys = v.astype(np.float32).sum(axis=2)  # (K, N)
    K = len(keys)
    weights = np.ones(keys.shape, v.dtype)
    ends = [end for end in (lower - 1, K - upper) if 0 <= end < K]
    ranked = np.partition(keys, ends, axis=0) if ends else keys
    end = ranked[K - upper] if upper else keys.max(axis=0)
    if lower:
        weights -= _left_out(keys, ranked[lower - 1], lower)
    if upper:
        weights -= _left_out(-keys, -end, upper)
    windowed: Array = weights * (keys > np.float32(SHADOW) * end)
    return windowed


def _left_out(keys: Array, end: Array, count: int) -> Array:
    """Part of each key that belongs to the ``count`` smallest, of which ``end`` is the largest."""
    before, at = keys < end, keys == end
    share = (count - before.sum(axis=0)) / np.maximum(at.sum(axis=0), 1)
    left_out: Array = before + at * share
    return left_out
