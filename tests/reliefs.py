"""Surfaces with known heights and exact normals: (height (H, W) px, p, q) with y upwards."""

from __future__ import annotations

import numpy as np

from mvps.surface.slopes import Slopes, orthographic_slopes

Relief = tuple[np.ndarray, np.ndarray, np.ndarray]


def axes(n: int) -> tuple[np.ndarray, np.ndarray]:
    """x to the right and y upwards from the middle."""
    rows, columns = np.mgrid[:n, :n] - (n - 1) / 2
    return columns, -rows


def sphere(n: int) -> Relief:
    """Part of a sphere of radius 0.8 n that fills the frame."""
    x, y = axes(n)
    z = np.sqrt((0.8 * n) ** 2 - x * x - y * y)
    return z, -x / z, -y / z


def cap(n: int) -> Relief:
    """Cap of slopes up to 0.58 in a level plate, as wide as 5/8 of the frame."""
    x, y = axes(n)
    R, rim = 0.625 * n, 0.3125 * n
    inside = x * x + y * y < rim * rim
    z = np.sqrt(np.maximum(R * R - x * x - y * y, 1))
    return np.where(inside, z - np.sqrt(R * R - rim * rim), 0), *(
        np.where(inside, -a / z, 0) for a in (x, y)
    )


def waves(n: int) -> Relief:
    """Two waves over the frame each way: periodic."""
    x, y = axes(n)
    w = 4 * np.pi / n
    z = 5 * np.sin(w * x) * np.cos(w * y)
    return z, 5 * w * np.cos(w * x) * np.cos(w * y), -5 * w * np.sin(w * x) * np.sin(w * y)


def slot(n: int = 128, depth: float = 12.0) -> Relief:
    """Level plate with a slot that begins at depth 0 inside and reaches the lower border: its two
    walls do not divide the plate."""
    first, left, right = round(0.16 * n), round(0.39 * n), round(0.61 * n)
    slope = depth / (n - first)
    z, p, q = np.zeros((n, n)), np.zeros((n, n)), np.zeros((n, n))
    z[first:, left:right] = -slope * (np.arange(n - first) + 0.5)[:, None]
    q[first:, left:right] = slope
    return z, p, q


def closed_step(n: int = 128, height: float = 6.0) -> tuple[Relief, np.ndarray]:
    """Tilted disc in a level plate, behind a wall all around; and where the disc is."""
    x, y = axes(n)
    disc = x * x + y * y < (0.3 * n) ** 2
    z = np.where(disc, height + 0.15 * x + 0.1 * y, 0)
    return (z, np.where(disc, 0.15, 0.0), np.where(disc, 0.1, 0.0)), disc


def normals_of(relief: Relief, noise: float = 0.0) -> np.ndarray:
    """(H, W, 3) float32 unit normals, with noise of a standard deviation in each component."""
    _, p, q = relief
    n = np.stack([-p, -q, np.ones_like(p)], axis=-1)
    n /= np.linalg.norm(n, axis=-1, keepdims=True)
    if noise:
        n += np.random.default_rng(0).normal(0, noise, n.shape)
        n /= np.linalg.norm(n, axis=-1, keepdims=True)
    return n.astype(np.float32)


def slopes_of(relief: Relief, mask: np.ndarray | None = None, noise: float = 0.0) -> Slopes:
    return orthographic_slopes(normals_of(relief, noise), mask)


def rms_share(found: np.ndarray, truth: np.ndarray, where: np.ndarray | None = None) -> float:
    """Root mean square error after the best offset, as a share of the range of the truth."""
    inside = np.ones(truth.shape, bool) if where is None else where
    off = (found - truth)[inside]
    return float(np.std(off) / np.ptp(truth[inside]))
