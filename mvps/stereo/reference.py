"""What is right: photometric stereo in NumPy, the definition and the fallback.

g = (L'L)^-1 L'v, n = g/|g|, albedo = |g| (Woodham 1980). The robust solvers stand in
``robust_reference.py``. Every compiled path is tested against these files in float64; in float32,
tile by tile, they do the work where nothing is compiled.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from mvps.stereo.problem import Problem
from mvps.stereo.quality import deviation, extremes
from mvps.stereo.robust_reference import COUNTS, Fit, robust_fit
from mvps.stereo.solution import StripOut, check_strip

ABSURD = 2.0**50  # a sample this large (infinite, or a "no data" of FLT_MAX) counts as missing
CEILING = 1e15  # |g| from here on is no albedo; its square is far below float32's overflow
SMALLEST_PIVOT = 1e-5  # of the trace of L'L; usable lights below it lie in a plane
TILE = 1 << 13  # pixels; the temporaries of a tile stay in the caches

Array = NDArray[Any]


class ReferenceBackend:
    """Every solver in NumPy.

    Parameters
    ----------
    dtype : float64 is the definition ("reference"); float32 is the fallback ("numpy")
    """

    def __init__(self, dtype: type[np.floating[Any]] = np.float64) -> None:
        self._dtype = np.dtype(dtype)
        self.name = "reference" if self._dtype == np.float64 else "numpy"

    def describe(self) -> dict[str, Any]:
        """What did the work, for the record of a run."""
        return {"name": self.name, "numpy": np.__version__, "precision": self._dtype.name}

    def solve_strip(self, problem: Problem, samples: Any, mask: Any | None, out: StripOut) -> None:
        """Solve N pixels; arrays as in :func:`mvps.stereo.solution.check_strip`."""
        solve_strip(problem, samples, mask, out, self._dtype)


def solve_strip(
    problem: Problem,
    samples: Array,
    mask: Array | None,
    out: StripOut,
    dtype: DTypeLike = np.float64,
) -> None:
    """Fill ``out`` from samples (K, N) or (K, N, 3), computed in ``dtype``, tile by tile."""
    check_strip(problem, samples, mask, out)
    for start in range(0, samples.shape[1], TILE):
        tile = slice(start, start + TILE)
        inside = None if mask is None else mask[tile]
        _solve(problem, samples[:, tile], inside, out.part(start, tile.stop), np.dtype(dtype))


@dataclass(frozen=True)
class Estimate:
    """What the definition finds at N pixels, not yet zero where invalid.

    Attributes
    ----------
    raw, v : (K, N, C) and (K, N, A), see :func:`raw_values`
    normals, albedo : (N, 3) and (N, A)
    valid : (N,) bool, without regard to a mask
    """

    raw: Array
    v: Array
    fit: Fit
    normals: Array
    albedo: Array
    valid: Array


def estimate(problem: Problem, samples: Array, dtype: DTypeLike = np.float64) -> Estimate:
    """Fit samples (K, N) or (K, N, 3) in ``dtype``."""
    with np.errstate(all="ignore"):  # a pixel that overflows or divides by zero is found by its |g|
        raw, v = raw_values(problem, samples, dtype)
        fit = _fit(problem, v, _usable(problem, raw))
        norm = np.sqrt(np.einsum("nia,nia->n", fit.G, fit.G))
        valid = (norm > problem.floor) & (norm < CEILING) & fit.determined
        if problem.mode == "channels":
            normals, albedo = _shared_normal(fit.G, fit.M)
        else:
            normals, albedo = fit.G[:, :, 0] / norm[:, None], norm[:, None]
    return Estimate(raw, v, fit, normals, albedo, valid)


def _solve(
    problem: Problem, samples: Array, mask: Array | None, out: StripOut, dtype: np.dtype[Any]
) -> None:
    found = estimate(problem, samples, dtype)
    valid, weights = found.valid, found.fit.weights
    if mask is not None:
        valid = valid & (mask != 0)
    out.valid[...] = valid
    out.normals[...] = np.where(valid[:, None], found.normals, 0)
    out.albedo[...] = np.where(valid[:, None], found.albedo, 0).reshape(out.albedo.shape)
    with np.errstate(all="ignore"):
        if out.residual is not None:
            shading = problem.directions.astype(dtype) @ found.normals.T  # (K, N)
            square = np.square(found.v - shading[:, :, None] * found.albedo).mean(axis=2)
            mean = (square * weights).sum(axis=0) / weights.sum(axis=0)
            out.residual[...] = np.where(valid, np.sqrt(mean), 0)
        if out.deviation is not None:
            _examine(problem, found, valid, out)
    if out.used is not None:
        out.used[...] = np.where(valid, (weights > COUNTS).sum(axis=0), 0)
    if out.fallback is not None:
        out.fallback[...] = valid & found.fit.fallback


def _examine(problem: Problem, found: Estimate, valid: Array, out: StripOut) -> None:
    """The planes of the quality, from what has been found."""
    normals = np.where(valid[:, None], found.normals, 0)
    turned = deviation(problem, found.v, found.fit, normals, found.albedo)
    counted = extremes(problem, found.raw, found.v, found.albedo)
    planes = (out.condition, out.deviation, out.saturated, out.shadowed)
    for plane, value in zip(planes, (*turned, *counted), strict=True):
        plane[...] = np.where(valid, value, 0)


def raw_values(
    problem: Problem, samples: Array, dtype: DTypeLike = np.float64
) -> tuple[Array, Array]:
    """Raw samples (K, N, C), NaN where missing, and values v (K, N, A), one A an albedo."""
    raw = samples.astype(dtype).reshape(*samples.shape[:2], problem.channels)
    if samples.dtype.kind == "f":
        raw[np.abs(raw) >= ABSURD] = np.nan  # so that no clamp and no limit can hide it
    return raw, _values(problem, raw)


def _fit(problem: Problem, v: Array, usable: Array) -> Fit:
    """Fit v (K, N, A) as the problem's solver wants it; ``usable`` (K, N) bool."""
    if problem.solver.robust:
        return robust_fit(problem, v, usable)
    count = v.shape[1]
    G = problem.pinv.astype(v.dtype) @ v.reshape(problem.lights, -1)
    G = G.reshape(3, count, -1).transpose(1, 0, 2)  # (N, 3, A)
    M = (problem.directions.T @ problem.directions).astype(v.dtype)  # (3, 3)
    spans: Array = np.full(count, True)
    if problem.has_limits:
        G, M, spans = _within_limits(problem, usable, v, G)
    return Fit(G, M, usable, spans, np.zeros_like(spans))


