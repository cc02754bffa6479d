"""Near lights on a GPU: the launch of ``kernels/near.cu``; devices and transfers are CuPy's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from functools import cache
from typing import Any

import numpy as np

from mvps.stereo.cuda import BLOCK, CudaBackend, Launch, kernel_sources
from mvps.stereo.devices import load_cupy, working_on
from mvps.stereo.near_kernel import Rows, count_colours
from mvps.stereo.near_problem import NearProblem, NearStrip
from mvps.stereo.near_view import NearView
from mvps.stereo.problem import DTYPES
from mvps.stereo.solution import StripOut, check_strip, needs_examination, plane_stride

SOURCE = "near.cu"
KERNELS = tuple(
    f"near_{kind}{examined}" for kind in DTYPES.values() for examined in ("", "_examined")
)


class CudaNear:
    """One CUDA device; arrays on the host.

    Raises
    ------
    MissingExtraError, DeviceError
        See :class:`mvps.stereo.cuda.CudaBackend`.
    """

    def __init__(self, index: int = 0) -> None:
        self._device = CudaBackend(index)
        self.name = self._device.name

    def describe(self) -> dict[str, Any]:
        """What did the work, for the record of a run."""
        return self._device.describe()

    def solve_rows(
        self, problem: NearProblem, view: NearView, strip: NearStrip, out: StripOut
    ) -> None:
        """Solve whole rows; see :class:`mvps.stereo.near.NearBackend`."""
        check_strip(problem.distant, strip.samples, strip.mask, out)
        if not strip.samples.shape[1]:
            return
        rows = Rows.of(problem, view, strip)
        wanted = {f.name: getattr(out, f.name) for f in fields(out)}
        wanted = {name: host for name, host in wanted.items() if host is not None}
        with working_on(self._device.index) as cp:
            results = {name: cp.empty(host.shape, host.dtype) for name, host in wanted.items()}
            plan = plan_launch(problem, rows, strip.mask, replace(out, **results), cp.asarray)
            _kernel(plan.kernel)(plan.grid, plan.block, plan.args)
            for name, host in wanted.items():
                results[name].get(out=host)
        count_colours(problem, strip.samples, out)


def plan_launch(
    problem: NearProblem,
    rows: Rows,
    mask: Any | None,
    out: StripOut,
    upload: Callable[[Any], Any],
) -> Launch:
    """Kernel and arguments; ``upload`` puts a host array on the device of the results."""
    count = rows.samples.shape[1]

    def there(array: Any | None) -> Any | None:
        return None if array is None else upload(np.ascontiguousarray(array))

    samples = upload(np.ascontiguousarray(rows.samples))
    args = (
        samples,
        np.int64(plane_stride(samples)),
        np.int64(count),
        np.int32(problem.distant.lights),
        problem.table,
        rows.sight,
        there(problem.lobes),
        rows.limits,
        np.float32(problem.distant.floor**2),
        np.int64(rows.width),
        np.int64(rows.y0),
        there(rows.lateral),
        there(rows.depth),
        there(mask),
        out.normals,
        out.albedo,
        out.valid,
        out.residual,
        out.used,
        out.fallback,
        out.condition,
        out.deviation,
        out.saturated,
        out.shadowed,
        rows.model,
    )
    name = f"near_{rows.kernel}" + ("_examined" if needs_examination(out) else "")
    return Launch(name, (-(-count // BLOCK),), (BLOCK,), args)


@cache
def _kernel(name: str) -> Any:
    source, options = kernel_sources(SOURCE)
    return load_cupy().RawModule(code=source, options=options).get_function(name)
