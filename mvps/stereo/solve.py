"""The front door of photometric stereo: arrays in memory to a Solution, on any device."""

from __future__ import annotations

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import ArrayLike

from mvps.errors import InputError
from mvps.machine import cores
from mvps.native import library
from mvps.stereo.auto import choose, glance
from mvps.stereo.problem import Problem, prepare
from mvps.stereo.solution import Solution, StripOut
from mvps.stereo.solvers import Solver

if TYPE_CHECKING:
    from mvps.lights import LightRig

WHITES = {"uint8": 255.0, "uint16": 65535.0, "float32": 1.0}
ROUND = 64  # pixels; ranges of threads begin on a cache line of every result
THINNED = 1 << 16  # pixels that "auto" takes from a GPU, of which it looks at some in the mask
SMALLEST_RANGE = 1 << 14  # pixels; below it handing work to a thread costs more than the work


class Backend(Protocol):
    """Something that solves strips of pixels."""

    @property
    def name(self) -> str:
        """As ``device`` takes it: "cpu", "numpy", "reference", "cuda:0"."""

    def describe(self) -> dict[str, Any]:
        """What does the work, for the record of a run."""

    def solve_strip(self, problem: Problem, samples: Any, mask: Any | None, out: StripOut) -> None:
        """Fill ``out`` from samples (K, N[, 3]) and mask (N,); safe in any number of threads."""


def get_backend(device: str = "auto") -> Backend:
    """Backend by name.

    Parameters
    ----------
    device : "cuda" or "cuda:1"; "cpu" (the compiled core, NumPy where there is none); "numpy";
        "reference" (float64, slow); "auto" is the first CUDA device that works, else "cpu"

    Raises
    ------
    InputError
        There is no such name.
    DeviceError, MissingExtraError
        That device cannot be used here.
    """
    from mvps.stereo import cuda
    from mvps.stereo.cpu import CpuBackend
    from mvps.stereo.reference import ReferenceBackend

    if device == "auto":
        device = "cuda" if cuda.available()[0] else "cpu"
    if device == "cpu":
        return CpuBackend() if library() else ReferenceBackend(np.float32)
    if device == "numpy":
        return ReferenceBackend(np.float32)
    if device == "reference":
        return ReferenceBackend()
    if found := re.fullmatch(r"cuda(?::(\d+))?", device):
        return cuda.CudaBackend(int(found[1] or 0))
    raise InputError(
        "device", f"unknown device {device!r}", "use auto, cpu, numpy, reference, cuda or cuda:1"
    )


def solve(
    images: Any,
    lights: LightRig | ArrayLike,
    *,
    mask: Any | None = None,
    white: float | None = None,
    grey: str = "luminance",
    low: float | None = None,
    high: float | None = None,
    solver: str | Solver = "ls",
    quality: bool = False,
    device: str = "auto",
    threads: int | None = None,
) -> Solution:
    r"""Surface normals and albedo from images under K known lights; touches no disk.

    Parameters
    ----------
    images : (K, H, W) or (K, H, W, 3) uint8, uint16 or float32, linear; NumPy, CuPy or anything
        with DLPack. Arrays on a GPU are solved there and give a solution of CuPy arrays.
    lights : LightRig, or (K, 3) unit directions towards the lights (x right, y up, z to the camera)
    mask : (H, W), pixels to solve are not zero; on the host or beside the images
    white : raw value of a full-scale sample; 255, 65535 or 1 by default
    grey : "luminance", "matlab" or "channels", see :func:`mvps.stereo.prepare`
    low, high : raw values between which a sample counts, exclusive; None for no limit, though the
        robust solvers leave out integer samples from 0.98 of ``white`` on
    solver : "ls"; without shadows ("gated") or highlights ("trimmed", "irls"); "auto" looks at a
        few thousand pixels; or a :class:`mvps.stereo.Solver` with parameters
    quality : also give the residual, the lights used, condition, predicted deviation and counts;
        noise is measured on a few thousand pixels first
    device : see :func:`get_backend`; images on a GPU accept "auto" and that GPU
    threads : on a CPU; all cores by default

    Returns
    -------
    Solution

    Raises
    ------
    InputError
        A shape, type or value cannot be used.
    DeviceError, MissingExtraError
        The device cannot be used here.

    Notes
    -----
    g = (L'L)^-1 L'v, n = g / \|g\|, albedo = \|g\| (Woodham 1980). Where the lights that a robust
    solver keeps at a pixel do not span three dimensions, it falls back to least squares over all
    usable lights, and ``Solution.fallback`` is 1.
    """
    from mvps.stereo import cuda
    from mvps.stereo.devices import working_on

    place = cuda.device_of(images)
    backend: Any = get_backend(place if place and device == "auto" else device)
    if place:
        if backend.name != place:
            raise InputError("images", f"on {place}, but the device asked for is {backend.name}")
        images = backend.on_device(images)
    else:
        images = _on_host(images, "images")
    wanted = solver if isinstance(solver, Solver) else Solver(solver)
    options: dict[str, Any] = {"white": white, "grey": grey, "low": low, "high": high}
    problem = _problem(images, lights, solver=wanted, **options)
    shape = images.shape[1:3]
    # Where CuPy has to copy, the copy must land on the images' own device.
    with working_on(backend.index) if place else nullcontext():
        flat = _flat(images)
        if mask is not None:
            mask = _flat_mask(backend.on_device(mask) if place else _on_host(mask, "mask"), shape)
    if wanted.name == "auto":
        seen = _glance(flat, mask, backend.on_host if place else np.asarray)
        problem = _problem(images, lights, solver=choose(problem, seen).solver, **options)
    if quality:
        problem = _with_noise(problem, flat, mask, backend.on_host if place else np.asarray)
    if place:
        out = StripOut.empty(
            flat.shape[1], problem, quality=quality, examined=quality, allocate=backend.empty
        )
        backend.solve_strip(problem, flat, mask, out)
    else:
        out = StripOut.empty(flat.shape[1], problem, quality=quality, examined=quality)
        _solve_threaded(backend, problem, flat, mask, out, threads=threads)
    return out.solution(shape)


