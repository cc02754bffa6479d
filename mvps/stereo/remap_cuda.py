"""Warping on a GPU: the launch of ``kernels/remap.cu``; devices and transfers are CuPy's.

The counterpart of :mod:`mvps.calib.remap` for one CUDA device; the maths is in
``kernels/remap.cuh``.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from mvps.calib import remap_reference as reference
from mvps.calib.remap import INTERPOLATIONS
from mvps.calib.resample import TYPES, Source
from mvps.calib.warp import MODEL, Warp, square
from mvps.errors import InputError
from mvps.stereo.cuda import BLOCK, CudaBackend, Launch, kernel_sources
from mvps.stereo.devices import device_of, load_cupy, working_on

SOURCE = "remap.cu"
KERNELS = (*(f"remap_{kind}_{n}" for kind in TYPES.values() for n in (1, 3)), "remap_normals")
ROTATION = np.dtype([("rows", np.float32, 9)])  # RemapRotation of kernels/remap.cuh


class CudaRemap:
    """One CUDA device.

    Arrays are all on the host, and so is the result; or all on the device, where nothing is copied
    and the call does not wait for the result.

    Parameters
    ----------
    index : number of the device, as in ``"cuda:1"``

    Raises
    ------
    MissingExtraError, DeviceError
        See :class:`mvps.stereo.cuda.CudaBackend`.
    """

    def __init__(self, index: int = 0) -> None:
        self._device = CudaBackend(index)
        self.name = self._device.name

    def image(
        self, warp: Warp, image: Any, mask: Any | None = None, *, interpolation: str = "linear"
    ) -> tuple[Any, Any]:
        """Image seen through a warp, and where it is valid; see `mvps.calib.remap.remap_image`.

        Raises
        ------
        InputError
            As there; or the arrays are on different devices.
        DeviceError
            The device failed.
        """
        if interpolation not in INTERPOLATIONS:
            known = " or ".join(INTERPOLATIONS)
            raise InputError("interpolation", f"{interpolation!r} is not {known}")
        channels = image.shape[2] if image.ndim == 3 else 1
        last = np.int32(interpolation == "nearest")
        kernel = f"remap_{TYPES.get(image.dtype.name)}_{channels}"
        return self._run(kernel, warp, image, mask, last)

    def normals(
        self,
        warp: Warp,
        normals: Any,
        valid: Any | None = None,
        rotation: ArrayLike | None = None,
    ) -> tuple[Any, Any]:
        """Normal map seen through a warp; see `mvps.calib.remap.remap_normals`.

        Raises
        ------
        InputError, DeviceError
            See :meth:`image`.
        """
        if normals.ndim != 3 or normals.shape[2] != 3 or normals.dtype != np.float32:
            raise InputError("normals", "need three channels of float32")
        turn = np.zeros((), ROTATION)
        turn["rows"] = (np.eye(3) if rotation is None else square(rotation, "rotation")).ravel()
        mask = (normals != 0).any(axis=2) if valid is None else valid
        return self._run("remap_normals", warp, normals, mask, turn)

    def _run(
        self, kernel: str, warp: Warp, image: Any, mask: Any | None, last: Any
    ) -> tuple[Any, Any]:
        size = image.shape[1::-1]
        if size != warp.source_size:
            expected = "x".join(map(str, warp.source_size))
            raise InputError("image", f"{size[0]}x{size[1]} px, expected {expected}")
        there = self._check_place(image, mask)
        with working_on(self._device.index) as cp:
            held = None if mask is None else _upload(cp, mask, there=there)
            source = Source(_upload(cp, image, there=there), held)
            shape = (warp.size[1], warp.size[0], *image.shape[2:])
            out, valid = cp.empty(shape, image.dtype), cp.empty(shape[:2], np.uint8)
            plan = plan_launch(
                kernel, warp, source, last=last, results=(out, valid), upload=cp.asarray
            )
            _kernel(plan.kernel)(plan.grid, plan.block, plan.args)
            if there:
                return out, valid.view(np.bool_)
            found, ok = np.empty(shape, image.dtype), np.empty(shape[:2], np.uint8)
            out.get(out=found)
            valid.get(out=ok)
        return found, ok.view(np.bool_)

    def _check_place(self, image: Any, mask: Any | None) -> bool:
        """Whether the arrays lie on this device; not means on the host."""
        places = [device_of(image)] + ([] if mask is None else [device_of(mask)])
        if len(set(places)) > 1 or places[0] not in (None, self.name):
            seen = " and ".join(dict.fromkeys(place or "the host" for place in places))
            raise InputError("image", f"on {seen}, but the device asked for is {self.name}")
        return places[0] is not None


def plan_launch(
    kernel: str,
    warp: Warp,
    source: Source,
    *,
    last: Any,
    results: tuple[Any, Any],
    upload: Callable[[Any], Any],
) -> Launch:
    """Kernel and arguments; ``upload`` puts a host array on the device of the source.

    Parameters
    ----------
    last : whether the nearest sample is taken, or the rotation of normals
    results : image (h, w[, 3]) and validity (h, w)
    """
    width, height = warp.size
    model, where = warp.model, None
    if model is None:
        model = np.zeros(1, MODEL)
        where = upload(reference.positions(warp, 0, height).astype(np.float32))
    args = (
        source.rows,
        source.mask,
        source.window().reshape(()),
        model.reshape(()),
        where,
        *map(np.int32, (0, 0, width, height)),
        last,
        *results,
    )
    return Launch(kernel, (-(-width * height // BLOCK),), (BLOCK,), args)


def _upload(cp: Any, array: Any, *, there: bool) -> Any:
    if there:
        return array if array.flags.c_contiguous else array.copy()
    return cp.asarray(np.ascontiguousarray(array))


@cache
def _kernel(name: str) -> Any:
    source, options = kernel_sources(SOURCE)
    return load_cupy().RawModule(code=source, options=options).get_function(name)
