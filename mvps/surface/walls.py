"""Where normals belong to no continuous surface: edges that may lie across a wall.

Around four neighbouring pixels the slopes of a surface add up to zero (Horn and Brooks, CVGIP
1986). Along a wall whose height varies they do not; the sum is its change from one row to the next.
"""

from __future__ import annotations

import numpy as np

from mvps.surface.edges import Edges, mean_edges
from mvps.surface.slopes import Flags, Plane, Slopes

SIGMAS, LEAST = 2.0, 1e-3  # px: how much of a sum of slopes around a square is noise
REACH = 9  # squares on either side of an edge that are added up, after 1 and 3
SHARPNESS = 4
LARGEST = np.float32(1e30)  # keeps the weakest edge from being none


def edge_trust(slopes: Slopes) -> tuple[Edges, float]:
    """Edges that ask for the mean slope, weak where they lie between squares that do not close.

    An edge across a wall lies between two such squares, an edge along it has a sound one at its
    side. Over runs of 1, 3 and 9 squares on either side, sums of one sign grow above the noise.

    Returns
    -------
    edges : weight (1 + (c/c0)^2)^-4 between valid neighbours, c the smaller of the two sides, c0
        the larger of 1e-3 and twice the noise
    noise : px, robust standard deviation of the sums, both times the squared cosine of the slant,
        which makes the noise of normals even
    """
    edges = mean_edges(slopes)
    curl = edges.step_right[:-1] + edges.step_down[:, 1:]
    curl -= edges.step_right[1:]
    curl -= edges.step_down[:, :-1]
    curl *= facing(slopes)[:-1, :-1]
    whole = (edges.right[:-1] > 0) & (edges.right[1:] > 0)
    noise = 1.4826 * float(np.median(np.abs(curl[whole]))) if whole.any() else 0.0
    scale = np.float32(max(SIGMAS * noise, LEAST))
    curl[~whole] = 0
    _weaken(edges.right, _disagreement(curl, whole), scale)
    _weaken(edges.down.T, _disagreement(curl.T, whole.T), scale)
    return edges, noise


def facing(slopes: Slopes) -> Plane:
    """Squared cosine (H, W) of the slant of every pixel."""
    return np.asarray(1 / (1 + slopes.p * slopes.p + slopes.q * slopes.q), np.float32)


def _weaken(weight: Plane, score: Plane, scale: np.float32) -> None:
    ratio = score / scale
    np.divide(weight, np.minimum((1 + ratio * ratio) ** SHARPNESS, LARGEST), out=weight)


def _disagreement(curl: Plane, whole: Flags) -> Plane:
    """What squares above and below every edge to the right have in common, (H, W-1).

    Parameters
    ----------
    curl : (H-1, W-1) px, zero where not ``whole``
    """
    count = len(curl)
    size: Plane = np.abs(curl)
    # Where a square is not whole the other side decides alone.
    size[~whole] = np.inf
    padded = np.pad(size, ((1, 1), (0, 0)), constant_values=np.inf)
    best: Plane = np.minimum(padded[1:], padded[:-1])
    best[np.isinf(best)] = 0
    run = np.pad(curl, ((REACH, REACH), (0, 0)))
    reach = 1
    while reach < REACH:
        run = run[: -2 * reach] + run[reach:-reach] + run[2 * reach :]
        reach *= 3
        below = run[REACH : REACH + count + 1]
        above = run[REACH - reach : REACH - reach + count + 1]
        common = np.minimum(np.abs(above), np.abs(below))
        common *= above * below > 0
        common /= np.float32(np.sqrt(reach))
        np.maximum(best, common, out=best)
    return best
