"""Differences between neighbouring pixels: the edges over which a height is integrated.

An edge to the right belongs to its left pixel, an edge downwards to its upper one. All work goes
by rows, so that what lies between stays in the processor's cache.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mvps.surface.slopes import Flags, Plane, Slopes

BLOCK_ROWS = 32


@dataclass(frozen=True, eq=False)
class Edges:
    """Weights of the edges of a grid, and the steps that they ask for.

    Attributes
    ----------
    right, down : (H, W-1) and (H-1, W) float32 weights, zero where there is no edge
    step_right, step_down : of the same shapes, px: wanted height of the farther pixel minus that
        of the nearer one
    """

    right: Plane
    down: Plane
    step_right: Plane
    step_down: Plane


def edge_sums(slopes: Slopes) -> Plane:
    """Right side b of the least-squares equations L z = b of a whole frame.

    Every edge asks for the mean of its two slopes; b is what comes in over the edges of a pixel
    minus what goes out.

    Returns
    -------
    (H, W) float32, px
    """
    p, q = slopes.p, slopes.q
    out = np.zeros(slopes.shape, np.float32)
    half = np.float32(0.5)
    for y in range(0, len(p), BLOCK_ROWS):
        rows = slice(y, y + BLOCK_ROWS)
        step = p[rows, :-1] + p[rows, 1:]
        step *= half
        out[rows, :-1] -= step
        out[rows, 1:] += step
        upper, lower = q[:-1][rows], q[1:][rows]
        step = upper + lower
        step *= -half
        out[:-1][rows] -= step
        out[1:][rows] += step
    return out


def weighted_sums(edges: Edges) -> Plane:
    """As :func:`edge_sums`, of edges with weights and steps of their own."""
    height, width = len(edges.right), edges.down.shape[1]
    out = np.zeros((height, width), np.float32)
    for y in range(0, height, BLOCK_ROWS):
        rows = slice(y, y + BLOCK_ROWS)
        flow = edges.right[rows] * edges.step_right[rows]
        out[rows, :-1] -= flow
        out[rows, 1:] += flow
        flow = edges.down[rows] * edges.step_down[rows]
        out[:-1][rows] -= flow
        out[1:][rows] += flow
    return out


def mean_edges(slopes: Slopes) -> Edges:
    """Edges of weight one between valid neighbours, which ask for the mean of the slopes."""
    p, q, valid = slopes.p, slopes.q, slopes.valid
    half = np.float32(0.5)
    return Edges(
        right=_both(valid[:, :-1], valid[:, 1:]),
        down=_both(valid[:-1], valid[1:]),
        step_right=half * (p[:, :-1] + p[:, 1:]),
        step_down=-half * (q[:-1] + q[1:]),
    )


def _both(near: Flags, far: Flags) -> Plane:
    return np.asarray(near & far, np.float32)