def _values(problem: Problem, raw: Array) -> Array:
    """v: raw samples (K, N, C) divided by intensity and white, one value a light or a channel."""
    scaled: Array = raw * problem.gain.astype(raw.dtype)[:, None, :]
    if problem.channels == problem.albedos:  # nothing to add up, and no clamp
        return scaled
    clamped: Array = np.minimum(scaled.sum(axis=2, keepdims=True), problem.clamp)
    return clamped


def _usable(problem: Problem, raw: Array) -> Array:
    """(K, N) True where low < the largest raw sample of the light < high."""
    top = raw.max(axis=2)
    between: Array = (top > problem.low) & (top < problem.high)
    return between


def _within_limits(
    problem: Problem, usable: Array, v: Array, everything: Array
) -> tuple[Array, Array, Array]:
    """G (N, 3, A), L'L (N, 3, 3) and rank of the lights that are usable at each pixel.

    ``usable`` is (K, N); the rest of the pixel's system is solved by itself. ``everything`` is G
    with every light, kept where every light is usable.
    """
    L, usable = problem.directions, usable.astype(np.float64)
    products = (L[:, :, None] * L[:, None, :]).reshape(-1, 9)
    M = (usable.T @ products).reshape(-1, 3, 3)
    b = np.einsum("kn,ki,kna->nia", usable, L, v, optimize=True)  # 0 times NaN stays NaN
    used = usable.sum(axis=0).astype(int)
    spans = (used >= 3) & (_smallest_pivot(M) > SMALLEST_PIVOT * np.trace(M, axis1=1, axis2=2))
    G = everything.copy()
    part = spans & (used < problem.lights)
    G[part] = np.linalg.solve(M[part], b[part])
    return G, M, spans | (used == problem.lights)


def _smallest_pivot(M: Array) -> Array:
    """Smallest pivot of LDL' of symmetric (N, 3, 3); NaN where an earlier one vanishes."""
    first = M[:, 0, 0]
    second = M[:, 1, 1] - M[:, 0, 1] ** 2 / first
    rest = M[:, 1, 2] - M[:, 0, 1] * M[:, 0, 2] / first
    third = M[:, 2, 2] - M[:, 0, 2] ** 2 / first - rest**2 / second
    pivots: Array = np.minimum(np.minimum(first, second), third)
    return pivots


def _shared_normal(G: Array, M: Array) -> tuple[Array, Array]:
    """Normals (N, 3) and albedo (N, 3) that minimise sum_c |v_c - rho_c L n|^2 over |n| = 1.

    With M = L'L this is the best approximation of rank one to M^(1/2) G: rho points along the top
    eigenvector of G'MG, n along G rho with the sum of rho not negative, rho_c = g_c'Mn / n'Mn.
    """
    MG = M @ G
    S = np.einsum("nia,nib->nab", G, MG)
    S[~np.isfinite(S).all(axis=(1, 2))] = 0  # eigh refuses NaN; such a pixel is invalid anyway
    rho = np.linalg.eigh(S)[1][:, :, 2]
    rho = rho * np.where(rho.sum(axis=1, keepdims=True) < 0, -1, 1)
    n = np.einsum("nia,na->ni", G, rho)
    n /= np.linalg.norm(n, axis=1, keepdims=True)
    along = np.einsum("nia,ni->na", MG, n)  # g_c'Mn, M being symmetric
    return n, along / np.einsum("ni,nij,nj->n", n, np.broadcast_to(M, S.shape), n)[:, None]
