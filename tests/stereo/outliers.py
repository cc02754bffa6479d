"""Captures with shadows and highlights for the tests of the robust solvers, and a plain oracle."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from rendered import WHITE, Capture, render

from mvps.stereo import Problem, Solver
from mvps.stereo.solvers import EPSILON, SHADOW, TUNING

GATED, TRIMMED = Solver("gated"), Solver("trimmed")
LOSSES = tuple(Solver("irls", loss=loss) for loss in ("cauchy", "huber", "tukey", "l1"))
ROBUST = (GATED, TRIMMED, *LOSSES)
SOLVER_NAMES = [s.loss if s.name == "irls" else s.name for s in ROBUST]


def spoilt(
    dtype: str = "uint16", channels: int = 1, lights: int = 12, pixels: int = 501
) -> Capture:
    """A rendered strip with 8% cast shadows, 8% highlights, black and saturated pixels and ties."""
    capture = render(dtype, channels, lights, pixels)
    rng = np.random.default_rng([lights, pixels, channels])
    white = WHITE[dtype]
    samples = capture.samples.astype(np.float64).reshape(lights, pixels, -1)
    samples[rng.random((lights, pixels)) < 0.08] *= 0.02
    glossy = rng.random((lights, pixels)) < 0.08
    samples[glossy] += 0.35 * white * rng.random((int(glossy.sum()), 1))
    samples[:, 3::61] = 0
    samples[:, 5::67] = white
    samples[:, 7::71] = samples[:1, 7::71]  # every light the same
    samples = np.clip(samples, 0, white)
    samples = (samples if dtype == "float32" else np.rint(samples)).astype(dtype)
    return replace(capture, samples=np.ascontiguousarray(samples.reshape(capture.samples.shape)))


def problem_of(capture: Capture, solver: Solver, mode: str = "grey", **limits: float) -> Problem:
    """The capture's problem with a solver and its own upper limit."""
    problem = capture.problem(mode, **limits)
    dtype = capture.samples.dtype
    high = problem.high if "high" in limits else solver.upper_limit(WHITE[dtype.name], dtype)
    return replace(problem, solver=solver, high=float(np.inf if high is None else high))


def oracle(L: np.ndarray, v: np.ndarray, usable: np.ndarray, solver: Solver) -> np.ndarray | None:
    """g of one grey pixel with values v (K,), written for reading; None where it is refused."""
    g = _lstsq(L, v, usable.astype(float))
    if solver.name == "trimmed":
        return _lstsq(L, v, usable * _window(v, *solver.window(len(v))), trusted=True)
    usable = usable & (v > SHADOW * np.linalg.norm(g))
    g = _lstsq(L, v, usable.astype(float), trusted=True)
    if solver.name == "gated" or g is None:
        return g
    errors = np.where(usable, np.abs(v - L @ g), np.inf)
    median = np.sort(errors)[(len(v) + 1) // 2 - 1]
    scale = TUNING[solver.loss] * max(1.4826 * median, EPSILON * np.linalg.norm(g))
    for _ in range(solver.iterations):
        u = np.abs(v - L @ g) / scale
        weights = {
            "cauchy": 1 / (1 + u**2),
            "huber": np.minimum(1, 1 / np.maximum(u, 1e-9)),
            "l1": np.minimum(1, 1 / np.maximum(u, 1e-9)),
            "tukey": np.maximum(1 - u**2, 0) ** 2,
        }[solver.loss]
        g = _lstsq(L, v, usable * weights, trusted=True)
        if g is None:
            return None
    return g


def _window(v: np.ndarray, lower: int, upper: int) -> np.ndarray:
    """Weights of the window of ranks: the mean over every order that the ties allow."""
    ranked, K = np.sort(v), len(v)
    kept = np.zeros(K)
    for value in np.unique(v):
        places = np.flatnonzero(ranked == value)
        inside = np.count_nonzero((places >= lower) & (places < K - upper))
        kept[v == value] = inside / len(places)
    end = ranked[K - upper] if upper else ranked[-1]
    return np.where(v > SHADOW * end, kept, 0)


def _lstsq(
    L: np.ndarray, v: np.ndarray, weights: np.ndarray, trusted: bool = False
) -> np.ndarray | None:
    M = L.T @ (weights[:, None] * L)
    pivots = [M[0, 0], 0.0, 0.0]
    if pivots[0] > 0:
        pivots[1] = np.linalg.det(M[:2, :2]) / M[0, 0]
    if pivots[1] > 0:
        pivots[2] = np.linalg.det(M) / np.linalg.det(M[:2, :2])
    if trusted and (min(pivots) <= 1e-3 * np.trace(M) or (weights > 0.01).sum() < 3):
        return None
    return np.linalg.lstsq(M, L.T @ (weights * v), rcond=None)[0]
