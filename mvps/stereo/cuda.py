"""The one door to ``kernels/`` on a GPU: CuPy compiles the CUDA source there and launches it.

The maths stands in ``kernels/least_squares.cuh``, ``robust.cuh`` and ``quality.cuh``; here
are devices, checks, transfers and launches.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np

from mvps.errors import DeviceError, InputError, MissingExtraError
from mvps.native import resource_dir
from mvps.stereo.devices import (
    DeviceInfo,
    check_device,
    device_info,
    device_of,
    load_cupy,
    working_on,
)
from mvps.stereo.problem import DTYPES, Problem
from mvps.stereo.solution import (
    StripOut,
    check_strip,
    needs_examination,
    needs_full,
    plane_stride,
)

__all__ = ["CudaBackend", "DeviceInfo", "available", "device_info", "device_of"]

SOURCE = "least_squares.cu"
ROBUST_SOURCE = "robust.cu"
QUALITY_SOURCE = "quality.cu"
BLOCK = 256  # threads; at 64 registers each, four blocks fit on a multiprocessor
STAGED_BYTES = 32 << 20  # most pinned host memory for samples that one thread takes
KERNELS = tuple(
    f"ls_{kind}_{mode}{full}"
    for kind in DTYPES.values()
    for mode in ("grey", "rgb", "channels")
    for full in ("", "_full")
)
# Deepest rank that the kernels of each set find in registers; 0: they halve an interval instead.
ROOMS = (8, 16, 0)
ROBUST_KERNELS = tuple(
    f"rb_{kind}_{mode}_{solver}_{room}"
    for kind in DTYPES.values()
    for mode in ("grey", "rgb", "channels")
    for solver, rooms in (("gated", (0,)), ("trimmed", ROOMS), ("irls", ROOMS))
    for room in rooms
)
QUALITY_KERNELS = tuple(name.replace("rb_", "rq_") for name in ROBUST_KERNELS) + tuple(
    f"rq_{kind}_{mode}_ls_0" for kind in DTYPES.values() for mode in ("grey", "rgb", "channels")
)


def available() -> tuple[bool, str]:
    """Whether a CUDA device can be used, and if not, why."""
    try:
        CudaBackend(0)
    except (DeviceError, MissingExtraError) as error:
        return False, str(error)
    return True, ""


def kernel_sources(name: str = SOURCE) -> tuple[str, tuple[str, ...]]:
    """CUDA source of that name in ``kernels/`` and the options it is compiled with.

    CuPy keeps compiled kernels on disk by source and options but does not look into headers, so a
    digest of the headers goes into the options.
    """
    folder = resource_dir("kernels")
    digest = hashlib.sha256()
    for header in sorted(folder.glob("*.cuh")):
        digest.update(header.read_bytes())
    options = ("--std=c++17", f"-I{folder}", f"-DMVPS_HEADERS=0x{digest.hexdigest()[:16]}")
    return (folder / name).read_text(encoding="utf-8"), options


class CudaBackend:
    """One CUDA device; one object serves any number of threads.

    Parameters
    ----------
    index : number of the device, as in ``"cuda:1"``

    Raises
    ------
    MissingExtraError
        CuPy is not installed.
    DeviceError
        There is no such device, or it cannot be used.
    """

    def __init__(self, index: int = 0) -> None:
        check_device(index)
        self.index = index
        self.name = f"cuda:{index}"
        self._threads = threading.local()

    def describe(self) -> dict[str, Any]:
        """What did the work, for the record of a run."""
        info = device_info()[self.index]
        return {
            "name": self.name,
            "device": info.name,
            "compute capability": info.compute_capability,
            "driver": info.driver,
            "runtime": info.runtime,
            "cupy": load_cupy().__version__,
        }

    def solve_strip(self, problem: Problem, samples: Any, mask: Any | None, out: StripOut) -> None:
        """Solve a run of pixels; every array on the host, or every array on this device.

        Host arrays travel through pinned memory, and the call returns when the results are in
        ``out``. Device arrays are worked on where they lie, on CuPy's current stream: nothing is
        copied, and the call does not wait for the result.

        Parameters
        ----------
        problem : lights, gains and limits
        samples : (K, N) or (K, N, 3) uint8, uint16 or float32; the pixels of one light lie together
        mask : (N,) uint8, 0 = outside, or None
        out : where the results go

        Raises
        ------
        InputError
            A shape, type, layout or place is wrong.
        DeviceError
            The device failed: out of memory, the source does not compile there.
        """
        check_strip(problem, samples, mask, out)
        on_device = self._check_place(samples, mask, out)
        with working_on(self.index):
            if on_device:
                _launch(problem, samples, mask, out)
                return
            stream = self._stream()
            with stream:
                for part in _parts(samples):
                    part_mask = None if mask is None else mask[part]
                    part_out = out.part(part.start, part.stop)
                    _solve_staged(problem, samples[:, part], part_mask, part_out, stream)

    def empty(self, shape: tuple[int, ...], dtype: Any) -> Any:
        """Uninitialised array on this device."""
        with working_on(self.index) as cp:
            return cp.empty(shape, dtype)

    def on_host(self, array: Any) -> Any:
        """A NumPy copy of an array on this device."""
        with working_on(self.index) as cp:
            return cp.asnumpy(array)

    def on_device(self, array: Any) -> Any:
        """The array as CuPy's: CuPy and DLPack arrays of this device are not copied."""
        with working_on(self.index) as cp:
            if isinstance(array, cp.ndarray):
                return array
            return cp.from_dlpack(array) if device_of(array) else cp.asarray(array)

    def _check_place(self, samples: Any, mask: Any | None, out: StripOut) -> bool:
        """True when every array lies on this device, False when every array lies on the host."""
        arrays = {"samples": samples, "mask": mask} | out.planes()
        places = {name: device_of(array) for name, array in arrays.items() if array is not None}
        for name, place in places.items():
            if place not in (None, self.name):
                raise InputError(name, f"on {place}, but the device asked for is {self.name}")
            if place != places["samples"]:
                here, there = place or "the host", places["samples"] or "the host"
                raise InputError(name, f"on {here}, but the samples are on {there}")
        return places["samples"] is not None

    def _stream(self) -> Any:
        """One stream a thread, so that strips of different threads overlap."""
        if not hasattr(self._threads, "stream"):
            self._threads.stream = load_cupy().cuda.Stream(non_blocking=True)
        return self._threads.stream


