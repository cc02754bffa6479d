"""Weighted least squares over the edges of a pixel grid, in memory of a few planes.

Conjugate gradients with one multigrid cycle a step. Four pixels make one of the next level, and
the weights of the edges between two such squares add up to that of the coarse edge, so that masks,
holes and broken edges need no care. The sums are halved, which makes up for corrections that are
constant over a square (Braess, Computing 1995). Smoothing is a Chebyshev polynomial of Jacobi
steps (Adams et al., J. Comput. Phys. 2003), more of them the coarser the level.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from mvps.surface.slopes import Plane

Progress = Callable[[int, float], None]

BLOCK_VALUES = 1 << 16  # values a block: those of all arrays of one stay in the cache
DIRECT_LIMIT = 200  # pixels of a level that is solved by a dense inverse
STEEPEST_MODE, SMOOTHED = 2.0, 6.0  # largest eigenvalue, and the share above 1/6 of it is smoothed
FIRST_DEGREE, LAST_DEGREE = 2, 6
REPLACED_EVERY = 8  # steps after which the residual is computed anew
PARALLEL_VALUES = 1 << 18  # pixels of a level below which threads do not pay


@dataclass(frozen=True)
class Solved:
    """How a solve ended: conjugate gradient steps, and the error that is left relative to that of
    zero, in the norm of the equations (root mean square of the slopes).
    """

    steps: int
    error: float


class Grid:
    """One level: edges with weights, and the planes that a cycle needs there."""

    def __init__(self, right: Plane, down: Plane, degree: int) -> None:
        self.right, self.down, self.degree = right, down, degree
        self.shape = len(right), down.shape[1]
        total = np.zeros(self.shape, np.float32)
        total[:, :-1] += right
        total[:, 1:] += right
        total[:-1] += down
        total[1:] += down
        with np.errstate(divide="ignore"):
            self.inverse = np.where(total > 0, 1 / total, np.float32(0))
        self.rest = np.empty(self.shape, np.float32)
        self.change = np.empty(self.shape, np.float32)
        self.dense = _dense_inverse(right, down) if total.size <= DIRECT_LIMIT else None

    def blocks(self) -> Iterator[slice]:
        """Rows in pieces."""
        height, width = self.shape
        step = max(4, BLOCK_VALUES // width)
        for y in range(0, height, step):
            yield slice(y, min(y + step, height))

    def residual(self, rows: slice, b: Plane | None, x: NDArray[Any], out: Plane) -> None:
        """``out = b - L x`` (without b: ``-L x``) at some rows."""
        y0, y1 = rows.start, rows.stop
        height = self.shape[0]
        r = out[rows]
        r[...] = 0 if b is None else b[rows]
        flow = np.subtract(x[rows, 1:], x[rows, :-1])
        flow *= self.right[rows]
        r[:, :-1] += flow
        r[:, 1:] -= flow
        first, last = max(y0 - 1, 0), min(y1, height - 1)
        flow = np.subtract(x[first + 1 : last + 1], x[first:last])
        flow *= self.down[first:last]
        r[: last - y0] += flow[y0 - first :]
        r[first + 1 - y0 :] -= flow[: y1 - first - 1]


def _dense_inverse(right: Plane, down: Plane) -> NDArray[np.float32]:
    """Pseudoinverse of the equations of a small level."""
    height, width = len(right), down.shape[1]
    index = np.arange(height * width).reshape(height, width)
    L = np.zeros((index.size, index.size))
    pairs = ((index[:, :-1], index[:, 1:], right), (index[:-1], index[1:], down))
    for near, far, weight in pairs:
        L[near, far] -= weight
        L[far, near] -= weight
    np.fill_diagonal(L, -L.sum(axis=1))
    return np.asarray(np.linalg.pinv(L, rcond=1e-9, hermitian=True), np.float32)


class Multigrid:
    """Solver for one set of weights.

    Parameters
    ----------
    right, down : (H, W-1) and (H-1, W) float32 weights, not negative
    threads : that share the rows of the large levels
    """

    def __init__(self, right: Plane, down: Plane, *, threads: int = 1) -> None:
        self._levels = [Grid(right, down, FIRST_DEGREE)]
        while (level := self._levels[-1]).dense is None:
            degree = min(level.degree + 1, LAST_DEGREE)
            self._levels.append(Grid(*_coarse_weights(level.right, level.down), degree))
        self._pool = ThreadPoolExecutor(threads) if threads > 1 else None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool is not None:
            self._pool.shutdown()

    def solve(
        self,
        b: Plane,
        x: NDArray[np.float64],
        *,
        tolerance: float = 1e-6,
        most: int = 200,
        progress: Progress | None = None,
    ) -> Solved:
        """Improve ``x`` (H, W) in place until the error is below ``tolerance`` times that of zero.

        The error is measured in the norm of the equations as the preconditioner knows it: about
        the root mean square of the slopes that are left. ``x`` and the residual that it is
        judged by are in double precision, all else in single.

        Parameters
        ----------
        b : (H, W) float32, whose sum over every connected part is zero
        most : conjugate gradient steps
        progress : is told after every step how many there were, and the error
        """
        grid = self._levels[0]
        r, z, direction, image = (np.empty(grid.shape, np.float32) for _ in range(4))
        first = self._size(b, self._precondition(b, z))
        self._residual(grid, b, x, r)
        direction[...] = self._precondition(r, z)
        size = self._size(r, z)
        step = 0
        while step < most and size > tolerance**2 * first:
            step += 1
            self._residual(grid, None, direction, image)
            alpha = -size / self._size(direction, image)
            self._each(grid, partial(_advance, x, direction, alpha))
            if step % REPLACED_EVERY:
                self._each(grid, partial(_advance, r, image, alpha))
            else:
                self._residual(grid, b, x, r)
            size, before = self._size(r, self._precondition(r, z)), size
            self._each(grid, partial(_turn, direction, z, size / before))
            if progress is not None:
                progress(step, math.sqrt(max(size, 0) / first))
        return Solved(step, math.sqrt(max(size, 0) / first) if first > 0 else 0.0)

    def _precondition(self, b: Plane, x: Plane) -> Plane:
        self._cycle(0, b, x)
        return x

    def _cycle(self, at: int, b: Plane, x: Plane) -> None:
        """One symmetric V-cycle from zero."""
        grid = self._levels[at]
        if grid.dense is not None:
            x[...] = (grid.dense @ b.ravel()).reshape(b.shape)
            return
        x[...] = 0
        self._smooth(grid, b, x)
        self._residual(grid, b, x, grid.rest)
        below = self._levels[at + 1]
        correction, load = np.empty(below.shape, np.float32), np.empty(below.shape, np.float32)
        _sum_squares(grid.rest, load)
        self._cycle(at + 1, load, correction)
        for part, coarse in _corners(x, correction):
            np.add(part, coarse, out=part)
        self._smooth(grid, b, x)

    def _smooth(self, grid: Grid, b: Plane, x: Plane) -> None:
        middle = STEEPEST_MODE * (1 + 1 / SMOOTHED) / 2
        half = STEEPEST_MODE * (1 - 1 / SMOOTHED) / 2
        keep, gain, rho = 0.0, 1 / middle, half / middle
        for _ in range(grid.degree):
            self._residual(grid, b, x, grid.rest)
            self._each(grid, partial(_chebyshev, grid, x, keep, gain))
            following = 1 / (2 * middle / half - rho)
            keep, gain, rho = following * rho, 2 * following / half, following

    def _residual(self, grid: Grid, b: Plane | None, x: NDArray[Any], out: Plane) -> None:
        self._each(grid, lambda rows: grid.residual(rows, b, x, out))

    def _size(self, a: Plane, b: Plane) -> float:
        """Inner product, in double precision over the rows."""
        return math.fsum(float(np.dot(u, v)) for u, v in zip(a, b, strict=True))

    def _each(self, grid: Grid, work: Callable[[slice], None]) -> None:
        if self._pool is None or grid.inverse.size < PARALLEL_VALUES:
            for rows in grid.blocks():
                work(rows)
        else:
            deque(self._pool.map(work, grid.blocks()), maxlen=0)


def _advance(x: NDArray[Any], direction: Plane, alpha: float, rows: slice) -> None:
    # In the precision of x: a rounded product would roughen a height that is known better.
    x[rows] += x.dtype.type(alpha) * direction[rows]


def _turn(direction: Plane, z: Plane, beta: float, rows: slice) -> None:
    part = direction[rows]
    part *= np.float32(beta)
    part += z[rows]


def _chebyshev(grid: Grid, x: Plane, keep: float, gain: float, rows: slice) -> None:
    """Next step of the polynomial: some of the last one and some of Jacobi's."""
    change, rest = grid.change[rows], grid.rest[rows]
    rest *= grid.inverse[rows]
    rest *= np.float32(gain)
    if keep:
        change *= np.float32(keep)
        change += rest
    else:
        change[...] = rest
    x[rows] += change


def _coarse_weights(right: Plane, down: Plane) -> tuple[Plane, Plane]:
    """Half the sums of the weights between squares of two by two pixels."""
    height, width = len(right), down.shape[1]
    across, along = right[:, 1::2], down[1::2]
    coarse_right = np.zeros((-(-height // 2), -(-width // 2) - 1), np.float32)
    coarse_down = np.zeros((-(-height // 2) - 1, -(-width // 2)), np.float32)
    for part in (across[::2], across[1::2]):
        coarse_right[: len(part)] += np.float32(0.5) * part
    for part in (along[:, ::2], along[:, 1::2]):
        coarse_down[:, : part.shape[1]] += np.float32(0.5) * part
    return coarse_right, coarse_down


def _sum_squares(fine: Plane, coarse: Plane) -> None:
    coarse[...] = 0
    for part, whole in _corners(fine, coarse):
        np.add(whole, part, out=whole)


def _corners(fine: Plane, coarse: Plane) -> Iterator[tuple[Plane, Plane]]:
    """The four pixels of every square beside their square; borders of odd sizes have fewer."""
    for i in (0, 1):
        for j in (0, 1):
            part = fine[i::2, j::2]
            yield part, coarse[: part.shape[0], : part.shape[1]]
