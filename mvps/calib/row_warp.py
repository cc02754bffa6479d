"""A warp that takes source rows as they come and gives output strips as soon as it can.

Only the rows that a strip still to come will need are kept, so that memory is bounded by the
vertical reach of the warp and not by the image.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from mvps.calib.camera import Array
from mvps.calib.resample import IDENTITY, Source, normal_rows, position_rows, remap_rows
from mvps.calib.warp import MODEL, Warp

STRIP_ROWS = 64
KINDS = ("linear", "nearest", "normals")


@dataclass(frozen=True)
class Layer:
    """One image of several that share a grid.

    Attributes
    ----------
    kind : "linear", "nearest", or "normals" (interpolated and made unit vectors again)
    channels : 1 or 3
    dtype : uint8, uint16 or float32
    """

    kind: str
    channels: int
    dtype: DTypeLike

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"{self.kind!r} is none of {', '.join(KINDS)}")


@dataclass(frozen=True, eq=False)
class OutputStrip:
    """Rows of the output, one array a layer; overwritten by the next strip.

    Attributes
    ----------
    layers : (n, W) or (n, W, 3) each, zero where not valid
    valid : (n, W) uint8, 1 where every layer is valid
    """

    layers: tuple[NDArray[Any], ...]
    valid: NDArray[np.uint8]


class RowWarp:
    """Streams images through a warp.

    Parameters
    ----------
    warp : which source pixel each output pixel shows
    layers : the images; all of them share positions and mask
    rotation : (3, 3), applied to layers of normals

    Notes
    -----
    Every call of :meth:`push` appends source rows and yields the strips of 64 output rows that are
    complete by then, the last one shorter. After the last source row nothing is left to come.
    """

    def __init__(self, warp: Warp, layers: Sequence[Layer], rotation: Array = IDENTITY) -> None:
        self._warp = warp
        self._layers = tuple(layers)
        self._rotation = rotation
        self._needs, self._kept = _plan(warp)
        self._height = warp.source_size[1]
        self._base, self._received, self._next = 0, 0, 0
        capacity = min(self._capacity(), self._height)
        width = warp.source_size[0]
        self._rows = [np.empty(_shape(capacity, width, layer), layer.dtype) for layer in layers]
        self._mask = np.empty((capacity, width), np.uint8)
        across = warp.size[0]
        self._out = [np.empty(_shape(STRIP_ROWS, across, layer), layer.dtype) for layer in layers]
        self._valid = np.empty((STRIP_ROWS, across), np.uint8)

    @property
    def buffered_rows(self) -> int:
        """Source rows that there is room for."""
        return len(self._mask)

    def push(
        self, rows: Sequence[NDArray[Any]], mask: NDArray[Any] | None = None
    ) -> Iterator[OutputStrip]:
        """Append source rows, in order; must be run to its end.

        Parameters
        ----------
        rows : (n, W) or (n, W, 3), one array a layer
        mask : (n, W), non-zero where a pixel counts, or None where all do
        """
        count = len(rows[0])
        if self._received + count > self._height:
            raise ValueError(f"{self._received + count} rows for a source of {self._height}")
        for start in range(0, count, STRIP_ROWS):
            part = slice(start, min(start + STRIP_ROWS, count))
            self._append([layer[part] for layer in rows], None if mask is None else mask[part])
            yield from self._ready()

    def _append(self, rows: Sequence[NDArray[Any]], mask: NDArray[Any] | None) -> None:
        count = len(rows[0])
        if self._received + count - self._base > len(self._mask):
            self._move_up()
        start = self._received - self._base
        room = slice(start, start + count)
        for buffer, layer in zip(self._rows, rows, strict=True):
            buffer[room] = layer.reshape(buffer[room].shape)
        self._mask[room] = 1 if mask is None else mask
        self._received += count

    def _move_up(self) -> None:
        """Forget the rows that no strip to come needs; the others move to the buffer's start."""
        needed = self._kept[self._next] if self._next < len(self._kept) else self._received
        first = min(needed, self._received)
        kept = slice(first - self._base, self._received - self._base)
        for buffer in (*self._rows, self._mask):
            buffer[: kept.stop - kept.start] = buffer[kept]
        self._base = first

    def _ready(self) -> Iterator[OutputStrip]:
        while self._next < len(self._needs) and self._needs[self._next][1] <= self._received:
            self._next += 1
            yield self._strip(self._next - 1)

    def _strip(self, number: int) -> OutputStrip:
        y0 = number * STRIP_ROWS
        count = min(STRIP_ROWS, self._warp.size[1] - y0)
        valid = self._valid[:count]
        outs = tuple(out[:count] for out in self._out)
        low, high = self._needs[number]
        if low == high:
            for array in (*outs, valid):
                array.fill(0)
            return OutputStrip(outs, valid)
        where, _ = position_rows(self._warp, y0, y0 + count)
        held = slice(low - self._base, high - self._base)
        scratch = np.empty_like(valid)
        valid.fill(1)
        for layer, rows, out in zip(self._layers, self._rows, outs, strict=True):
            source = Source(rows[held], self._mask[held], low)
            if layer.kind == "normals":
                turn = self._rotation
                normal_rows(self._warp, source, y0, out, scratch, rotation=turn, where=where)
            else:
                nearest = layer.kind == "nearest"
                remap_rows(self._warp, source, y0, out, scratch, nearest=nearest, where=where)
            valid &= scratch
        return OutputStrip(outs, valid)

    def _capacity(self) -> int:
        """Rows that must be held together, and room for a strip more so that rows seldom move."""
        spans = [high - first for (_, high), first in zip(self._needs, self._kept, strict=True)]
        most = max([*spans, 0])
        return most + STRIP_ROWS + max(STRIP_ROWS, most // 2)


def _shape(rows: int, width: int, layer: Layer) -> tuple[int, ...]:
    return (rows, width) if layer.channels == 1 else (rows, width, layer.channels)


def _plan(warp: Warp) -> tuple[tuple[tuple[int, int], ...], tuple[int, ...]]:
    """Source rows that each output strip needs, and the first row still needed before it."""
    if warp.model is None:
        needs = _strip_rows(warp)
    else:
        needs = _cached_needs(warp.size, warp.source_size, warp.model.tobytes())
    kept, first = [], warp.source_size[1]
    for low, high in reversed(needs):
        first = min(first, low) if low < high else first
        kept.append(first)
    return needs, tuple(reversed(kept))


@lru_cache(maxsize=32)
def _cached_needs(
    size: tuple[int, int], source_size: tuple[int, int], model: bytes
) -> tuple[tuple[int, int], ...]:
    """Thousands of stacks share a camera, and the answer costs a look at every pixel."""
    return _strip_rows(Warp(size, source_size, np.frombuffer(model, MODEL)))


def _strip_rows(warp: Warp) -> tuple[tuple[int, int], ...]:
    height = warp.size[1]
    starts = range(0, height, STRIP_ROWS)
    return tuple(position_rows(warp, y, min(y + STRIP_ROWS, height))[1] for y in starts)
