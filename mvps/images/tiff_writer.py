"""TIFF written strip by strip: classic or BigTIFF, uncompressed or zstd, directory at the end.

After TIFF 6.0 (Adobe, 1992) and the BigTIFF extension of it; zstd is tag value 50000 as in libtiff.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from mvps.images.output_file import OutputFile

STRIP_ROWS = 64
# Offsets of a classic TIFF are 32-bit; the margin holds the directory.
CLASSIC_LIMIT = (1 << 32) - (1 << 16)
ZSTD_LEVEL = 1

_SHORT, _LONG, _LONG8, _ASCII = 3, 4, 16, 2
_CODES = {_SHORT: "H", _LONG: "I", _LONG8: "Q"}
_NO_COMPRESSION, _ZSTD = 1, 50000
_GREY, _RGB = 1, 2
_HORIZONTAL_DIFFERENCE = 2
_SAMPLE_FORMATS = {"u": 1, "f": 3}


@dataclass(frozen=True)
class _Entry:
    tag: int
    type: int
    values: Sequence[int] | bytes

    def payload(self) -> bytes:
        if isinstance(self.values, bytes):
            return self.values
        return struct.pack(f"<{len(self.values)}{_CODES[self.type]}", *self.values)


class TiffWriter:
    """A TIFF that grows by rows and holds one strip of 64 rows in memory.

    Parameters
    ----------
    path : where to write
    width, height : of the image, in pixels
    channels : samples a pixel: 1 (grey) or 3 (RGB) with ``pages=False``; any number of planes
        with ``pages=True``, each of which becomes a grey page of its own
    dtype : uint8, uint16, float16 or float32
    compressed : zstd level 1 after horizontal differencing (integers); plain samples otherwise
    description : ASCII text of the tag ImageDescription

    Raises
    ------
    MvpsError
        From every method: the file cannot be written.
    """

    def __init__(
        self,
        path: Path,
        width: int,
        height: int,
        channels: int,
        dtype: DTypeLike,
        *,
        pages: bool = False,
        compressed: bool = False,
        description: str = "",
    ) -> None:
        self._dtype = np.dtype(dtype)
        self._stored = self._dtype.newbyteorder("<")
        if width < 1 or height < 1:
            raise ValueError(f"a TIFF needs pixels, not {width} x {height}")
        if channels not in ((1, 3) if not pages else range(1, 1 << 16)):
            raise ValueError(f"{channels} channels are neither grey nor RGB")
        if compressed and self._dtype.kind != "u":
            raise ValueError("horizontal differencing is for integers")
        self._shape = (height, width, channels)
        self._pages = channels if pages else 1
        self._compressed = compressed
        self._description = description.encode("ascii", "backslashreplace") + b"\0"
        self._strips: list[list[tuple[int, int]]] = [[] for _ in range(self._pages)]
        # Bare samples of one page lie in the file as they come; others are gathered by strips.
        self._through = not compressed and self._pages == 1
        kept = 0 if self._through else min(STRIP_ROWS, height)
        self._pending = np.empty((kept, width, channels), self._dtype)
        self._filled = 0
        self._received = 0
        self._big = self._predicted_size() >= CLASSIC_LIMIT
        # The directory's offset follows in finish().
        header = struct.pack("<2sHHHQ", b"II", 43, 8, 0, 0) if self._big else b"II*\0" + bytes(4)
        self._first = len(header)
        self._file = OutputFile(path, header)

    def write_rows(self, rows: NDArray[Any]) -> None:
        """Append rows (n, W) or (n, W, channels) of the file's dtype; any n."""
        height, width, channels = self._shape
        if rows.ndim == 2:
            rows = rows[..., None]
        if rows.dtype != self._dtype or rows.shape[1:] != (width, channels):
            raise ValueError(f"rows {rows.shape} {rows.dtype} do not fit {self._shape}")
        self._received += len(rows)
        if self._received > height:
            raise ValueError(f"{self._received} rows for an image of {height}")
        if self._through:
            for y in range(0, len(rows), STRIP_ROWS):
                part = np.ascontiguousarray(rows[y : y + STRIP_ROWS], self._stored)
                self._file.write(part.data)
            return
        for strip in self._full_strips(rows):
            self._write_strip(strip)

    def finish(self) -> None:
        """Write the rest and the directory, and close."""
        if self._received != self._shape[0]:
            raise ValueError(f"{self._received} of {self._shape[0]} rows were written")
        if self._through:
            self._strips = [self._lie_of_strips()]
        elif self._filled:
            self._write_strip(self._pending[: self._filled])
        link = 8 if self._big else 4
        for strips in self._strips:
            link = self._write_directory(strips, link)
        self._file.close()

    def abort(self) -> None:
        """Close and remove the file."""
        self._file.abort()

    def _predicted_size(self) -> int:
        height, width, channels = self._shape
        samples = height * width * channels * self._dtype.itemsize
        strips = -(-height // STRIP_ROWS) * self._pages
        growth = samples // 256 + 128 * strips if self._compressed else 0
        return samples + growth + 16 * strips + self._pages * (len(self._description) + 512)

    def _full_strips(self, rows: NDArray[Any]) -> Iterator[NDArray[Any]]:
        """Strips of exactly 64 rows, without a copy where aligned; the rest is kept."""
        start = 0
        while start < len(rows):
            count = min(STRIP_ROWS - self._filled, len(rows) - start)
            if count == STRIP_ROWS:
                yield rows[start : start + count]
            else:
                self._pending[self._filled : self._filled + count] = rows[start : start + count]
                self._filled += count
                if self._filled == STRIP_ROWS:
                    self._filled = 0
                    yield self._pending
            start += count

    def _lie_of_strips(self) -> list[tuple[int, int]]:
        """Offset and bytes of each strip of a file whose samples were written as they came."""
        height, width, channels = self._shape
        row_bytes = width * channels * self._dtype.itemsize
        return [
            (self._first + y * row_bytes, min(STRIP_ROWS, height - y) * row_bytes)
            for y in range(0, height, STRIP_ROWS)
        ]

    def _write_strip(self, strip: NDArray[Any]) -> None:
        planes = np.moveaxis(strip, 2, 0)[..., None] if len(self._strips) > 1 else (strip,)
        for strips, plane in zip(self._strips, planes, strict=True):
            data = np.ascontiguousarray(plane, self._stored)
            offset = self._file.position
            self._file.write(_compress(data) if self._compressed else data.data)
            strips.append((offset, self._file.position - offset))

    def _write_directory(self, strips: list[tuple[int, int]], link: int) -> int:
        """Append a directory, note its offset at ``link``; returns where the next link is."""
        offset_format, count_format, inline = ("<Q", "<Q", 8) if self._big else ("<I", "<H", 4)
        self._file.write(bytes(-self._file.position % 8))
        entries = self._entries(strips)
        start = self._file.position
        table = struct.pack(count_format, len(entries))
        spill_at = start + len(table) + len(entries) * (4 + 2 * inline) + inline
        spill = b""
        for entry in entries:
            payload = entry.payload()
            count = len(payload) // struct.calcsize(_CODES.get(entry.type, "B"))
            table += struct.pack("<HH", entry.tag, entry.type)
            table += struct.pack(offset_format, count)
            if len(payload) <= inline:
                table += payload.ljust(inline, b"\0")
            else:
                table += struct.pack(offset_format, spill_at + len(spill))
                spill += payload + bytes(-len(payload) % 8)
        next_link = start + len(table)
        self._file.write(table + bytes(inline) + spill)
        self._file.overwrite(link, struct.pack(offset_format, start))
        return next_link

    def _entries(self, strips: list[tuple[int, int]]) -> list[_Entry]:
        height, width, channels = self._shape
        samples = 1 if self._pages > 1 else channels
        where = _LONG8 if self._big else _LONG
        entries = [
            _Entry(256, _LONG, [width]),
            _Entry(257, _LONG, [height]),
            _Entry(258, _SHORT, [8 * self._dtype.itemsize] * samples),
            _Entry(259, _SHORT, [_ZSTD if self._compressed else _NO_COMPRESSION]),
            _Entry(262, _SHORT, [_RGB if samples == 3 else _GREY]),
            _Entry(270, _ASCII, self._description),
            _Entry(273, where, [offset for offset, _ in strips]),
            _Entry(277, _SHORT, [samples]),
            _Entry(278, _LONG, [STRIP_ROWS]),
            _Entry(279, where, [count for _, count in strips]),
            _Entry(284, _SHORT, [1]),
            _Entry(339, _SHORT, [_SAMPLE_FORMATS[self._dtype.kind]] * samples),
        ]
        if self._compressed:
            entries.insert(-1, _Entry(317, _SHORT, [_HORIZONTAL_DIFFERENCE]))
        return entries


def _compress(strip: NDArray[Any]) -> bytes | bytearray:
    import imagecodecs

    difference: Any = imagecodecs.delta_encode(strip, axis=1)
    return imagecodecs.zstd_encode(difference, level=ZSTD_LEVEL)
