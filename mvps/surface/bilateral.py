"""Height of a surface with steps: bilateral normal integration, started where normals disagree.

After Cao, Santo, Shi, Okura and Matsushita (ECCV 2022): a pixel is joined to either neighbour by a
one-sided difference, and of two opposite ones that over which the surface goes on counts more.
What differs from the paper, and why, is written in docs/surface.md.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mvps.surface.edges import Edges, weighted_sums
from mvps.surface.multigrid import Multigrid
from mvps.surface.slopes import Flags, Plane, Slopes
from mvps.surface.walls import edge_trust, facing

SHARPNESS = 50.0  # 1/px^2: the sigmoid's k; steps of a few tenths of a pixel are told apart
TOLERANCE = 1e-4  # relative change of the energy at which the weights have settled
ROUNDS = 100  # at most
LEAST_WEIGHT = np.float32(1e-6)  # keeps every part of the surface tied to the rest
LEAST_TRUST = np.float32(0.01)  # of an edge between squares whose slopes disagree
SOLVE_ERROR, FIRST_ERROR, SOLVE_STEPS = 1e-4, 1e-5, 50


@dataclass(frozen=True, eq=False)
class Bilateral:
    """Result of :func:`bilateral_height`.

    Attributes
    ----------
    height : (H, W) float64, px
    step_right, step_down : (H, W-1) and (H-1, W) float32, px: by how much a step between two
        neighbours exceeds what a continuous surface of these slopes can climb; zero without edge
    noise : px, robust standard deviation of the sum of slopes around a square of four pixels
    rounds : times that the weights were computed
    steps : of conjugate gradients, in all
    energy : weighted squares that are left, px^2
    """

    height: NDArray[np.float64]
    step_right: Plane
    step_down: Plane
    noise: float
    rounds: int
    steps: int
    energy: float


def bilateral_height(
    slopes: Slopes,
    start: NDArray[np.float64],
    *,
    sharpness: float = SHARPNESS,
    tolerance: float = TOLERANCE,
    most: int = ROUNDS,
    threads: int = 1,
    progress: Callable[[int, float], None] | None = None,
) -> Bilateral:
    """Iteratively reweighted least squares over one-sided differences.

    Parameters
    ----------
    start : (H, W) px, a height to start from, as of `sparse_height`
    sharpness : k of the sigmoid, per px^2; larger ones cut at smaller steps
    tolerance : the rounds end when the energy changes by less than this share
    most : rounds at most
    progress : is told after every round its number and the relative change of the energy
    """
    trust, noise = edge_trust(slopes)
    z = start.astype(np.float64)
    steps = _solve(trust, z, FIRST_ERROR, threads)
    axes = _Axis(slopes, trust, across=True), _Axis(slopes, trust, across=False)
    energy, rounds = np.inf, 0
    while rounds < most:
        rounds += 1
        (right, to_right, first), (down, to_down, second) = (
            axis.weigh(z, sharpness) for axis in axes
        )
        before, energy = energy, first + second
        change = abs(before - energy) / before if 0 < before < np.inf else float(energy > 0)
        if progress is not None:
            progress(rounds, change)
        if change < tolerance:
            break
        steps += _solve(Edges(right, down, to_right, to_down), z, SOLVE_ERROR, threads)
    excess = [axis.excess(z) for axis in axes]
    return Bilateral(z, excess[0], excess[1], noise, rounds, steps, energy)


def _solve(edges: Edges, z: NDArray[np.float64], error: float, threads: int) -> int:
    with Multigrid(edges.right, edges.down, threads=threads) as grid:
        return grid.solve(weighted_sums(edges), z, tolerance=error, most=SOLVE_STEPS).steps


class _Axis:
    """Edges to the right, or downwards, and how the two sides of a pixel are weighed there."""

    def __init__(self, slopes: Slopes, trust: Edges, *, across: bool) -> None:
        self._across = across
        slope = slopes.p if across else -slopes.q
        # The paper measures differences along the normal.
        self._facing = facing(slopes)
        trusted = trust.right if across else trust.down
        self._valid: Flags = trusted > 0
        self._slope = self._near(slope), self._far(slope)
        level = (self._near(self._facing) + self._far(self._facing)) * np.float32(0.5)
        self._most = self._valid * np.maximum(trusted, LEAST_TRUST) * level

    def _near(self, plane: NDArray[Any]) -> NDArray[Any]:
        return plane[:, :-1] if self._across else plane[:-1]

    def _far(self, plane: NDArray[Any]) -> NDArray[Any]:
        return plane[:, 1:] if self._across else plane[1:]

    def excess(self, z: NDArray[np.float64]) -> Plane:
        """What a step exceeds the slopes between those of its two pixels by, px."""
        near, far = self._slope
        return self._excess(self._difference(z), near, far)

    def _difference(self, z: NDArray[np.float64]) -> Plane:
        return np.asarray(self._far(z) - self._near(z), np.float32)

    def _excess(self, step: Plane, near: Plane, far: Plane) -> Plane:
        half = np.float32(0.5)
        over = np.abs(step - half * (near + far)) - half * np.abs(far - near)
        return np.asarray(np.maximum(over, 0) * self._valid, np.float32)

    def weigh(self, z: NDArray[np.float64], sharpness: float) -> tuple[Plane, Plane, float]:
        """Weights, wanted steps and energy of the edges at a height."""
        step = self._difference(z)
        near, far = self._slope
        squares = self._excess(step, near, far)
        squares *= squares
        ahead, behind = np.zeros(z.shape, np.float32), np.zeros(z.shape, np.float32)
        self._near(ahead)[...] = squares
        self._far(behind)[...] = squares
        behind -= ahead
        behind *= self._facing
        behind *= np.float32(-sharpness)
        # The sigmoid: how much a pixel's difference ahead counts; the one behind has the rest.
        share = 1 / (1 + np.exp(np.clip(behind, -60, 60, out=behind), out=behind))
        from_near = self._near(share) + LEAST_WEIGHT
        from_far = 1 - self._far(share) + LEAST_WEIGHT
        total = from_near + from_far
        wanted = (from_near * near + from_far * far) / total
        missed = from_near * (step - near) ** 2 + from_far * (step - far) ** 2
        energy = float(np.sum(missed * self._most, dtype=np.float64))
        return total * self._most, wanted, energy
