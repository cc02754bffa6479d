"""Paths over a surface, in flat coordinates: of a scratch, a crack with branches, a fibre."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def draw_scratch(rng: np.random.Generator, length: float) -> dict[str, Any]:
    """An arc with a slight waver, ``length`` mm long, and the height of its burr."""
    bend = rng.uniform(-0.5, 0.5)  # rad from one end to the other
    place = np.linspace(-0.5, 0.5, 25)
    heading = bend * place + 0.05 * np.sin(2 * np.pi * (place * rng.uniform(0.6, 1.6)))
    path = _walk(heading[:-1], np.full(24, length / 24))
    return {"path": _rounded(path), "burr": round(float(rng.uniform(0.1, 0.35)), 3)}


def draw_crack(rng: np.random.Generator, length: float, width: float) -> dict[str, Any]:
    """A zig-zag that spans ``length`` mm, and up to three branches."""
    main = _zigzag(rng, length, width)
    paths = [_rounded(main)]
    for _ in range(int(rng.integers(1, 4))):
        at = int(rng.integers(len(main) // 5, 4 * len(main) // 5))
        way = np.arctan2(*(main[at] - main[at - 1])[::-1])
        turn = rng.choice([-1, 1]) * rng.uniform(0.5, 1.1)
        branch = _zigzag(rng, length * rng.uniform(0.12, 0.3), width)
        branch = (branch - branch[0]) @ _rotation(way + turn).T + main[at]
        paths.append(_rounded(branch))
    return {"paths": paths}


def draw_fibre(rng: np.random.Generator, length: float) -> dict[str, Any]:
    """A curl of lint, ``length`` mm along itself, and how far it lifts off, in thicknesses."""
    count = 48
    place = np.linspace(0, 1, count)
    heading = np.zeros(count)
    for order in (1, 2, 3):
        size = rng.normal() * 1.3 / order
        heading += size * np.sin(np.pi * order * place + rng.uniform(0, 2 * np.pi))
    path = _walk(heading[:-1], np.full(count - 1, length / (count - 1)))
    return {"path": _rounded(path), "lift": round(float(rng.uniform(0.0, 2.5)), 3)}


def _zigzag(rng: np.random.Generator, length: float, width: float) -> Array:
    """A path from left to right through the origin, of short straight pieces, ``length`` wide."""
    step = max(length / 22, 1.5 * width)
    count = max(4, round(length / step))
    side = np.where(np.arange(count) % 2 == 0, 1.0, -1.0) * rng.choice([-1.0, 1.0])
    heading = side * rng.uniform(0.05, 0.75, count) + np.cumsum(rng.normal(0, 0.12, count))
    path = _walk(heading, rng.uniform(0.5, 1.5, count))
    return np.asarray(path * (length / np.ptp(path[:, 0])))


def _walk(heading: Array, steps: Array) -> Array:
    """Path (N + 1, 2) of steps in headings, its middle at the origin, its mean way along u."""
    way = np.stack([np.cos(heading), np.sin(heading)], axis=1) * steps[:, None]
    path = np.concatenate([np.zeros((1, 2)), np.cumsum(way, axis=0)])
    across = path[-1] - path[0]
    path = path @ _rotation(float(np.arctan2(across[1], across[0])))
    return np.asarray(path - path[len(path) // 2])


def _rotation(angle: float) -> Array:
    cos, sin = np.cos(angle), np.sin(angle)
    return np.array([[cos, -sin], [sin, cos]])


def _rounded(path: Array) -> list[list[float]]:
    return [[round(float(u), 5), round(float(v), 5)] for u, v in path]
