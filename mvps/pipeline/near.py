"""Near lights in a run: the view of a stack, its surface, and the solving of its strips."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mvps.capture import Stack
from mvps.capture.near_place import BOARD
from mvps.errors import InputError
from mvps.findings import Finding
from mvps.images import ImageRef, Window
from mvps.pipeline.near_options import NearOptions
from mvps.pipeline.options import RunOptions
from mvps.pipeline.source import Strip, StripSource
from mvps.pipeline.windowed import WindowedRows, bin_mean
from mvps.stereo import StripOut
from mvps.stereo.near import NearBackend, near_backend, near_noise
from mvps.stereo.near_problem import NearProblem, NearStrip, check_outside, prepare_near
from mvps.stereo.near_view import NearView, Plane
from mvps.stereo.solvers import Solver

if TYPE_CHECKING:
    from mvps.surface.near_distance import DistanceCheck
    from mvps.surface.near_surface import NearSurface


@dataclass(frozen=True, eq=False)
class NearPlan:
    """How the near lights of one stack are solved.

    Attributes
    ----------
    mode : "plane", "surface" or "depth"
    view : of the solved pixels
    """

    mode: str
    view: NearView
    options: NearOptions

    def digest(self, stack: Stack) -> str:
        """SHA-256 over what shapes the maps: lamps, view, and the state of the depth map."""
        rig = stack.lights
        parts = [rig.positions, rig.axes, rig.mu]
        state = Path(self.options.depth).stat() if self.options.depth else None
        shaping = {
            "lamps": [None if part is None else part.tolist() for part in parts],
            "view": self.view.as_dict(),
            "depth": None if state is None else [state.st_size, state.st_mtime_ns],
            "options": asdict(self.options),
        }
        return hashlib.sha256(json.dumps(shaping, sort_keys=True).encode()).hexdigest()


def plan_near(
    stack: Stack, window: Window, options: RunOptions
) -> tuple[NearPlan | None, tuple[Finding, ...]]:
    """Whether an inspected stack is solved with near lights, and what the user should know.

    Raises
    ------
    InputError
        Near lights are asked for, and something that they need is missing or wrong.
    """
    if options.near.mode == "off":
        return None, ()
    near, rig = options.near.over(stack), stack.lights
    options = replace(options, near=near)
    where = rig.source or stack.title
    if rig.positions is None:
        if near.mode != "auto":
            what = "no positions, so that the lights cannot be near"
            raise InputError(where, what, "give positions in mm, or leave out --near")
        note = f"{where}: no positions, so that the lights are distant and the place of the part "
        stated = Finding("warning", "NEAR-UNUSED", note + "does not count")
        return None, (stated,) if near.stated else ()
    if not near.stated:
        text = (
            f"{where}: the lights have positions but are solved as distant ones; state where "
            "the part is with --distance-mm (and --camera or --mm-per-px), or in rig.yml (near:), "
            "or say --near off"
        )
        return None, (Finding("warning", "NEAR-DISTANT", text),)
    mode = near.mode if near.mode != "auto" else "depth" if near.depth else "surface"
    view = _view(stack, window, options)
    _try(view, stack, options)
    return NearPlan(mode, view, near), ()


def near_solver(options: RunOptions) -> Solver:
    """The solver for near lights: "auto" leaves out shadows."""
    wanted = options.solver_settings
    return replace(wanted, name="gated") if wanted.name == "auto" else wanted


class NearStack:
    """Solves the strips of one stack, from top to bottom.

    Parameters
    ----------
    plan, stack, window, options : of the stack
    source : its samples
    device : name of the backend that the run uses
    readers : read the lights side by side where given
    proceed : called before every strip of the first reading; raises where the run is called off

    Raises
    ------
    MvpsError, OSError
        The stack cannot be read, or has no surface.
    """

    def __init__(
        self,
        plan: NearPlan,
        stack: Stack,
        window: Window,
        options: RunOptions,
        *,
        source: StripSource,
        device: str,
        readers: Executor | None,
        proceed: Callable[[], None],
    ) -> None:
        options = replace(options, near=plan.options)
        self.problem = _problem(plan.view, stack, options, source)
        self._plan, self._stack, self._window, self._options = plan, stack, window, options
        self._backend: NearBackend = near_backend(device)
        self._surface: NearSurface | None = None
        self._distance: DistanceCheck | None = None
        if plan.mode == "surface":
            self._find(source, readers, proceed)
        self._row = 0

    def look_at_noise(self, strips: Iterable[tuple[int, Strip]]) -> None:
        """Take account of the noise that some strips show, each with its first row."""
        parts = (self._part(y0, strip) for y0, strip in strips)
        self.problem = near_noise(self.problem, self._plan.view, parts)

    @property
    def finds_depth(self) -> bool:
        """Whether the depth of the part is a result."""
        return self._surface is not None

    def solve(self, strip: Strip, out: StripOut) -> StripOut:
        """Solve the next strip; the results, with their depth where it was found."""
        y0, self._row = self._row, self._row + strip.rows
        part = self._part(y0, strip)
        self._backend.solve_rows(self.problem, self._plan.view, part, out)
        if not self.finds_depth or part.depth is None:
            return out
        return replace(out, depth=part.depth.astype(np.float32))

    def _part(self, y0: int, strip: Strip) -> NearStrip:
        depth: NDArray[Any] | None = None
        if self._surface is not None:
            depth = self._surface.rows(y0, y0 + strip.rows)
        elif self._plan.mode == "depth":
            depth = depth_rows(self._options, self._window, y0, y0 + strip.rows)
            self._check(depth, y0)
        flat = None if depth is None else depth.reshape(-1)
        return NearStrip(y0, strip.samples, strip.mask, flat)

    def warnings(self) -> tuple[str, ...]:
        """What the surface showed."""
        found, title = [], self._stack.title
        if self._surface is not None and not self._surface.converged:
            left = self._surface.changes[-1]
            found.append(
                f"{title}: normals and depth have not come to rest after {self._surface.rounds} "
                f"rounds ({left:.3g} mm RMS); check positions and distance"
            )
        if self._distance is not None and self._distance.wrong:
            check = self._distance
            side = "farther" if check.offset_mm > 0 else "nearer"
            found.append(
                f"{title}: the photographs agree better with a part about "
                f"{abs(check.offset_mm):.2g} mm {side} (residual {check.residual:.2%} of the "
                f"albedo, {check.best:.2%} there); check --distance-mm, positions and intensities, "
                "or add --refine-distance"
            )
        return tuple(found)

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON types, for the record."""
        rig = self._stack.lights
        lamps = {"positions_mm": rig.positions, "axes": rig.axes, "mu": rig.mu}
        return {
            "mode": self._plan.mode,
            "intensities": self._options.near.intensities,
            **self._plan.view.as_dict(),
            "reference_point_mm": self.problem.reference.tolist(),
            "surface": None if self._surface is None else self._surface.as_dict(),
            "distance check": None if self._distance is None else self._distance.as_dict(),
            **{name: None if value is None else value.tolist() for name, value in lamps.items()},
        }

    def _find(
        self, source: StripSource, readers: Executor | None, proceed: Callable[[], None]
    ) -> None:
        """Read the stack once on a grid of cells and find the depth of the part."""
        from mvps.surface.near_distance import surface_at
        from mvps.surface.near_surface import binned, cell_size

        view = self._plan.view
        cell = cell_size(view)
        means, insides = [], []
        with StripSource(self._stack, self._window, self._options, readers) as first:
            for strip in first.strips():
                proceed()
                samples = strip.samples
                shape = (len(samples), strip.rows, first.width, *samples.shape[2:])
                mask = None if strip.mask is None else strip.mask.reshape(shape[1:3])
                small, inside = binned(samples.reshape(shape), mask, cell)
                means.append(small)
                insides.append(inside)
        self.problem, self._surface, self._distance = surface_at(
            self._backend,
            lambda view: _problem(view, self._stack, self._options, source),
            view,
            np.concatenate(means, axis=1),
            np.concatenate(insides),
            refine=self._options.near.refine,
        )
        self._plan = replace(self._plan, view=self._surface.view)
        seen = self._plan.view.binned(cell)
        check_outside(self.problem, seen, self._surface.depth, self._stack.lights.source)

    def _check(self, rows: NDArray[np.float32], y0: int) -> None:
        whole, width = self._plan.view, self._plan.view.size[0]
        view = whole.cropped(0, y0, width, len(rows))
        check_outside(self.problem, view, rows, self._stack.lights.source)


