"""Near lights over a surface that is not known: its depth is found with the normals.

The surface is that of :mod:`mvps.surface.near_surface`, on a grid of cells; the normals are those
of every pixel. Over a surface that is known :func:`mvps.stereo.near.solve_given` is enough.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mvps.stereo.near import checked, near_backend, problem_of, run
from mvps.stereo.near_problem import check_outside
from mvps.stereo.near_view import NearView
from mvps.stereo.solution import Solution
from mvps.stereo.solvers import Solver
from mvps.surface.near_distance import DistanceCheck, surface_at
from mvps.surface.near_surface import ROUNDS, TOLERANCE_MM, NearSurface, binned, cell_size

if TYPE_CHECKING:
    from mvps.lights import LightRig


@dataclass(frozen=True, eq=False)
class NearSolution:
    """Normals and albedo of every pixel, and the surface that they belong to.

    Attributes
    ----------
    distance : what the photographs say of the distance; None where they say nothing
    """

    solution: Solution
    surface: NearSurface
    distance: DistanceCheck | None

    @cached_property
    def depth(self) -> NDArray[np.float32]:
        """(H, W) mm along the optical axis, NaN where there is no normal."""
        depth = self.surface.rows(0, self.surface.view.size[1]).astype(np.float32)
        return np.where(self.solution.valid, depth, np.float32(np.nan))


def solve_near(
    images: NDArray[Any],
    lights: LightRig,
    view: NearView,
    *,
    mask: NDArray[Any] | None = None,
    white: float | None = None,
    grey: str = "luminance",
    low: float | None = None,
    high: float | None = None,
    solver: str | Solver = "ls",
    intensities: str = "lamp",
    tolerance_mm: float = TOLERANCE_MM,
    rounds: int = ROUNDS,
    refine_distance: bool = False,
    quality: bool = False,
    device: str = "auto",
    threads: int | None = None,
) -> NearSolution:
    """Normals, albedo and depth under near lights, from an assumed plane.

    Parameters
    ----------
    images, lights, view, mask, white, grey, low, high, solver, intensities, quality, device,
    threads : see :func:`mvps.stereo.near.solve_given`
    tolerance_mm : RMS change of the depth at which it counts as found
    rounds : most turns of normals and depth
    refine_distance : move the assumed plane along the optical axis to where the photographs agree
        best; four lamps or more, whose intensities count

    Notes
    -----
    The mean depth of each connected part of the surface is that of the assumed plane over the part.
    With a camera it is the mean of 1/depth, which is linear in the pixel on a plane, so that a
    plane leans about its middle.

    Raises
    ------
    InputError
        See :func:`mvps.stereo.near.solve_given`.
    """
    problem_for = partial(
        problem_of, images, lights,
        white=white, grey=grey, low=low, high=high, solver=solver, intensities=intensities,
    )  # fmt: skip
    mask = checked(mask, "mask", view)
    cell = cell_size(view)
    small, inside = (images, mask) if cell == 1 else binned(images, mask, cell)
    backend = near_backend(device)
    problem, surface, distance = surface_at(
        backend, problem_for, view, small, inside,
        refine=refine_distance, tolerance_mm=tolerance_mm, rounds=rounds,
    )  # fmt: skip
    view = surface.view
    check_outside(problem, view.binned(cell), surface.depth, lights.source)
    solution = run(
        backend, problem, view, images,
        mask=mask, depth=surface.rows, quality=quality, threads=threads,
    )  # fmt: skip
    return NearSolution(solution, surface, distance)
