"""Windows bitmaps of 8, 24 and 32 bits a pixel, uncompressed: plain reads of rows."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mvps.errors import ImageError
from mvps.images.info import ImageInfo, ImageRef
from mvps.images.reader import FileRows, RowReader
from mvps.images.source import REWRITE, SourceFile, check_page, check_size

SIGNATURE = b"BM"
_FILE_HEADER = 14
_INFO_HEADER = struct.Struct("<IiiHHIIiiII")
_PLAIN, _BITFIELDS = 0, 3
_REFUSED = {1: "run-length coding", 2: "run-length coding", 4: "JPEG", 5: "PNG"}
_BGR_MASKS = struct.pack("<III", 0xFF0000, 0xFF00, 0xFF)
_V4_HEADER = 108
_SRGB = b"BGRs"
_SAVE = "save it as 8-bit grey or 24-bit BMP without compression, or as TIFF or PNG"


@dataclass(frozen=True)
class BmpHeader:
    """A checked bitmap header and the place of its rows."""

    info: ImageInfo
    offset: int
    pixel_bytes: int
    top_down: bool

    @property
    def stride(self) -> int:
        """Bytes of a stored row, padded to four."""
        return -(-self.info.width * self.pixel_bytes // 4) * 4

    def open(self) -> RowReader:
        """Open the reader of this image."""
        return BmpRows(self)


def read_bmp_header(file: SourceFile, ref: ImageRef, max_pixels: int) -> BmpHeader:
    """Read and check a bitmap up to its pixels, and that all its rows are there."""
    path = file.path
    check_page(path, ref.page, 1)
    start = file.read(0, _FILE_HEADER + 4)
    offset, header_size = struct.unpack_from("<II", start, 10)
    if header_size < _INFO_HEADER.size:
        raise ImageError(path, "is an OS/2 bitmap or damaged", _SAVE)
    fields = _INFO_HEADER.unpack(file.read(_FILE_HEADER, _INFO_HEADER.size))
    _, width, height, _, bits, compression, _, _, _, colours, _ = fields
    check_size(path, width, abs(height), max_pixels)
    if compression not in (_PLAIN, _BITFIELDS):
        raise ImageError(path, f"uses {_REFUSED.get(compression, 'an unknown coding')}", _SAVE)
    if bits not in (8, 24, 32):
        raise ImageError(path, f"has {bits} bits a pixel", _SAVE)
    _check_colours(file, header_size, bits, compression, colours)
    space = file.read(_FILE_HEADER + 56, 4) if header_size >= _V4_HEADER else b""
    info = ImageInfo(
        path=path,
        page=0,
        pages=1,
        width=width,
        height=abs(height),
        channels=1 if bits == 8 else 3,
        dtype=np.dtype(np.uint8),
        bits=8,
        format="bmp",
        compression="none",
        by_rows=True,
        srgb=space == _SRGB,
        notes=("fourth byte of each pixel dropped",) if bits == 32 else (),
    )
    header = BmpHeader(info, offset, bits // 8, height < 0)
    end = offset + header.stride * info.height
    if end > file.size or offset < _FILE_HEADER + header_size:
        raise ImageError(path, f"is truncated: {file.size} of {end} bytes are there", REWRITE)
    return header


def _check_colours(
    file: SourceFile, header_size: int, bits: int, compression: int, colours: int
) -> None:
    """Refuse palettes other than the grey ramp and channels in another order than BGR."""
    if bits == 8:
        count = colours or 256
        if count > 256:
            raise ImageError(file.path, f"has a palette of {count} colours", REWRITE)
        data = file.read(_FILE_HEADER + header_size, count * 4)
        palette = np.frombuffer(data, np.uint8).reshape(-1, 4)[:, :3]
        if (palette != np.arange(count, dtype=np.uint8)[:, None]).any():
            raise ImageError(file.path, "uses a palette that is not the plain grey ramp", _SAVE)
    elif compression == _BITFIELDS:
        masks = file.read(_FILE_HEADER + _INFO_HEADER.size, 12)
        if bits != 32 or masks != _BGR_MASKS:
            raise ImageError(file.path, "has an unusual order of channels", _SAVE)


class BmpRows(FileRows):
    """Reader of bitmap rows, stored bottom-up or top-down."""

    def __init__(self, header: BmpHeader) -> None:
        super().__init__(header.info)
        self._header = header

    def _fill(self, y0: int, y1: int, out: NDArray[Any]) -> None:
        header, info = self._header, self.info
        first = y0 if header.top_down else info.height - y1
        data = self._buffer((y1 - y0) * header.stride)
        self._file.read_into(header.offset + first * header.stride, data)
        rows = data.reshape(y1 - y0, header.stride)[:, : info.width * header.pixel_bytes]
        if not header.top_down:
            rows = rows[::-1]
        if info.channels == 1:
            out[...] = rows
        else:
            pixels = rows.reshape(y1 - y0, info.width, header.pixel_bytes)
            for channel in range(3):
                out[..., channel] = pixels[..., 2 - channel]