def depth_rows(options: RunOptions, window: Window, y0: int, y1: int) -> NDArray[np.float32]:
    """(y1 - y0, W) mm of the stated depth map, at rows of the solved pixels.

    Raises
    ------
    ImageError, InputError
        It cannot be read, is smaller than the window, or is no plane of numbers.
    """
    path, n = Path(options.near.depth), options.bin
    with closing(WindowedRows.open(ImageRef(path), window, None, options.max_pixels)) as rows:
        info = rows.info
        if info.channels != 1 or info.dtype.kind != "f":
            raise InputError(path, "is no map of depths in mm", "give one float32 channel")
        read = rows.empty((y1 - y0) * n)
        rows.read(y0 * n, y1 * n, read)
    return bin_mean(read, n)


def _view(stack: Stack, window: Window, options: RunOptions) -> NearView:
    """View of the solved pixels."""
    near, info, camera = options.near, stack.infos[0], stack.camera
    size = (info.width, info.height)
    if near.depth:
        # Read before anything is solved, so that a map of another size is a fault of the plan.
        plane = _plane_of_depth(near, options, window, size)
    elif near.plane == BOARD:
        if camera is None:
            remedy = "state one in rig.yml (camera:) or with --camera FILE"
            raise InputError("--plane board", f"{stack.title} has no camera", remedy)
        plane = Plane.of_board(camera)
    else:
        plane = Plane.tilted(near.distance_mm or 0.0, *near.angles())
    scale = None if camera is not None else near.mm_per_px
    view = NearView(size, plane, camera, scale)
    return view.cropped(window.x, window.y, window.width, window.height).binned(options.bin)


