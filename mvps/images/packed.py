"""Headerless camera frames: 8 and 16 bits, and 12 bits packed two pixels in three bytes.

Mono12Packed after the GigE Vision specification, Mono12p after GenICam PFNC; in both, pixels run on
across the ends of rows, so that an odd width starts every second row in the middle of a byte.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mvps.errors import ImageError
from mvps.images.info import ImageInfo, ImageRef, RawLayout
from mvps.images.reader import FileRows, PlainRows, RowReader, Run
from mvps.images.source import SourceFile, check_page, check_size

_STORED: dict[str, np.dtype[Any]] = {
    "u8": np.dtype("u1"),
    "u16le": np.dtype("<u2"),
    "u16be": np.dtype(">u2"),
}


@dataclass(frozen=True)
class RawHeader:
    """A declared layout that fits the size of its file."""

    info: ImageInfo
    layout: RawLayout

    def open(self) -> RowReader:
        """Open the reader of this image."""
        layout = self.layout
        if layout.packing in _STORED:
            run = Run(0, layout.height, layout.offset)
            return PlainRows(self.info, [[run]], _STORED[layout.packing])
        return PackedRows(self.info, layout)


def read_raw_header(file: SourceFile, ref: ImageRef, max_pixels: int) -> RawHeader:
    """Hold the declared layout against the size of the file, which must fit to the byte."""
    layout = ref.raw
    if layout is None:
        raise ValueError("no raw layout")
    check_page(file.path, ref.page, 1)
    check_size(file.path, layout.width, layout.height, max_pixels)
    stored = _STORED.get(layout.packing)
    bits = stored.itemsize * 8 if stored else 12
    wanted = layout.offset + (layout.width * layout.height * bits + 7) // 8
    if file.size != wanted:
        raise ImageError(
            file.path,
            f"holds {file.size} bytes; {layout.width}x{layout.height} {layout.packing} "
            f"after {layout.offset} bytes takes {wanted}",
            "check width, height, packing and offset",
        )
    info = ImageInfo(
        path=file.path,
        page=0,
        pages=1,
        width=layout.width,
        height=layout.height,
        channels=1,
        dtype=np.dtype(np.uint8 if layout.packing == "u8" else np.uint16),
        bits=bits,
        format="raw",
        compression="none",
        by_rows=True,
        notes=() if stored else (f"{layout.packing} unpacked to 12 bits, right-aligned",),
    )
    return RawHeader(info, layout)


class PackedRows(FileRows):
    """Reader of rows of 12-bit pixels, two in three bytes."""

    def __init__(self, info: ImageInfo, layout: RawLayout) -> None:
        super().__init__(info)
        self._layout = layout

    def _fill(self, y0: int, y1: int, out: NDArray[Any]) -> None:
        layout = self._layout
        first, last = y0 * layout.width, y1 * layout.width
        pair = first // 2
        pairs = -(-last // 2) - pair
        data = self._buffer(pairs * 3)
        # The last pixel of an odd number of pixels has no partner: two bytes instead of three.
        there = min(pairs * 3, self._file.size - layout.offset - pair * 3)
        data[there:] = 0
        self._file.read_into(layout.offset + pair * 3, data[:there])
        pixels = unpack12(data, layout.packing)
        start = first - pair * 2
        out[...] = pixels[start : start + last - first].reshape(out.shape)


def unpack12(data: NDArray[np.uint8], packing: str) -> NDArray[np.uint16]:
    """Pixels ``(2n,)``, 0 to 4095, of `data` ``(3n,)`` in ``mono12packed`` or ``mono12p``."""
    triples = data.reshape(-1, 3).astype(np.uint16)
    first, middle, last = triples[:, 0], triples[:, 1], triples[:, 2]
    pixels = np.empty((len(triples), 2), np.uint16)
    if packing == "mono12packed":
        pixels[:, 0] = first << 4 | middle & 15
        pixels[:, 1] = last << 4 | middle >> 4
    else:
        pixels[:, 0] = first | (middle & 15) << 8
        pixels[:, 1] = middle >> 4 | last << 4
    return pixels.reshape(-1)
