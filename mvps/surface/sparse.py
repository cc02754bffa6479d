"""Least-squares height inside any mask, with holes and islands: Poisson's equation with free
borders (Queau, Durou and Aujol, J. Math. Imaging Vision 2018), solved by multigrid.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mvps.surface.edges import mean_edges, weighted_sums
from mvps.surface.multigrid import Multigrid, Progress, Solved
from mvps.surface.slopes import Slopes

TOLERANCE = 1e-6


def sparse_height(
    slopes: Slopes,
    *,
    tolerance: float = TOLERANCE,
    threads: int = 1,
    progress: Progress | None = None,
) -> tuple[NDArray[np.float64], Solved]:
    """Height that minimises the sum over valid neighbours of (z_j - z_i - g_ij)^2.

    g is the mean of the two slopes, as for `dct_height`, whose result it is on a full frame.

    Parameters
    ----------
    tolerance : error at which the iteration ends, relative to a height of zero
    threads : that share the rows
    progress : is told after every step its number and the error

    Returns
    -------
    height : (H, W) float64, px; every connected part is right up to an offset of its own
    solved : how the iteration ended
    """
    edges = mean_edges(slopes)
    sums = weighted_sums(edges)
    right, down = edges.right, edges.down
    del edges
    height = np.zeros(slopes.shape)
    with Multigrid(right, down, threads=threads) as grid:
        solved = grid.solve(sums, height, tolerance=tolerance, progress=progress)
    return height, solved
