"""Polygons of any shape as triangles: by ear clipping (Meisters 1975), in their own plane."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def triangulate(
    points: NDArray[np.float64], polygons: list[NDArray[np.int64]]
) -> NDArray[np.int32]:
    """Triangles (F, 3) of simple polygons given as indices into points (N, 3), same orientation.

    A polygon with fewer than three corners gives none.
    """
    by_size: dict[int, list[NDArray[np.int64]]] = {}
    for polygon in polygons:
        by_size.setdefault(len(polygon), []).append(polygon)
    found = [np.empty((0, 3), np.int64)]
    for size, group in by_size.items():
        if size == 3:
            found.append(np.array(group))
        elif size == 4:
            found.append(_quads(points, np.array(group)))
        elif size > 4:
            found.extend(_clip_ears(points, polygon) for polygon in group)
    return np.concatenate(found).astype(np.int32)


def _quads(points: NDArray[np.float64], quads: NDArray[np.int64]) -> NDArray[np.int64]:
    """Two triangles a quadrangle, parted at the diagonal that leaves the larger smaller one."""
    normal = np.cross(
        points[quads[:, 2]] - points[quads[:, 0]], points[quads[:, 3]] - points[quads[:, 1]]
    )
    smaller = []
    for turn in (0, 1):
        a, b, c, d = (points[np.roll(quads, -turn, axis=1)[:, k]] for k in range(4))
        halves = [np.cross(b - a, c - a), np.cross(c - a, d - a)]
        smaller.append(np.min([np.einsum("ij,ij->i", half, normal) for half in halves], axis=0))
    keep = (smaller[0] >= smaller[1])[:, None]
    corners = np.where(keep, quads, np.roll(quads, -1, axis=1))
    return np.concatenate([corners[:, [0, 1, 2]], corners[:, [0, 2, 3]]])


def _clip_ears(points: NDArray[np.float64], polygon: NDArray[np.int64]) -> NDArray[np.int64]:
    plane = _flattened(points[polygon])
    left = np.arange(len(polygon))
    triangles = []
    at = 0
    while len(left) > 3:
        at = _next_ear(plane, left, at)
        before, after = left[at - 1], left[(at + 1) % len(left)]
        triangles.append((before, left[at], after))
        left = np.delete(left, at)
        at %= len(left)
    triangles.append((left[0], left[1], left[2]))
    return polygon[np.array(triangles)]


def _next_ear(plane: NDArray[np.float64], left: NDArray[np.int64], at: int) -> int:
    """Place in ``left`` of a corner that can be cut off.

    A polygon that crosses itself may have none: its largest corner is cut.
    """
    ring = plane[left]
    before, after = np.roll(ring, 1, axis=0), np.roll(ring, -1, axis=0)
    turn = _cross(ring - before, after - ring)
    for place in np.roll(np.arange(len(left)), -at):
        if turn[place] <= 0:
            continue
        a, b, c = before[place], ring[place], after[place]
        others = np.ones(len(left), np.bool_)
        others[[place - 1, place, (place + 1) % len(left)]] = False
        reflex = ring[others & (turn <= 0)]
        twin = ((reflex == a) | (reflex == c)).all(axis=1)  # a hole's bridge passes them twice
        rest = reflex[~twin]
        within = (_cross(b - a, rest - a) >= 0) & (_cross(c - b, rest - b) >= 0)
        within &= _cross(a - c, rest - c) >= 0
        if not within.any():
            return int(place)
    return int(turn.argmax())


def _flattened(ring: NDArray[np.float64]) -> NDArray[np.float64]:
    """Corners (N, 3) in the plane of Newell's normal, (N, 2), counter-clockwise."""
    shifted = ring - ring[0]
    normal = np.cross(shifted, np.roll(shifted, -1, axis=0)).sum(axis=0)
    axis = int(np.abs(normal).argmax())
    plane = np.delete(shifted, axis, axis=1)
    mirrored = (normal[axis] < 0) != (axis == 1)
    return np.asarray(plane * (-1.0, 1.0)) if mirrored else plane


def _cross(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0])
