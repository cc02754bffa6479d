"""Noise of a stack, measured on a few thousand of its pixels before they are solved.

From what the fit leaves, where there are more samples than unknowns; else from fourth differences
along the rows, after Immerkaer (1996), which take fine texture for noise.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mvps.stereo.auto import LOOKED_AT
from mvps.stereo.noise import Noise
from mvps.stereo.problem import Problem
from mvps.stereo.quality import Spread, spread
from mvps.stereo.reference import estimate, raw_values

BINS = 8  # of brightness
FEWEST = 64  # pixels that say anything
LEAST_FREEDOM = 0.5
RUN, RUNS = 1 << 12, 32  # pixels side by side, and how many such runs, that show the noise
DIFFERENCE = (1.0, -4.0, 6.0, -4.0, 1.0)  # nothing of a cubic is left

Array = NDArray[Any]
# Indices (n,) of pixels to whether each has a normal (n,), and what its lights say of the noise.
Solved = Callable[[Array], tuple[Array, Spread]]


def measure_noise(
    problem: Problem, samples: Array, mask: Array | None, solved: Solved | None = None
) -> Noise:
    """Noise of values from samples (K, N[, 3]) that follow each other as in the image.

    Within each of eight classes of brightness the variance is that whose median a chi-squared
    distribution gives (so that outliers do not count), and a line with no negative part is laid
    through the classes. It is never below that of rounding to whole samples. ``solved`` takes the
    place of the problem's own solver.
    """
    inside = np.arange(samples.shape[1]) if mask is None else np.flatnonzero(mask)
    looked = inside[:: max(1, -(-len(inside) // LOOKED_AT))]
    least = _rounding(problem, samples.dtype)
    found = None
    if len(looked) >= FEWEST:
        found = _from_residuals(*(solved or partial(_solved, problem, samples))(looked), least)
    if found is None:
        found = _from_neighbours(problem, samples, looked, least)
    return found or Noise(least, 0.0, "quantisation")


def runs_of(pixels: int) -> list[slice]:
    """Runs of pixels, evenly spread, that are enough to look at."""
    starts = np.linspace(0, max(0, pixels - RUN), min(RUNS, -(-pixels // RUN)), dtype=int)
    return [slice(int(start), int(start) + RUN) for start in starts]


def _rounding(problem: Problem, dtype: np.dtype[Any]) -> float:
    """Variance of a value whose samples are rounded to whole numbers."""
    if dtype.kind != "u":
        return problem.floor**2
    square = np.square(problem.gain)
    total = square.mean() if problem.mode == "channels" else square.sum(axis=1).mean()
    return float(total) / 12


def _solved(problem: Problem, samples: Array, looked: Array) -> tuple[Array, Spread]:
    found = estimate(problem, samples[:, looked])
    with np.errstate(all="ignore"):
        shading = problem.directions @ found.normals.T
        judged = found.fit.parts[1].astype(np.float64)
        return found.valid, spread(found.v, shading, found.albedo, judged)


def _from_residuals(valid: Array, seen: Spread, least: float) -> Noise | None:
    free = valid & (seen.freedom > LEAST_FREEDOM)
    if np.count_nonzero(free) < FEWEST:
        return None
    freedom = seen.freedom[free]
    median = (1 - 2 / (9 * freedom)) ** 3  # of chi-squared over its freedom (Wilson, Hilferty 1931)
    variance = seen.squares[free] / (freedom * median)
    return _line(seen.value[free], variance, least, "residuals")


def _from_neighbours(problem: Problem, samples: Array, looked: Array, least: float) -> Noise | None:
    looked = looked[(looked > 1) & (looked < samples.shape[1] - 2)]
    with np.errstate(all="ignore"):
        run = [raw_values(problem, samples[:, looked + i])[1] for i in (-2, -1, 0, 1, 2)]
        here, total = run[2], np.sum([f * v for f, v in zip(DIFFERENCE, run, strict=True)], axis=0)
        difference = np.square(total).mean(axis=2) / np.square(DIFFERENCE).sum()
        sound = np.isfinite(difference) & (here.mean(axis=2) > problem.floor)
    if np.count_nonzero(sound) < FEWEST:
        return None
    median = 0.4549 if here.shape[2] == 1 else 0.789  # of chi-squared of 1, and of 3 over 3
    return _line(here.mean(axis=2)[sound], difference[sound] / median, least, "neighbours")


def _line(values: Array, variance: Array, least: float, source: str) -> Noise:
    """Read and shot noise from values (n,) and estimates (n,) of which the median is right."""
    classes = np.array_split(np.argsort(values, kind="stable"), BINS)
    x = np.array([values[part].mean() for part in classes])
    y = np.maximum([np.median(variance[part]) for part in classes], least)
    weight = 1 / y  # classes err in proportion to what they say
    design = np.stack([weight, weight * x], axis=1)
    read, shot = np.linalg.lstsq(design, y * weight, rcond=None)[0]
    if shot < 0:
        read, shot = float(np.exp(np.log(y).mean())), 0.0
    elif read < least:
        read, shot = least, max(0.0, float(np.median((y - least) / np.maximum(x, 1e-12))))
    return Noise(float(read), float(shot), source)
