"""Normals under near lights over a surface that is given: an assumed plane or a depth map.

One pass, on any device; :mod:`mvps.surface.near` repeats it with the depth of its own normals.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from mvps.errors import InputError
from mvps.machine import cores
from mvps.stereo.near_problem import NearProblem, NearStrip, check_outside, prepare_near
from mvps.stereo.near_reference import estimate_points, solve_points
from mvps.stereo.near_view import NearView
from mvps.stereo.quality import Spread
from mvps.stereo.solution import Solution, StripOut
from mvps.stereo.solve import WHITES, get_backend
from mvps.stereo.solvers import Solver

if TYPE_CHECKING:
    from mvps.lights import LightRig

ROWS = 32  # of a block that one thread solves at a time
LOOKED_AT = 5  # such blocks, from top to bottom, show the noise

Array = NDArray[Any]
Depth = Callable[[int, int], Array]  # rows y0 to y1 of the depth, mm


class NearBackend(Protocol):
    """Something that solves rows of pixels under near lights."""

    @property
    def name(self) -> str:
        """As ``device`` takes it."""

    def describe(self) -> dict[str, Any]:
        """What does the work, for the record of a run."""

    def solve_rows(
        self, problem: NearProblem, view: NearView, strip: NearStrip, out: StripOut
    ) -> None:
        """Fill ``out``; safe in any number of threads."""


class ReferenceNear:
    """The definition, or with float32 its fallback."""

    def __init__(self, dtype: type[np.floating[Any]] = np.float64) -> None:
        self._dtype = np.dtype(dtype)
        self.name = "reference" if self._dtype == np.float64 else "numpy"

    def describe(self) -> dict[str, Any]:
        """What did the work, for the record of a run."""
        return {"name": self.name, "numpy": np.__version__, "precision": self._dtype.name}

    def solve_rows(
        self, problem: NearProblem, view: NearView, strip: NearStrip, out: StripOut
    ) -> None:
        """Solve whole rows."""
        points = points_of(view, strip)
        solve_points(problem, strip.samples, points, out, mask=strip.mask, dtype=self._dtype)


def points_of(view: NearView, strip: NearStrip) -> Array:
    """(N, 3) mm: where the pixels of whole rows lie; NaN where nothing is seen."""
    y1 = strip.y0 + strip.samples.shape[1] // view.size[0]
    lateral = view.lateral(strip.y0, y1).reshape(-1, 2)
    z = view.plane_depth(lateral) if strip.depth is None else strip.depth.astype(np.float64)
    if view.perspective:
        z = np.where(z > 0, z, np.nan)  # behind the camera there is nothing to see
    return view.points(lateral, z)


def near_noise(problem: NearProblem, view: NearView, strips: Iterable[NearStrip]) -> NearProblem:
    """The problem with the noise that some strips show; see :func:`measure_noise`.

    Parameters
    ----------
    strips : their samples may be overwritten once the next strip is asked for
    """
    from mvps.stereo.noise_measured import measure_noise, runs_of

    samples, masks, points = [], [], []
    for strip in strips:
        where = points_of(view, strip)
        for part in runs_of(strip.samples.shape[1]):
            samples.append(np.array(strip.samples[:, part]))
            points.append(where[part])
            inside = np.isfinite(where[part]).all(axis=1)
            masks.append(inside if strip.mask is None else inside & (strip.mask[part] != 0))
    whole, where = np.concatenate(samples, axis=1), np.concatenate(points)

    def solved(looked: Array) -> tuple[Array, Spread]:
        found = estimate_points(problem, whole[:, looked], where[looked])
        with np.errstate(all="ignore"):
            return found.valid, found.spread()

    noise = measure_noise(problem.distant, whole, np.concatenate(masks), solved)
    return replace(problem, distant=replace(problem.distant, noise=noise))


def near_backend(device: str = "auto") -> NearBackend:
    """Backend by name, as :func:`mvps.stereo.get_backend` knows it.

    Raises
    ------
    InputError
        There is no such name.
    DeviceError, MissingExtraError
        That device cannot be used here.
    """
    from mvps.stereo.near_cuda import CudaNear
    from mvps.stereo.near_kernel import CpuNear

    chosen: Any = get_backend(device)
    match chosen.name:
        case "cpu":
            return CpuNear()
        case "numpy":
            return ReferenceNear(np.float32)
        case "reference":
            return ReferenceNear()
        case _:
            return CudaNear(chosen.index)


def solve_given(
    images: Array,
    lights: LightRig,
    view: NearView,
    *,
    depth: Array | None = None,
    mask: Array | None = None,
    white: float | None = None,
    grey: str = "luminance",
    low: float | None = None,
    high: float | None = None,
    solver: str | Solver = "ls",
    intensities: str = "lamp",
    quality: bool = False,
    device: str = "auto",
    threads: int | None = None,
) -> Solution:
    """Normals and albedo under near lights over a known surface.

    Parameters
    ----------
    images : (K, H, W) or (K, H, W, 3) uint8, uint16 or float32, linear
    lights : K lamps with positions, in mm from the origin of ``view``
    view : lines of sight and the assumed plane
    depth : (H, W) mm along the optical axis, positive away from the camera, or None for the plane;
        pixels without a finite depth are invalid
    mask, white, grey, low, high, quality, threads : see :func:`mvps.stereo.solve`
    solver, intensities : see :func:`mvps.stereo.near_problem.prepare_near`
    device : see :func:`near_backend`; images on the host

    Raises
    ------
    InputError
        See :func:`mvps.stereo.near_problem.prepare_near`; a shape is wrong; or a lamp stands
        inside the part.
    """
    problem = problem_of(
        images, lights, view, white=white, grey=grey, low=low, high=high,
        solver=solver, intensities=intensities,
    )  # fmt: skip
    mask = checked(mask, "mask", view)
    known = checked(depth, "depth", view)
    if known is not None:
        check_outside(problem, view, known, lights.source)
    rows = None if known is None else (lambda y0, y1: known[y0:y1])
    backend = near_backend(device)
    return run(
        backend, problem, view, images, mask=mask, depth=rows, quality=quality, threads=threads
    )


def problem_of(
    images: Array,
    lights: LightRig,
    view: NearView,
    *,
    white: float | None,
    solver: str | Solver,
    **options: Any,
) -> NearProblem:
    """The problem of a stack of images; InputError where their shape is not that of the view."""
    colour = images.ndim == 4 and images.shape[3] == 3
    if not (images.ndim == 3 or colour) or 0 in images.shape:
        raise InputError("images", f"shape {images.shape}, expected (K, H, W) or (K, H, W, 3)")
    if len(images) != len(lights):
        raise InputError("images", f"{len(images)} of them for {len(lights)} lights")
    if images.shape[2:0:-1] != view.size:
        raise InputError("images", f"{images.shape[2:0:-1]} px, but the view is {view.size}")
    return prepare_near(
        lights,
        view,
        channels=3 if colour else 1,
        dtype=images.dtype,
        white=WHITES.get(images.dtype.name, 1.0) if white is None else white,
        solver=solver if isinstance(solver, Solver) else Solver(solver),
        **options,
    )


def checked(array: Array | None, name: str, view: NearView) -> Array | None:
    """A mask or a depth map of the view's size; InputError where it is of another."""
    if array is not None and array.shape != view.size[::-1]:
        raise InputError(name, f"shape {array.shape}, but the images are {view.size[::-1]}")
    return array


