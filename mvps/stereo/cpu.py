"""The compiled core as a backend: checks, addresses and the call; the maths is in ``kernels/``."""

from __future__ import annotations

from typing import Any

import numpy as np

from mvps.errors import DeviceError
from mvps.native import Library, library, reason
from mvps.stereo.problem import DTYPES, Problem
from mvps.stereo.solution import (
    StripOut,
    check_strip,
    needs_examination,
    needs_full,
    plane_stride,
)

# Results of a call beyond this size leave the caches before anyone reads them: they are written
# past the caches, which saves reading each line first. Strips of a run stay below it.
STREAMED_BYTES = 16 << 20


class CpuBackend:
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

    def solve_strip(self, problem: Problem, samples: Any, mask: Any | None, out: StripOut) -> None:
        """Solve N pixels; arrays as in :func:`mvps.stereo.solution.check_strip`."""
        check_strip(problem, samples, mask, out)
        robust = problem.solver.robust
        kind = f"{DTYPES[samples.dtype.name]}_{problem.kernel}"
        table = problem.table
        arguments: tuple[Any, ...] = (
            samples.ctypes.data,
            plane_stride(samples),
            samples.shape[1],
            problem.lights,
            table.ctypes.data,
            problem.clamp,
            problem.floor**2,
            _address(mask),
            out.normals.ctypes.data,
            out.albedo.ctypes.data,
            out.valid.ctypes.data,
        )
        examined = needs_examination(out)
        if not robust and not needs_full(problem, out):
            written = out.normals.nbytes + out.albedo.nbytes
            getattr(self._core, f"mvps_ls_{kind}")(*arguments, written >= STREAMED_BYTES)
            return
        directions = problem.directions.astype(np.float32)
        arguments += (
            directions.ctypes.data,
            problem.low,
            problem.high,
            _address(out.residual),
            _address(out.used),
        )
        if not robust and not examined:
            getattr(self._core, f"mvps_ls_{kind}_full")(*arguments)
            return
        settings = problem.solver.settings(problem.lights)
        arguments += (_address(out.fallback), settings.ctypes.data)
        if not examined:
            getattr(self._core, f"mvps_rb_{kind}")(*arguments)
            return
        planes = (out.condition, out.deviation, out.saturated, out.shadowed)
        extra = (*planes, problem.plain_pinv, problem.quality_model)
        getattr(self._core, f"mvps_rq_{kind}")(*arguments, *map(_address, extra))


def _address(array: Any | None) -> int | None:
    return None if array is None else int(array.ctypes.data)
