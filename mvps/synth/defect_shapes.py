"""Profiles of the defects that displace a surface: height off it, over flat coordinates, mm.

All have compact support and a clear edge: beyond the footprint's reach, nothing changes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mvps.errors import InputError
from mvps.synth.defect_noise import ragged, waves
from mvps.synth.defect_surface import Footprint
from mvps.synth.defect_types import Defect

Array = NDArray[np.float64]

BURR_REACH = 1.9  # of a scratch, in half widths: where the raised metal beside it ends
TAPER = 0.12  # share of a scratch over which it comes up to the surface at either end
WALL = 0.45  # of a pit, in radii: where its floor ends and its wall begins


@dataclass(frozen=True, eq=False)
class Relief:
    """What a defect does to the surface under it.

    Attributes
    ----------
    footprint : where
    height : of points (N, 2) in mm in the chart, the displacement (N,) in mm, below 0 inwards
    """

    footprint: Footprint
    height: Callable[[Array], Array]


def relief_of(defect: Defect) -> Relief:
    """Relief of a dent, pit, bump, scratch or crack; InputError where its record lacks a word."""
    try:
        return _RELIEFS[defect.kind](defect)
    except (KeyError, TypeError, ValueError) as error:
        what = f"its record does not describe a {defect.kind} ({error})"
        raise InputError(defect.kind, what) from error


def along(points: Array, path: Array) -> tuple[Array, Array]:
    """Distance of points (N, 2) from a path (M, 2), and the length of the path up to there."""
    best = np.full(len(points), np.inf)
    place = np.zeros(len(points))
    steps = np.linalg.norm(np.diff(path, axis=0), axis=1)
    before = np.concatenate([[0.0], np.cumsum(steps)])
    for i, step in enumerate(steps):
        way = (path[i + 1] - path[i]) / step
        share = np.clip((points - path[i]) @ way, 0.0, step)
        square = ((points - path[i] - share[:, None] * way) ** 2).sum(axis=1)
        closer = square < best
        best[closer] = square[closer]
        place[closer] = before[i] + share[closer]
    return np.sqrt(best), place


def dense(path: Array, step: float) -> Array:
    """Points (S, 2) on a path (M, 2), its corners among them, no farther apart than ``step``."""
    pieces = [path[:1]]
    for start, end in pairwise(path):
        count = max(1, int(np.ceil(np.linalg.norm(end - start) / step)))
        share = np.arange(1, count + 1)[:, None] / count
        pieces.append(start + share * (end - start))
    return np.concatenate(pieces)


def smoothstep(x: Array) -> Array:
    """0 below 0, 1 above 1, smooth between."""
    t = np.clip(x, 0.0, 1.0)
    return t * t * (3 - 2 * t)


def _round_footprint(size: float, faces_across: int) -> Footprint:
    return Footprint(np.zeros((1, 2)), size / 2, size / faces_across)


def _dent(defect: Defect) -> Relief:
    half, aspect = defect.size_mm / 2, float(defect.parameters["aspect"])
    seed = int(defect.parameters["seed"])

    def height(points: Array) -> Array:
        scaled = points / (half * np.array([1.0, aspect]))
        radius = np.linalg.norm(scaled, axis=1) / ragged(scaled, seed, 0.06)
        return np.asarray(-defect.depth_mm * np.clip(1 - radius**2, 0, None) ** 2)

    return Relief(_round_footprint(defect.size_mm, 36), height)


def _pit(defect: Defect) -> Relief:
    half, seed = defect.size_mm / 2, int(defect.parameters["seed"])

    def height(points: Array) -> Array:
        scaled = points / half
        radius = np.linalg.norm(scaled, axis=1) / ragged(scaled, seed, 0.14)
        floor = 1 - 0.06 * (1 + waves(scaled, seed, 0.35)) * smoothstep(radius / 0.3)
        return -defect.depth_mm * floor * smoothstep((1 - radius) / (1 - WALL))

    return Relief(_round_footprint(defect.size_mm, 36), height)


def _bump(defect: Defect) -> Relief:
    half, aspect = defect.size_mm / 2, float(defect.parameters["aspect"])
    seed = int(defect.parameters["seed"])

    def height(points: Array) -> Array:
        scaled = points / (half * np.array([1.0, aspect]))
        radius = np.linalg.norm(scaled, axis=1) / ragged(scaled, seed, 0.1)
        return np.asarray(defect.depth_mm * np.clip(1 - radius**2, 0, None) ** 1.25)

    return Relief(_round_footprint(defect.size_mm, 36), height)


def _scratch(defect: Defect) -> Relief:
    path = _path(defect.parameters["path"])
    half, burr = float(defect.parameters["width_mm"]) / 2, float(defect.parameters["burr"])
    seed, length = int(defect.parameters["seed"]), _length(path)
    inner = np.linspace(TAPER, 1 - TAPER, 400)[:, None] * length
    deepest = waves(inner, seed, 8 * half).max()

    def height(points: Array) -> Array:
        distance, place = along(points, path)
        end = np.minimum(place, length - place) / (TAPER * length)
        strength = smoothstep(end) * (1 - 0.3 * (deepest - waves(place[:, None], seed, 8 * half)))
        x = distance / half
        groove = -np.clip(1 - x**2, 0, None)
        ridge = np.where((x > 1) & (x < BURR_REACH), (x - 1) * (BURR_REACH - x), 0.0)
        shape = groove + burr * ridge * 4 / (BURR_REACH - 1) ** 2
        return np.asarray(defect.depth_mm * strength * shape)

    reach = BURR_REACH * half
    return Relief(Footprint(dense(path, reach), reach, half / 4), height)


def _crack(defect: Defect) -> Relief:
    paths = [_path(branch) for branch in defect.parameters["paths"]]
    half = float(defect.parameters["width_mm"]) / 2
    main = _length(paths[0])

    def height(points: Array) -> Array:
        deepest = np.zeros(len(points))
        for i, path in enumerate(paths):
            distance, place = along(points, path)
            length = _length(path)
            ahead = (length - place) / length  # a crack narrows towards where it is going
            opening = np.sqrt(np.clip(ahead, 0, 1)) * (1.0 if i == 0 else 0.7)
            if i == 0:
                opening = opening * smoothstep(place / (0.05 * main))
            groove = np.clip(opening - distance / half, 0, None)
            np.maximum(deepest, groove, out=deepest)
        return -defect.depth_mm * deepest

    chain = np.concatenate([dense(path, half) for path in paths])
    return Relief(Footprint(chain, half, half / 4), height)


def _path(points: Any) -> Array:
    path = np.asarray(points, np.float64).reshape(-1, 2)
    if len(path) < 2 or not np.diff(path, axis=0).any(axis=1).all():
        raise ValueError("a path needs two points or more, none twice")
    return path


def _length(path: Array) -> float:
    return float(np.linalg.norm(np.diff(path, axis=0), axis=1).sum())


_RELIEFS: dict[str, Callable[[Defect], Relief]] = {
    "dent": _dent,
    "pit": _pit,
    "bump": _bump,
    "scratch": _scratch,
    "crack": _crack,
}
