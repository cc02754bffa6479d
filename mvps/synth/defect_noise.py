"""Irregularity that follows from a seed: sums of waves, ragged outlines, broken facets."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

WAVES = 24


def waves(points: Array, seed: int, wavelength: float) -> Array:
    """Smooth noise (N,) in -1 to 1 over points (N, D), most of it at one wavelength."""
    rng = np.random.default_rng([seed, 1])
    way = rng.normal(size=(WAVES, points.shape[1]))
    way /= np.linalg.norm(way, axis=1, keepdims=True)
    number = 2 * np.pi / (wavelength * rng.uniform(0.6, 1.8, WAVES))
    phase = rng.uniform(0, 2 * np.pi, WAVES)
    total = np.cos((points @ way.T) * number + phase).sum(axis=1)
    return np.asarray(np.tanh(total * np.sqrt(2 / WAVES) / 1.5))


def ragged(points: Array, seed: int, amount: float) -> Array:
    """Radius (N,) of an irregular outline in the direction of points (N, 2): 1 at most.

    Towards the centre it becomes a circle, so that what it shapes has no creases there.
    """
    rng = np.random.default_rng([seed, 2])
    order = np.arange(2, 9)
    size = rng.normal(size=7) / order**1.4
    angle = np.arctan2(points[:, 1], points[:, 0])
    phase = rng.uniform(0, 2 * np.pi, 7)

    def outline(at: Array) -> Array:
        return np.asarray(np.cos(at[:, None] * order + phase) @ size)

    around = outline(np.linspace(-np.pi, np.pi, 361))
    low, high = around.min(), around.max()
    inward = np.clip((high - outline(angle)) / (high - low), 0, 1) - 0.5
    share = np.clip((points**2).sum(axis=1), 0, 1)
    return np.asarray(1 - amount - 2 * amount * inward * share)


def facets(points: Array, seed: int, wavelength: float) -> Array:
    """Noise (N,) in about -1 to 1 over points (N, 2): shallow bowls that meet in sharp ridges.

    The lower envelope of tilted paraboloids, as brittle material breaks.
    """
    rng = np.random.default_rng([seed, 3])
    x, y = rng.uniform(-4, 4, (2, 160)) * wavelength
    tilt_x, tilt_y = rng.normal(size=(2, 160)) * 0.7
    level = rng.uniform(-0.6, 0.6, 160)
    right, up = (points[:, :1] - x) / wavelength, (points[:, 1:] - y) / wavelength
    height = 1.5 * (right**2 + up**2) + tilt_x * right + tilt_y * up + level
    return np.asarray(height.min(axis=1))