def run(
    backend: NearBackend,
    problem: NearProblem,
    view: NearView,
    images: Array,
    *,
    mask: Array | None = None,
    depth: Depth | None = None,
    residual: bool = False,
    quality: bool = False,
    threads: int | None = None,
) -> Solution:
    """Solve a whole image, one block of rows a thread; the residual is a part of the quality."""
    if threads is not None and threads < 1:
        raise InputError("threads", f"{threads} of them", "give 1 or more")
    width, height = view.size
    samples = np.ascontiguousarray(images).reshape(len(images), -1, *images.shape[3:])
    inside = None if mask is None else np.ascontiguousarray(mask != 0).reshape(-1)
    room, figures = width * height, residual or quality
    out = StripOut.empty(room, problem.distant, quality=figures, examined=quality)

    def strip(y0: int) -> NearStrip:
        y1 = min(y0 + ROWS, height)
        part = slice(y0 * width, y1 * width)
        return NearStrip(
            y0,
            samples[:, part],
            None if inside is None else inside[part],
            None if depth is None else np.asarray(depth(y0, y1)).reshape(-1),
        )

    if quality:
        spread_out = np.linspace(0, max(0, height - ROWS), min(LOOKED_AT, height)).astype(int)
        problem = near_noise(problem, view, map(strip, dict.fromkeys(spread_out.tolist())))

    def work(y0: int) -> None:
        rows = strip(y0)
        start = y0 * width
        backend.solve_rows(problem, view, rows, out.part(start, start + rows.samples.shape[1]))

    with ThreadPoolExecutor(threads or cores()) as pool:
        list(pool.map(work, range(0, height, ROWS)))
    return out.solution((height, width))
