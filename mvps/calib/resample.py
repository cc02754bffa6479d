"""The door to the warping kernels on the CPU: checks, addresses and the call, or NumPy instead.

The maths is in ``kernels/remap.cuh`` and :mod:`mvps.calib.remap_reference`. Calls release the GIL
and may run in many threads.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mvps.calib import remap_reference as reference
from mvps.calib.camera import Array
from mvps.calib.warp import Warp
from mvps.errors import InputError
from mvps.native import Library, library

# The structures of kernels/remap.cuh, which says what the members mean.
WINDOW = np.dtype(
    [
        ("stride", "i8"),
        ("mask_stride", "i8"),
        ("width", "i4"),
        ("first_row", "i4"),
        ("rows", "i4"),
        ("unused", "i4"),
    ]
)
TYPES = {"uint8": "u8", "uint16": "u16", "float32": "f32"}
IDENTITY = np.eye(3)


@dataclass(frozen=True, eq=False)
class Source:
    """Rows of an image that are in memory, and which of their pixels count.

    Attributes
    ----------
    rows : (n, W) or (n, W, 3) uint8, uint16 or float32; each row contiguous
    mask : (n, W) uint8 or bool, non-zero where a pixel counts, or None where all do
    first_row : number of ``rows[0]`` in the image

    Raises
    ------
    InputError
        A shape, a type or a layout that the kernels cannot read.
    """

    rows: NDArray[Any]
    mask: NDArray[Any] | None = None
    first_row: int = 0

    def __post_init__(self) -> None:
        rows, mask = self.rows, self.mask
        if rows.dtype.name not in TYPES or not rows.dtype.isnative:
            raise InputError("image", f"type {rows.dtype}", "give uint8, uint16 or float32")
        if rows.ndim not in (2, 3) or (rows.ndim == 3 and rows.shape[2] not in (1, 3)):
            raise InputError("image", f"shape {rows.shape}", "give (H, W) or (H, W, 3)")
        if not rows.size or not _packed_rows(rows):
            raise InputError("image", "empty, or its rows are not contiguous", "copy it")
        if mask is None:
            return
        if mask.shape != rows.shape[:2] or mask.dtype.name not in ("uint8", "bool"):
            what = f"mask of shape {mask.shape}, type {mask.dtype}"
            raise InputError("image", f"{what}, expected {rows.shape[:2]} of bool")
        if not _packed_rows(mask):
            raise InputError("mask", "its rows are not contiguous", "copy it")

    @property
    def channels(self) -> int:
        """Samples a pixel."""
        return 1 if self.rows.ndim == 2 else int(self.rows.shape[2])

    def planes(self) -> NDArray[Any]:
        """The rows as (n, W, C)."""
        return self.rows.reshape(*self.rows.shape[:2], self.channels)

    def window(self) -> NDArray[np.void]:
        """Where the rows lie, for the kernels."""
        window = np.zeros(1, WINDOW)
        window["stride"] = self.rows.strides[0] // self.rows.itemsize
        window["mask_stride"] = 0 if self.mask is None else self.mask.strides[0]
        window["rows"], window["width"] = self.rows.shape[:2]
        window["first_row"] = self.first_row
        return window


def position_rows(
    warp: Warp, y0: int, y1: int, *, core: Library | None = None
) -> tuple[NDArray[np.float32], tuple[int, int]]:
    """Positions of output rows y0 to y1 - 1, and the source rows that their samples need.

    Returns
    -------
    map : (n, W, 2) float32 x y in source pixels, right to 2.5e-4 px up to column 8192
    rows : first row that is needed and the one after the last; (0, 0) where none is
    """
    width, height = warp.source_size
    core = core or library()
    if core is None or warp.model is None:
        where = reference.positions(warp, y0, y1).astype(np.float32)
        x, y = where[..., 0], where[..., 1]
        with np.errstate(invalid="ignore"):
            seen = y[(x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)]
        low, high = (float(seen.min()), float(seen.max())) if seen.size else (math.inf, -math.inf)
    else:
        where = np.empty((y1 - y0, warp.size[0], 2), np.float32)
        span = np.empty(2)
        region = (0, y0, warp.size[0], y1 - y0)
        core.mvps_remap_positions(
            warp.model.ctypes.data, *region, width, height, where.ctypes.data, span.ctypes.data
        )
        low, high = span.tolist()
    if low > high:
        return where, (0, 0)
    return where, (math.floor(low), min(math.ceil(high) + 1, height))


def remap_rows(
    warp: Warp,
    source: Source,
    y0: int,
    out: NDArray[Any],
    valid: NDArray[np.uint8],
    *,
    nearest: bool = False,
    where: NDArray[np.float32] | None = None,
    core: Library | None = None,
) -> None:
    """Output rows y0 and on of an image.

    Parameters
    ----------
    out : (n, W) or (n, W, 3) of the source's type, contiguous; zero where not valid
    valid : (n, W) uint8, contiguous; 1 where every needed neighbour lies in the source and counts
    nearest : take the closest sample instead of interpolating, for masks and labels
    where : (n, W, 2) float32, positions instead of those of the warp
    core : a variant of the compiled core; the best one of this machine by default
    """
    _check_out(warp, source, out, valid)
    core = core or library()
    if core is None:
        places = _places(warp, y0, len(out), where)
        values, ok = reference.remap(
            source.planes(),
            places,
            mask=source.mask,
            first_row=source.first_row,
            nearest=nearest,
        )
        out[...], valid[...] = values.reshape(out.shape), ok
        return
    name = f"mvps_remap_{TYPES[source.rows.dtype.name]}_{source.channels}"
    arguments, kept = _arguments(warp, source, y0, out, where)
    getattr(core, name)(*arguments, nearest, out.ctypes.data, valid.ctypes.data)
    del kept


def normal_rows(
    warp: Warp,
    source: Source,
    y0: int,
    out: NDArray[np.float32],
    valid: NDArray[np.uint8],
    *,
    rotation: Array = IDENTITY,
    where: NDArray[np.float32] | None = None,
    core: Library | None = None,
) -> None:
    """Output rows y0 and on of a normal map, whose mask must be given; else as `remap_rows`.

    Parameters
    ----------
    rotation : (3, 3), applied to the interpolated vectors before they are made unit vectors
    """
    if source.mask is None or source.channels != 3 or source.rows.dtype != np.float32:
        raise InputError("normals", "need a mask and three channels of float32")
    _check_out(warp, source, out, valid)
    core = core or library()
    if core is None:
        places = _places(warp, y0, len(out), where)
        first = source.first_row
        out[...], valid[...] = reference.remap_normals(
            source.rows, source.mask, places, rotation, first_row=first
        )
        return
    arguments, kept = _arguments(warp, source, y0, out, where)
    turn = np.ascontiguousarray(rotation, np.float32)
    core.mvps_remap_normals(*arguments, turn.ctypes.data, out.ctypes.data, valid.ctypes.data)
    del kept


def _arguments(
    warp: Warp,
    source: Source,
    y0: int,
    out: NDArray[Any],
    where: NDArray[np.float32] | None,
) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """What every kernel takes first, and the arrays that must live as long as the call."""
    if where is None and warp.model is None:
        where = _places(warp, y0, len(out), None).astype(np.float32)
    if where is not None and (where.shape != (*out.shape[:2], 2) or not where.flags.c_contiguous):
        raise InputError("map", f"shape {where.shape}, expected {(*out.shape[:2], 2)}, contiguous")
    window = source.window()
    arguments = (
        source.rows.ctypes.data,
        None if source.mask is None else source.mask.ctypes.data,
        window.ctypes.data,
        None if warp.model is None else warp.model.ctypes.data,
        None if where is None else where.ctypes.data,
        0,
        y0,
        out.shape[1],
        len(out),
    )
    return arguments, (window, where)


def _places(warp: Warp, y0: int, count: int, where: NDArray[np.float32] | None) -> Array:
    if where is None:
        return reference.positions(warp, y0, y0 + count)
    return where.astype(np.float64)


def _check_out(warp: Warp, source: Source, out: NDArray[Any], valid: NDArray[np.uint8]) -> None:
    """Refuse arrays that a kernel would read or write beyond their ends."""
    shape = (len(out), warp.size[0], *source.rows.shape[2:])
    if source.rows.shape[1] != warp.source_size[0]:
        expected = f"expected {warp.source_size[0]}"
        raise InputError("image", f"{source.rows.shape[1]} px wide, {expected}")
    if out.shape != shape or out.dtype != source.rows.dtype or not out.flags.c_contiguous:
        raise InputError("out", f"shape {out.shape} {out.dtype}, expected {shape}, contiguous")
    if valid.shape != shape[:2] or valid.dtype != np.uint8 or not valid.flags.c_contiguous:
        raise InputError("valid", f"shape {valid.shape} {valid.dtype}, expected {shape[:2]} uint8")


def _packed_rows(array: NDArray[Any]) -> bool:
    """Whether each row is one block, in an order of rows that a stride can say."""
    return bool(array[0].flags.c_contiguous) and array.strides[0] % array.itemsize == 0