def _on_host(array: Any, where: str) -> Any:
    if isinstance(array, np.ndarray):
        return array
    try:
        return np.from_dlpack(array) if hasattr(array, "__dlpack__") else np.asarray(array)
    except (TypeError, ValueError, RuntimeError, BufferError) as error:
        raise InputError(where, f"cannot be read as one array ({error})") from None


def _problem(
    images: Any, lights: LightRig | ArrayLike, white: float | None, **options: Any
) -> Problem:
    from mvps.lights import LightRig, from_directions

    rig = lights if isinstance(lights, LightRig) else from_directions(lights)
    colour = images.ndim == 4 and images.shape[3] == 3
    if not (images.ndim == 3 or colour) or 0 in images.shape:
        raise InputError("images", f"shape {images.shape}, expected (K, H, W) or (K, H, W, 3)")
    if images.shape[0] != len(rig.directions):
        raise InputError("images", f"{images.shape[0]} of them for {len(rig.directions)} lights")
    return prepare(
        rig,
        channels=3 if colour else 1,
        dtype=images.dtype,
        white=WHITES.get(images.dtype.name, 1.0) if white is None else white,
        **options,
    )


def _glance(samples: Any, mask: Any | None, on_host: Callable[[Any], Any]) -> Any:
    """A few thousand pixels inside the mask, on the host."""
    thin = slice(None, None, max(1, samples.shape[1] // THINNED))
    inside = None if mask is None else on_host(mask[thin])
    return glance(on_host(samples[:, thin]), inside)


def _with_noise(
    problem: Problem, samples: Any, mask: Any | None, on_host: Callable[[Any], Any]
) -> Problem:
    """The problem with the noise of some runs of pixels, which lie side by side."""
    from mvps.stereo.noise_measured import measure_noise, runs_of

    runs = runs_of(samples.shape[1])
    seen = np.concatenate([on_host(samples[:, run]) for run in runs], axis=1)
    inside = None if mask is None else np.concatenate([on_host(mask[run]) for run in runs])
    return replace(problem, noise=measure_noise(problem, seen, inside))


def _flat(images: Any) -> Any:
    """(K, N[, 3]) with the pixels of a light in one block; copied only where they are not."""
    flat = images.reshape(images.shape[0], -1, *images.shape[3:])
    pixel = images.itemsize * (images.shape[3] if images.ndim == 4 else 1)
    packed = (pixel, images.itemsize)[: flat.ndim - 1]
    return flat if flat.strides[1:] == packed and flat.strides[0] >= 0 else flat.copy()


def _flat_mask(mask: Any, shape: tuple[int, int]) -> Any:
    if mask.shape != shape:
        raise InputError("mask", f"shape {mask.shape}, but the images are {shape}")
    wanted = mask if mask.dtype.name in ("uint8", "bool") else mask != 0
    flat = wanted.reshape(-1)
    return flat if flat.strides == (1,) else flat.copy()


def _solve_threaded(
    backend: Backend,
    problem: Problem,
    samples: Any,
    mask: Any | None,
    out: StripOut,
    *,
    threads: int | None,
) -> None:
    """One range of pixels a thread; ctypes and NumPy release the GIL."""
    if threads is not None and threads < 1:
        raise InputError("threads", f"{threads} of them", "give 1 or more")
    pixels = samples.shape[1]
    workers = min(threads or cores(), max(1, pixels // SMALLEST_RANGE))
    step = -(-pixels // (workers * ROUND)) * ROUND

    def work(start: int) -> None:
        stop = min(start + step, pixels)
        inside = None if mask is None else mask[start:stop]
        backend.solve_strip(problem, samples[:, start:stop], inside, out.part(start, stop))

    if workers == 1:
        work(0)
        return
    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(work, range(0, pixels, step)))