def _plane_of_depth(
    near: NearOptions, options: RunOptions, window: Window, size: tuple[int, int]
) -> Plane:
    """The plane that faces the camera at the distance stated, or at that of the middle row."""
    path = Path(near.depth)
    with closing(WindowedRows.open(ImageRef(path), window, None, options.max_pixels)) as rows:
        found = (rows.info.width, rows.info.height)
    if found != size:
        what = f"{found[0]}x{found[1]} pixels, but the images have {size[0]}x{size[1]}"
        raise InputError(path, what, "give a depth map of the raw pixels")
    if near.distance_mm is not None:
        return Plane.tilted(near.distance_mm, *near.angles())
    middle = window.height // options.bin // 2
    row = depth_rows(options, window, middle, middle + 1)
    known = row[np.isfinite(row) & ((row > 0) | (near.mm_per_px is not None))]
    if not known.size:
        what = "no depth in the middle row, so that its distance is not known"
        raise InputError(path, what, "add --distance-mm")
    return Plane(float(np.median(known)))


def _problem(view: NearView, stack: Stack, options: RunOptions, source: StripSource) -> NearProblem:
    return prepare_near(
        stack.lights,
        view,
        channels=source.channels,
        dtype=source.dtype,
        white=source.white,
        grey=options.grey,
        low=source.low if np.isfinite(source.low) else None,
        high=source.high if np.isfinite(source.high) else None,
        solver=near_solver(options),
        intensities=options.near.intensities,
    )


def _try(view: NearView, stack: Stack, options: RunOptions) -> None:
    """Refuse at once what would fail when the stack is solved."""
    prepare_near(
        stack.lights,
        view,
        channels=stack.infos[0].channels,
        dtype=np.float32,
        white=1.0,
        grey=options.grey,
        solver=near_solver(options),
        intensities=options.near.intensities,
    )
