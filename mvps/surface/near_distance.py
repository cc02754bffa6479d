"""How far the part is from the lamps: the distance at which the photographs agree best.

Falloff and directions of four lamps or more contradict each other at a wrong distance. The mean
square residual is a parabola in it, which three solves tell; nothing is integrated again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mvps.stereo.near import NearBackend, run
from mvps.stereo.near_problem import NearProblem
from mvps.stereo.near_view import NearView, Plane
from mvps.surface.near_surface import NearSurface, find_surface

FEWEST = 4  # lamps; three explain any distance
STEP = 0.01  # of the mean distance of the lamps
FARTHEST = 0.1  # of it, in one step
BETTER = 0.7  # share of the residual that a better distance leaves
TOLD = 0.002  # of the mean distance of the lamps: what is nearer is not worth a word
PASSES = 5
FOUND = 2e-4  # of the mean distance of the lamps

Array = NDArray[np.float64]


@dataclass(frozen=True)
class DistanceCheck:
    """Where the photographs agree best.

    Attributes
    ----------
    offset_mm : farther from the camera than it was assumed
    residual : RMS over the pixels, as a share of their albedo, where it was assumed
    best : the same at the offset, by the parabola
    lamps_mm : mean distance of the lamps
    """

    offset_mm: float
    residual: float
    best: float
    lamps_mm: float

    @property
    def wrong(self) -> bool:
        """Whether another distance explains the photographs clearly better."""
        apart = abs(self.offset_mm) > TOLD * self.lamps_mm
        return apart and self.best < BETTER * self.residual

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        return asdict(self)


def check_distance(
    backend: NearBackend,
    problem: NearProblem,
    surface: NearSurface,
    samples: NDArray[Any],
    mask: NDArray[Any] | None,
) -> DistanceCheck | None:
    """Move a surface that was found along the optical axis and see what the residual says.

    Parameters
    ----------
    samples, mask : those on which the surface was found

    Returns
    -------
    None with three lamps, or where the residual has no minimum
    """
    if problem.distant.lights < FEWEST:
        return None
    grid = surface.view.binned(surface.cell)
    lamps = float(np.linalg.norm(problem.positions - problem.reference, axis=1).mean())
    step = STEP * lamps
    squares = []
    for offset in (-step, 0.0, step):
        rows = partial(_rows, surface.depth + offset)
        found = run(backend, problem, grid, samples, mask=mask, depth=rows, residual=True)
        share = np.divide(found.residual, found.albedo, where=found.valid, out=found.residual)
        squares.append(np.where(found.valid & surface.known, np.square(share, dtype=float), np.nan))
    everywhere = np.isfinite(squares).all(axis=0)
    if not everywhere.any():
        return None
    before, here, after = (float(square[everywhere].mean()) for square in squares)
    slope, bend = (after - before) / 2, after - 2 * here + before
    if not bend > 0:
        return None
    steps = float(np.clip(-slope / bend, -FARTHEST / STEP, FARTHEST / STEP))
    best = here + slope * steps + bend * steps**2 / 2
    return DistanceCheck(steps * step, here**0.5, max(best, 0.0) ** 0.5, lamps)


def surface_at(
    backend: NearBackend,
    problem_of: Callable[[NearView], NearProblem],
    view: NearView,
    samples: NDArray[Any],
    mask: NDArray[Any] | None,
    *,
    refine: bool,
    **options: Any,
) -> tuple[NearProblem, NearSurface, DistanceCheck | None]:
    """Find the surface, and where that is asked for the distance at which photographs agree.

    Parameters
    ----------
    problem_of : the problem for an assumed plane
    refine : move the plane
    options : see :func:`mvps.surface.near_surface.find_surface`

    Returns
    -------
    problem, surface : for the plane ``surface.view.plane``
    check : of that distance
    """
    for left in reversed(range(PASSES if refine else 1)):
        problem = problem_of(view)
        surface = find_surface(backend, problem, view, samples, mask, **options)
        check = check_distance(backend, problem, surface, samples, mask)
        if not left or check is None or abs(check.offset_mm) < FOUND * check.lamps_mm:
            break
        moved = Plane(view.plane.distance_mm + check.offset_mm, view.plane.normal)
        view = replace(view, plane=moved)
    return problem, surface, check


def _rows(depth: Array, y0: int, y1: int) -> Array:
    return depth[y0:y1]
