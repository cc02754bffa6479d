"""Which solver a stack needs: from its number of lights and a look at a few thousand pixels.

Highlights only add light, while wrong light directions err to both sides; so what lies below the
fit is subtracted from what lies above it. The thresholds were chosen on rendered captures, random
lights of the DiLiGenT ball and the sample capture.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mvps.stereo.problem import Problem
from mvps.stereo.robust_reference import robust_fit
from mvps.stereo.solvers import SHADOW, Solver

LOOKED_AT = 4096  # pixels
OUTLIER = 0.08  # of the albedo: from here on a residual is no noise
HIGHLIGHTS = 0.008  # of the lit samples: from here on highlights bend least squares
SHADOWS = 0.03  # of the samples
CONTRADICTION = 0.012  # of the albedo: from here on four lights are not cut down to three
FEWEST_JUDGED = 4  # lights: three are always explained, whatever they show
FEWEST_REWEIGHTED = 5  # lights: with fewer, one outlier cannot be told from the others
FEWEST_TRIMMED = (
    24  # lights: with fewer, a window of ranks may leave directions that lie on one side
)

Array = NDArray[Any]


@dataclass(frozen=True)
class Choice:
    """The solver that "auto" stands for, and why.

    Attributes
    ----------
    solver : with a name of its own
    reason : in words
    highlights : share of the lit samples above the fit by more than ``OUTLIER`` of the albedo, less
        the share below it
    shadows : share of the samples at or below ``SHADOW`` of the albedo
    pixels : looked at
    """

    solver: Solver
    reason: str
    highlights: float
    shadows: float
    pixels: int

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        return {
            "reason": self.reason,
            "highlights": round(self.highlights, 4),
            "shadows": round(self.shadows, 4),
            "pixels": self.pixels,
        }


def glance(samples: Any, mask: Any | None) -> Any:
    """An even choice of at most ``LOOKED_AT`` pixels (K, n[, 3]) inside the mask (N,)."""
    inside = np.arange(samples.shape[1]) if mask is None else np.flatnonzero(mask)
    return samples[:, inside[:: max(1, -(-len(inside) // LOOKED_AT))]]


def choose(problem: Problem, samples: Array) -> Choice:
    """Decide for the problem, whose solver carries the parameters, from samples (K, n[, 3])."""
    lights = problem.lights
    if lights < FEWEST_JUDGED:
        plain = replace(problem.solver, name="ls")
        return Choice(plain, f"{lights} lights leave nothing to choose", 0.0, 0.0, 0)
    highlights, shadows, contradiction, pixels = _shares(problem, samples)
    glossy = highlights >= HIGHLIGHTS
    shaded = shadows >= SHADOWS
    if glossy and lights >= FEWEST_TRIMMED:
        name, because = "trimmed", f"{lights} lights leave enough inside a window of ranks"
    elif glossy and lights >= FEWEST_REWEIGHTED:
        name, because = "irls", f"{lights} lights are too few for a window of ranks"
    elif shaded and lights == FEWEST_JUDGED and contradiction >= CONTRADICTION:
        name, because = "ls", f"without shadows the four lights disagree by {contradiction:.1%}"
    elif shaded:
        name, because = "gated", "too few lights to find highlights" if glossy else "no gloss"
    else:
        name, because = "ls", "too few lights to find highlights" if glossy else "neither matters"
    seen = f"{max(highlights, 0):.1%} highlights and {shadows:.1%} shadows in {pixels} pixels"
    reason = f"{seen if pixels else 'no pixel could be judged'}; {because}"
    return Choice(replace(problem.solver, name=name), reason, highlights, shadows, pixels)


def _shares(problem: Problem, samples: Array) -> tuple[float, float, float, int]:
    """Highlights, shadows, what lit lights leave to least squares, pixels that could be judged."""
    trial = replace(problem, solver=replace(problem.solver, name="irls"))
    raw = samples.astype(np.float64).reshape(*samples.shape[:2], problem.channels)
    sound = (np.abs(raw) < 2.0**50).all(axis=(0, 2)) & (raw.max(axis=(0, 2), initial=0) > 0)
    raw = raw[:, sound]
    v = (raw * problem.gain[:, None, :]).sum(axis=2, keepdims=True)
    usable = (raw.max(axis=2) > problem.low) & (raw.max(axis=2) < problem.high)
    with np.errstate(all="ignore"):
        fit = robust_fit(trial, v, usable)
        albedo = np.linalg.norm(fit.G[:, :, 0], axis=1)
        judged = fit.determined & (albedo > problem.floor) & np.isfinite(albedo)
    if not judged.any():
        return 0.0, 0.0, 0.0, 0
    values, albedo, usable = v[:, judged, 0], albedo[judged], usable[:, judged]
    predicted = problem.directions @ fit.G[judged, :, 0].T
    lit = (values > SHADOW * albedo) & usable
    excess = (values - np.maximum(predicted, 0))[lit] / np.broadcast_to(albedo, lit.shape)[lit]
    balance = np.count_nonzero(excess > OUTLIER) - np.count_nonzero(excess < -OUTLIER)
    shadows = 1 - lit.sum() / usable.sum()
    contradiction = _contradiction(problem.directions, values / albedo, lit)
    return balance / max(excess.size, 1), float(shadows), contradiction, int(judged.sum())


def _contradiction(L: Array, shading: Array, lit: Array) -> float:
    """90th percentile of what least squares leaves (root of the sum of squares) where all is lit.

    A share of the albedo. Gloss and wrong directions leave it to neither side of four lights, and a
    pixel that is cut down to three of them gets it whole.
    """
    shading = shading[:, lit.all(axis=0)]
    left = shading - L @ (np.linalg.pinv(L) @ shading)
    return float(np.percentile(np.linalg.norm(left, axis=0), 90)) if left.size else 0.0
