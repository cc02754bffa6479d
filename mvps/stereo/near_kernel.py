"""The kernels of near lights: their arguments, and the compiled core as a backend.

The maths stands in ``kernels/near.cuh``; lengths there are relative to the reference point.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mvps.errors import DeviceError, InputError
from mvps.native import Library, library, reason
from mvps.stereo.near_problem import NearProblem, NearStrip
from mvps.stereo.near_reference import values
from mvps.stereo.near_view import NearView
from mvps.stereo.problem import DTYPES
from mvps.stereo.reference import ABSURD
from mvps.stereo.solution import StripOut, check_strip, needs_examination, plane_stride
from mvps.stereo.solvers import SHADOW

# NearSight and NearLimits of kernels/near.cuh: by value on a GPU, by address on a CPU.
SIGHT = np.dtype(
    [
        ("affine", np.float32, 6),
        ("slope", np.float32, 2),
        ("per_mm", np.float32),
        ("plane", np.float32, 4),
    ]
)
LIMITS = np.dtype([("low", np.float32), ("high", np.float32), ("shadow", np.float32)])
UNUSABLE = -1e9  # grey value of a colour beyond its limits: far below any light

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Rows:
    """What a kernel needs beside problem and results, for whole rows of an image.

    Attributes
    ----------
    samples : (K, N) uint8, uint16 or float32
    lateral : (2, N) float32 mm at the reference depth, or None where they are affine in the pixel
    depth : (N,) float32 mm beyond the reference depth, or None for the assumed plane
    model : one element of ``MODEL``, for the planes of the quality
    """

    samples: Array
    sight: NDArray[np.void]
    limits: NDArray[np.void]
    width: int
    y0: int
    lateral: Array | None
    depth: Array | None
    model: NDArray[np.void]

    @classmethod
    def of(cls, problem: NearProblem, view: NearView, strip: NearStrip) -> Rows:
        """Arguments for a strip.

        Raises
        ------
        InputError
            Not whole rows of the view, or a depth of another size.
        """
        y0, samples, depth = strip.y0, strip.samples, strip.depth
        count, width = samples.shape[1], view.size[0]
        if count % width or y0 < 0 or y0 + count // width > view.size[1]:
            raise InputError("samples", f"{count} pixels from row {y0}, not rows of {view.size}")
        if depth is not None and depth.shape != (count,):
            raise InputError("depth", f"shape {depth.shape}, expected ({count},)")
        beyond = None
        if depth is not None:
            beyond = np.subtract(depth, -problem.reference[2], dtype=np.float64)
        lateral = None
        if view.affine() is None:
            exact = view.lateral(y0, y0 + count // width).reshape(-1, 2)
            lateral = _relative(problem, view, exact).T.astype(np.float32, order="C")
        low, high, model = problem.distant.low, problem.distant.high, problem.distant.quality_model
        if problem.distant.channels > 1:
            samples, low, high = _grey(problem, samples), UNUSABLE / 2, math.inf
            model["saturated"], model["marked"] = math.inf, UNUSABLE / 2
        limits = np.array((low, high, SHADOW if problem.gated else 0.0), LIMITS)
        return cls(
            samples,
            _sight(problem, view),
            limits,
            width,
            y0,
            lateral,
            None if beyond is None else beyond.astype(np.float32),
            model,
        )

    @property
    def kernel(self) -> str:
        """Last part of the kernel's name."""
        return DTYPES[self.samples.dtype.name]


class CpuNear:
    """The compiled core; calls release the GIL and may run in many threads.

    Parameters
    ----------
    core : a variant of the compiled core; the best one of this machine by default

    Raises
    ------
    DeviceError
        There is no compiled core here.
    """

    name = "cpu"

    def __init__(self, core: Library | None = None) -> None:
        core = core or library()
        if core is None:
            raise DeviceError(f"the compiled core is off: {reason()}")
        self._core = core

    def describe(self) -> dict[str, Any]:
        """What did the work, for the record of a run."""
        return {"name": self.name, "instruction set": self._core.instruction_set}

    def solve_rows(
        self, problem: NearProblem, view: NearView, strip: NearStrip, out: StripOut
    ) -> None:
        """Solve whole rows; see :class:`mvps.stereo.near.NearBackend`."""
        check_strip(problem.distant, strip.samples, strip.mask, out)
        rows = Rows.of(problem, view, strip)
        arrays = (rows.lateral, rows.depth, strip.mask, out.normals, out.albedo, out.valid)
        getattr(self._core, f"mvps_near_{rows.kernel}")(
            rows.samples.ctypes.data,
            plane_stride(rows.samples),
            rows.samples.shape[1],
            problem.distant.lights,
            problem.table.ctypes.data,
            rows.sight.ctypes.data,
            _address(problem.lobes),
            rows.limits.ctypes.data,
            problem.distant.floor**2,
            rows.width,
            rows.y0,
            *map(_address, (*arrays, out.residual, out.used, out.fallback)),
            *map(_address, (out.condition, out.deviation, out.saturated, out.shadowed)),
            rows.model.ctypes.data if needs_examination(out) else None,
        )
        count_colours(problem, strip.samples, out)


def count_colours(problem: NearProblem, samples: Array, out: StripOut) -> None:
    """Add to the counts of the quality what the grey values of colours no longer tell.

    Parameters
    ----------
    samples : (K, N) or (K, N, 3), raw
    out : solved; its counts are those of grey values
    """
    if problem.distant.channels == 1 or not needs_examination(out):
        return
    top, seen = samples.max(axis=2), out.valid > 0
    bright = ~(top < problem.distant.saturated)
    dark = (top <= problem.distant.low) & (top > problem.distant.marked)
    out.saturated[...] = np.where(seen, bright.sum(axis=0), 0)
    out.shadowed[...] += np.where(seen, dark.sum(axis=0), 0).astype(np.uint8)


def _sight(problem: NearProblem, view: NearView) -> NDArray[np.void]:
    """One element of ``SIGHT``."""
    sight = np.zeros((), SIGHT)
    affine, away = view.affine(), -problem.reference[2]
    if affine is not None:
        scale = away if view.perspective else 1.0
        first = _relative(problem, view, affine[:, 2])
        sight["affine"] = np.column_stack([affine[:, :2] * scale, first]).ravel()
    if view.perspective:
        sight["slope"], sight["per_mm"] = problem.reference[:2] / away, 1 / away
    normal = np.asarray(view.plane.normal)
    sight["plane"] = [*normal, view.plane.offset - normal @ problem.reference]
    return sight


def _relative(problem: NearProblem, view: NearView, lateral: Array) -> Array:
    """Slopes or mm (..., 2) as mm at the reference depth, relative to the reference point."""
    away = -problem.reference[2] if view.perspective else 1.0
    relative: Array = lateral * away - problem.reference[:2]
    return relative


def _grey(problem: NearProblem, samples: Array) -> Array:
    """(K, N) float32 values of colours, UNUSABLE beyond the limits."""
    raw = samples.astype(np.float32)
    if samples.dtype.kind == "f":
        raw[~(np.abs(raw) < ABSURD)] = np.nan  # so that no clamp and no limit can hide it
    grey = values(problem, raw)
    top = raw.max(axis=2)
    grey[(top <= problem.distant.low) | (top >= problem.distant.high)] = UNUSABLE
    return grey


def _address(array: Array | None) -> int | None:
    return None if array is None else int(array.ctypes.data)
