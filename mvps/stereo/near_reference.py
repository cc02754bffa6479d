"""What is right for near lights: one weighted 3x3 system a pixel, in NumPy.

With s_k = strength_k (-l_k.axis_k)^mu_k / d_k^2 l_k at the point of a pixel (Queau et al., JMIV
2018), g minimises the sum of (v_k - s_k.g)^2, n = g/|g|, albedo = |g|. Far lamps give back
``reference.py``, because s_k is l_k there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from mvps.stereo.near_problem import NearProblem
from mvps.stereo.quality import FARTHEST_OFF, Spread, angle_of, spread
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


@dataclass(frozen=True)
class NearEstimate:
    """What solving N pixels makes of them.

    Attributes
    ----------
    raw, v : (K, N, C) samples, NaN where missing, and (K, N) values
    rows : (K, N, 3), s
    weights : (K, N), 1 where a sample counts
    albedo, normals : (N,), |g|, and (N, 3)
    valid, fallback : (N,), the mask left out of account
    """

    raw: Array
    v: Array
    rows: Array
    weights: Array
    albedo: Array
    normals: Array
    valid: Array
    fallback: Array

    def spread(self) -> Spread:
        """What the lamps say of the noise."""
        v, albedo = self.v[:, :, None], self.albedo[:, None]
        shading = np.einsum("knc,nc->kn", self.rows, self.normals)
        return spread(v, shading, albedo, self.weights)


def estimate_points(problem: NearProblem, samples: Array, points: Array) -> NearEstimate:
    """Solve samples (K, N[, 3]) of points (N, 3) mm, in the precision of the points."""
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
        return NearEstimate(raw, v, rows, weights, norm, g / norm[:, None], valid, fallback)


def _solve(
    problem: NearProblem, samples: Array, points: Array, mask: Array | None, out: StripOut
) -> None:
    found = estimate_points(problem, samples, points)
    valid, weights = found.valid, found.weights
    if mask is not None:
        valid = valid & (mask != 0)
    out.normals[...] = np.where(valid[:, None], found.normals, 0)
    out.valid[...] = valid
    out.albedo[...] = np.where(valid, found.albedo, 0)
    with np.errstate(all="ignore"):
        if out.residual is not None:
            seen = found.spread()
            out.residual[...] = np.where(valid, np.sqrt(seen.mean_square), 0)
        if out.deviation is not None:
            _examine(problem, found, seen, valid, out)
    if out.used is not None:
        out.used[...] = np.where(valid, weights.sum(axis=0), 0)
    if out.fallback is not None:
        out.fallback[...] = valid & found.fallback


def _examine(
    problem: NearProblem, found: NearEstimate, seen: Spread, valid: Array, out: StripOut
) -> None:
    """The planes of the quality, as :mod:`mvps.stereo.quality` defines them, with s_k for l_k."""
    weighted = found.rows * found.weights[:, :, None]
    system = np.einsum("kni,knj->nij", weighted, found.rows)
    normals = np.where(valid[:, None], found.normals, 0)
    turned = angle_of(problem.distant, seen, (system, system), normals, found.albedo[:, None])
    top, limits = found.raw.max(axis=2), problem.distant
    darkest = SHADOW * np.sqrt(np.square(found.rows).sum(axis=2)) * found.albedo
    dark = ~(found.v > darkest) | ~(top > limits.low)
    dark &= (top > limits.marked) & (top < limits.high)
    counts = ~(top < limits.saturated), dark
    out.condition[...] = np.where(valid, turned[0], 0)
    out.deviation[...] = np.where(valid, np.minimum(turned[1], FARTHEST_OFF), 0)
    out.saturated[...] = np.where(valid, counts[0].sum(axis=0), 0)
    out.shadowed[...] = np.where(valid, counts[1].sum(axis=0), 0)


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