@dataclass(frozen=True)
class Launch:
    """One kernel launch in the form that ``cupy.RawKernel`` takes."""

    kernel: str
    grid: tuple[int, ...]
    block: tuple[int, ...]
    args: tuple[Any, ...]


def plan_launch(
    problem: Problem, samples: Any, mask: Any | None, out: StripOut, upload: Callable[[Any], Any]
) -> Launch:
    """Kernel and arguments for checked arrays; ``upload`` puts a small array beside the samples.

    NumPy scalars give every argument the size that C++ expects, and a structured array of one
    element goes by value.
    """
    count = samples.shape[1]
    examined = needs_examination(out)
    full = problem.solver.robust or needs_full(problem, out)
    name = _kernel_name(problem, samples.dtype.name, full=full, examined=examined)
    args: tuple[Any, ...] = (
        samples,
        np.int64(plane_stride(samples)),
        np.int64(count),
        np.int32(problem.lights),
        problem.table,
        np.float32(problem.clamp),
        np.float32(problem.floor**2),
        mask,
        out.normals,
        out.albedo,
        out.valid,
    )
    if full:
        directions = upload(problem.directions.astype(np.float32))
        limits = np.float32(problem.low), np.float32(problem.high)
        args += (directions, *limits, out.residual, out.used)
    if problem.solver.robust or examined:
        args += (out.fallback, problem.solver.settings(problem.lights))
    if examined:
        planes = (out.condition, out.deviation, out.saturated, out.shadowed)
        args += (*planes, upload(problem.plain_pinv), problem.quality_model)
    return Launch(name, (-(-count // BLOCK),), (BLOCK,), args)


def _kernel_name(problem: Problem, dtype: str, *, full: bool, examined: bool) -> str:
    kind = f"{DTYPES[dtype]}_{problem.kernel}"
    if not problem.solver.robust and not examined:
        return f"ls_{kind}" + ("_full" if full else "")
    deepest = problem.solver.deepest_rank(problem.lights)
    room = next((room for room in ROOMS if 0 < deepest <= room), 0)
    return f"{'rq' if examined else 'rb'}_{kind}_{problem.solver.name}_{room}"


def _launch(problem: Problem, samples: Any, mask: Any | None, out: StripOut) -> None:
    if not samples.shape[1]:
        return
    plan = plan_launch(problem, samples, mask, out, load_cupy().asarray)
    _kernel(plan.kernel)(plan.grid, plan.block, plan.args)


def _solve_staged(
    problem: Problem, samples: Any, mask: Any | None, out: StripOut, stream: Any
) -> None:
    """Host arrays to the device and the results back, on one stream that is current.

    Pinned blocks come from CuPy's pool, which keeps them for the next strip; they stay referenced
    here until the stream is done with them.
    """
    cp = load_cupy()
    pinned = []

    def upload(host: Any) -> Any:
        staged = _pinned(host)
        np.copyto(staged, host)
        device = cp.empty(host.shape, host.dtype)
        device.set(staged, stream)
        pinned.append(staged)
        return device

    wanted = out.planes()
    results = {name: cp.empty(host.shape, host.dtype) for name, host in wanted.items()}
    staged = {name: _pinned(host) for name, host in wanted.items()}
    try:
        device_mask = None if mask is None else upload(mask)
        _launch(problem, upload(samples), device_mask, replace(out, **results))
        for name, result in results.items():
            result.get(stream=stream, out=staged[name], blocking=False)
    finally:
        stream.synchronize()
    for name, host in wanted.items():
        np.copyto(host, staged[name])


def _parts(samples: Any) -> Iterator[slice]:
    """Ranges of pixels whose samples fit into the pinned memory of one call."""
    count = samples.shape[1]
    step = max(1, STAGED_BYTES * count // max(1, samples.nbytes))
    for start in range(0, count, step):
        yield slice(start, min(start + step, count))


def _pinned(like: Any) -> Any:
    """Uninitialised array in page-locked memory, with the shape and type of another."""
    memory = load_cupy().cuda.alloc_pinned_memory(like.size * like.itemsize)
    return np.frombuffer(memory, like.dtype, like.size).reshape(like.shape)


@cache
def _module(name: str, *more_options: str) -> Any:
    source, options = kernel_sources(name)
    return load_cupy().RawModule(code=source, options=(*options, *more_options))


@cache
def _kernel(name: str) -> Any:
    """The kernel; CuPy compiles its module once for every device that launches it."""
    family, kind, *_ = name.split("_")
    if family in ("rb", "rq"):
        sample_bytes = {"u8": 1, "u16": 2, "f32": 4}[kind]
        source = ROBUST_SOURCE if family == "rb" else QUALITY_SOURCE
        return _module(source, f"-DRB_BYTES={sample_bytes}").get_function(name)
    return _module(SOURCE).get_function(name)
