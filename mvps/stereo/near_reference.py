"""What is right for near lights: one weighted 3x3 system a pixel, in NumPy.

With s_k = strength_k (-l_k.axis_k)^mu_k / d_k^2 l_k at the point of a pixel (Queau et al., JMIV
2018), g minimises the sum of (v_k - s_k.g)^2, n = g/|g|, albedo = |g|. Far lamps give back
``reference.py``, because s_k is l_k there.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from mvps.stereo.near_problem import NearProblem
from mvps.stereo.reference import ABSURD, CEILING, SMALLEST_PIVOT
from mvps.stereo.robust_reference import TRUSTED_PIVOT
from mvps.stereo.solution import StripOut, check_strip
from mvps.stereo.solvers import SHADOW

TILE = 1 << 12  # pixels; the temporaries of a tile stay in the caches

Array = NDArray[Any]


def light_rows(problem: NearProblem, points: Array) -> Array:
    """(K, N, 3) s: what each lamp does at points (N, 3) mm; zero where it does not shine."""
    dtype = points.dtype
    centre = problem.reference.astype(np.float64)
    positions = (problem.positions - centre).astype(dtype)
    apart = positions[:, None, :] - (points - centre.astype(dtype))
    inverse = 1 / np.sqrt(np.square(apart).sum(axis=2))
    towards = apart * inverse[:, :, None]
    effect = problem.strength.astype(dtype)[:, None] * inverse**2
    if problem.axes is not None:
        cosine = -np.einsum("knc,kc->kn", towards, problem.axes.astype(dtype))
        mu = problem.mu.astype(dtype)[:, None]
        lobe = np.maximum(cosine, 0) ** mu
        effect = effect * np.where((mu > 0) & ~(cosine > 0), 0, lobe)
    rows: Array = towards * effect[:, :, None]
    return rows


def solve_points(
    problem: NearProblem,
    samples: Array,
    points: Array,
    out: StripOut,
    *,
    mask: Array | None = None,
    dtype: DTypeLike = np.float64,
) -> None:
    """Fill ``out`` from samples (K, N[, 3]) of points (N, 3) mm, in ``dtype``, tile by tile.

    Pixels whose point is not finite are invalid.
    """
    check_strip(problem.distant, samples, mask, out)
    for start in range(0, samples.shape[1], TILE):
        tile = slice(start, start + TILE)
        inside = None if mask is None else mask[tile]
        part = out.part(start, tile.stop)
        _solve(problem, samples[:, tile], points[tile].astype(dtype), inside, part)


def _solve(
    problem: NearProblem, samples: Array, points: Array, mask: Array | None, out: StripOut
) -> None:
    with np.errstate(all="ignore"):  # a pixel that overflows or divides by zero is found by its |g|
        raw = samples.astype(points.dtype).reshape(*samples.shape[:2], -1)  # (K, N, C)
        if samples.dtype.kind == "f":
            raw[np.abs(raw) >= ABSURD] = np.nan  # so that no clamp and no limit can hide it
        v = values(problem, raw)
        rows = light_rows(problem, points)
        top = raw.max(axis=2)
        shining = np.square(rows).sum(axis=2)
        weights = (top > problem.distant.low) & (top < problem.distant.high) & ~(shining == 0)
        weights, g, determined, fallback = _fit(problem, rows, v, weights.astype(v.dtype))
        norm = np.sqrt(np.square(g).sum(axis=1))
        valid = (norm > problem.distant.floor) & (norm < CEILING) & determined
        if mask is not None:
            valid &= mask != 0
        if out.residual is not None:
            square = np.square(v - np.einsum("knc,nc->kn", rows, g))
            mean = (square * weights).sum(axis=0) / weights.sum(axis=0)
            out.residual[...] = np.where(valid, np.sqrt(mean), 0)
        out.normals[...] = np.where(valid[:, None], g / norm[:, None], 0)
    out.valid[...] = valid
    out.albedo[...] = np.where(valid, norm, 0)
    if out.used is not None:
        out.used[...] = np.where(valid, weights.sum(axis=0), 0)
    if out.fallback is not None:
        out.fallback[...] = valid & fallback


def values(problem: NearProblem, raw: Array) -> Array:
    """(K, N) v of raw samples (K, N, C): divided by intensity and white, channels added up."""
    scaled: Array = (raw * problem.distant.gain.astype(raw.dtype)[:, None, :]).sum(axis=2)
    clamped: Array = np.minimum(scaled, problem.distant.clamp)
    return clamped


def _fit(
    problem: NearProblem, rows: Array, v: Array, usable: Array
) -> tuple[Array, Array, Array, Array]:
    """Weights (K, N), g (N, 3), whether it is determined, whether shadows had to be kept."""
    g, determined = _least_squares(rows, v, usable, SMALLEST_PIVOT)
    fallback = np.zeros(len(g), bool)
    if not problem.gated:
        return usable, g, determined, fallback
    brightest = np.sqrt(np.square(rows).sum(axis=2) * np.square(g).sum(axis=1))
    lit = usable * (v > SHADOW * brightest)
    without, certain = _least_squares(rows, v, lit, TRUSTED_PIVOT)
    weights = np.where(certain, lit, usable)
    g = np.where(certain[:, None], without, g)
    return weights, g, determined, determined & ~certain


def _least_squares(rows: Array, v: Array, weights: Array, smallest: float) -> tuple[Array, Array]:
    """(N, 3) g by LDL' of the normal equations, and whether three lights span three dimensions."""
    weighted = rows * weights[:, :, None]
    M = np.einsum("kni,knj->ijn", weighted, rows)
    b = np.einsum("kni,kn->in", weighted, v)  # 0 times NaN stays NaN
    l10, l20 = M[0, 1] / M[0, 0], M[0, 2] / M[0, 0]
    pivot1 = M[1, 1] - l10 * M[0, 1]
    rest = M[1, 2] - l10 * M[0, 2]
    l21 = rest / pivot1
    pivot2 = M[2, 2] - l20 * M[0, 2] - l21 * rest
    tiny = smallest * (M[0, 0] + M[1, 1] + M[2, 2])
    spans = (M[0, 0] > tiny) & (pivot1 > tiny) & (pivot2 > tiny)
    y = b[1] - l10 * b[0]
    z = (b[2] - l20 * b[0] - l21 * y) / pivot2
    y = y / pivot1 - l21 * z
    x = b[0] / M[0, 0] - l10 * y - l20 * z
    return np.stack([x, y, z], axis=1), spans & (weights.sum(axis=0) > 2.5)
