"""Solution of a whole image, and the strip of results that backends fill."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from mvps.errors import InputError
from mvps.stereo.problem import DTYPES, Problem

# Results that tell how far a pixel can be trusted, beside residual and lights used.
PLANES = {
    "condition": np.float32,
    "deviation": np.float32,
    "saturated": np.uint8,
    "shadowed": np.uint8,
}
ALIGNMENT = 64  # bytes; a cache line, so that results can go past the caches


@dataclass(frozen=True, eq=False)
class Solution:
    """Normals and albedo of one image, zero where ``valid`` is False; NumPy, or CuPy if given CuPy.

    Attributes
    ----------
    normals : (H, W, 3) float32, unit; x right, y up, z to the camera
    albedo : (H, W) or, with mode "channels", (H, W, 3) float32; 1 is full scale under intensity 1
    valid : (H, W) bool; inside the mask, above the noise floor, every sample finite, and the lights
        that count there span three dimensions
    residual : (H, W) float32, root of the mean over the lights that counted (and channels) of
        (v - albedo l.n)^2; None unless asked for
    used : (H, W) uint8, lights that counted; None unless asked for
    fallback : (H, W) uint8, 1 where a robust estimate was refused and least squares over the usable
        lights took its place; None with solvers that have no such fallback
    condition : (H, W) float32, condition number of the weighted directions of the lights; as all
        below None unless asked for
    deviation : (H, W) float32, predicted standard deviation of the normal's direction in degrees
        (root mean square of the angle), from noise alone
    saturated : (H, W) uint8, lights whose sample is saturated
    shadowed : (H, W) uint8, lights whose sample is at most a tenth of the albedo
    """

    normals: Any
    albedo: Any
    valid: Any
    residual: Any = None
    used: Any = None
    fallback: Any = None
    condition: Any = None
    deviation: Any = None
    saturated: Any = None
    shadowed: Any = None

    @property
    def degenerate(self) -> int:
        """Number of pixels without a normal."""
        return int(self.valid.size - self.valid.sum())


@dataclass(frozen=True, eq=False)
class StripOut:
    """Results of N pixels; a solver writes every element, zero where invalid.

    Attributes
    ----------
    normals : (N, 3) float32
    albedo : (N,) or (N, 3) float32
    valid : (N,) uint8, 0 or 1
    residual : (N,) float32, or None where it is not wanted
    used : (N,) uint8, or None where it is not wanted
    fallback : (N,) uint8, 0 or 1, or None with solvers that have none
    condition, deviation : (N,) float32, the latter in degrees; these two, the next two, the
        residual and the lights used are there together, or neither of these four
    saturated, shadowed : (N,) uint8
    depth : (N,) float32 mm, of the surface that a run found; no solver writes it
    """

    normals: Any
    albedo: Any
    valid: Any
    residual: Any = None
    used: Any = None
    fallback: Any = None
    condition: Any = None
    deviation: Any = None
    saturated: Any = None
    shadowed: Any = None
    depth: Any = None

    @classmethod
    def empty(
        cls,
        pixels: int,
        problem: Problem,
        *,
        quality: bool,
        examined: bool = False,
        allocate: Callable[[tuple[int, ...], DTypeLike], Any] | None = None,
    ) -> StripOut:
        """Uninitialised room for ``pixels`` results; ``allocate`` makes arrays elsewhere.

        ``quality`` asks for residual and lights used, ``examined`` for every plane of the quality.
        """
        make = allocate or _aligned
        more = {name: make((pixels,), kind) for name, kind in PLANES.items()} if examined else {}
        return cls(
            normals=make((pixels, 3), np.float32),
            albedo=make((pixels, *_trailing(problem.albedos)), np.float32),
            valid=make((pixels,), np.uint8),
            residual=make((pixels,), np.float32) if quality or examined else None,
            used=make((pixels,), np.uint8) if quality or examined else None,
            fallback=make((pixels,), np.uint8) if problem.solver.robust else None,
            **more,
        )

    def part(self, start: int, stop: int) -> StripOut:
        """View of the pixels from ``start`` up to ``stop``."""
        kept = slice(start, stop)
        return StripOut(**{name: plane[kept] for name, plane in self.planes().items()})

    def planes(self) -> dict[str, Any]:
        """The results that are wanted, by name."""
        pairs = ((field.name, getattr(self, field.name)) for field in fields(self))
        return {name: plane for name, plane in pairs if plane is not None}

    def head(self, pixels: int) -> StripOut:
        """View of the first pixels."""
        return self.part(0, pixels)

    def solution(self, shape: tuple[int, int]) -> Solution:
        """The same memory as an image of H x W."""
        shaped = {n: p.reshape(*shape, *p.shape[1:]) for n, p in self.planes().items()}
        return Solution(**shaped | {"valid": shaped["valid"].view(np.bool_)})


def check_strip(problem: Problem, samples: Any, mask: Any | None, out: StripOut) -> None:
    """Refuse arrays that a kernel would read or write beyond their ends.

    Parameters
    ----------
    samples : (K, N) or (K, N, 3) uint8, uint16 or float32; contiguous but for the stride of K
    mask : (N,) uint8 or bool, or None

    Raises
    ------
    InputError
        A shape, a type or a stride does not fit the problem.
    """
    if samples.dtype.name not in DTYPES or not samples.dtype.isnative:
        raise InputError("samples", f"type {samples.dtype}", "give uint8, uint16 or float32")
    pixels = samples.shape[1] if samples.ndim > 1 else 0
    _expect("samples", samples, (problem.lights, pixels, *_trailing(problem.channels)), skip=1)
    if mask is not None:
        _expect("mask", mask, (pixels,), ("uint8", "bool"))
    _expect("normals", out.normals, (pixels, 3), ("float32",))
    _expect("albedo", out.albedo, (pixels, *_trailing(problem.albedos)), ("float32",))
    _expect("valid", out.valid, (pixels,), ("uint8",))
    planes = out.planes()
    kinds = {"residual": np.float32, "used": np.uint8, "fallback": np.uint8, **PLANES}
    for name, kind in kinds.items():
        if name in planes:
            _expect(name, planes[name], (pixels,), (np.dtype(kind).name,))
    if PLANES.keys() & planes.keys() and not {"residual", "used", *PLANES} <= set(planes):
        raise InputError("results", "some planes of the quality are missing", "give all of them")


def needs_full(problem: Problem, out: StripOut) -> bool:
    """Whether more than normals and albedo from every light is asked for."""
    return problem.has_limits or out.residual is not None or out.used is not None


def needs_examination(out: StripOut) -> bool:
    """Whether every plane of the quality is asked for."""
    return out.deviation is not None


def plane_stride(samples: Any) -> int:
    """Elements from one light to the next."""
    return int(samples.strides[0] // samples.itemsize)


def _trailing(count: int) -> tuple[int, ...]:
    return () if count == 1 else (count,)


def _expect(
    name: str, array: Any, shape: tuple[int, ...], types: tuple[str, ...] = (), skip: int = 0
) -> None:
    if array.shape != shape:
        raise InputError(name, f"shape {array.shape}, expected {shape}")
    if types and array.dtype.name not in types:
        raise InputError(name, f"type {array.dtype}, expected {' or '.join(types)}")
    if skip == 0 and array.flags.c_contiguous:
        return  # the quick answer for most
    if array.size and (_gaps(array, skip) or array.strides[0] < 0):
        raise InputError(name, "not contiguous", "copy it into one block")


def _gaps(array: Any, skip: int) -> bool:
    """Whether elements stand apart after the first ``skip`` axes, or off their grid on those."""
    steps = [array.itemsize * math.prod(array.shape[i + 1 :]) for i in range(array.ndim)]
    apart = any(array.strides[i] != steps[i] for i in range(skip, array.ndim) if array.shape[i] > 1)
    return apart or any(stride % array.itemsize for stride in array.strides[:skip])


def _aligned(shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
    size = math.prod(shape) * np.dtype(dtype).itemsize
    block = np.empty(size + ALIGNMENT, np.uint8)
    start = -block.ctypes.data % ALIGNMENT
    return block[start : start + size].view(dtype).reshape(shape)
