"""Rows of a PNG as they are asked for: ISA-L inflates, the compiled core undoes the filters.

After the PNG specification (third edition), clauses 5, 9 and 10. Every checksum is verified on the
way: CRC-32 of an IDAT chunk, Adler-32 of the zlib stream. Memory: some rows, never the image.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
from isal import isal_zlib
from numpy.typing import NDArray

from mvps import native
from mvps.errors import ImageError
from mvps.images.info import ImageInfo
from mvps.images.reader import FileRows, RowReader
from mvps.images.source import REWRITE, SourceFile

_CHUNK = struct.Struct(">I4s")
_IDAT = b"IDAT"
_IDAT_SUM = isal_zlib.crc32(_IDAT)
# Bytes read at once; what becomes of them stays in the second-level cache.
_WINDOW = 1 << 16
# Bytes inflated at once, which a reader holds until they are asked for.
_INFLATED = 1 << 17
# Checksums of up to 5 KiB keep the interpreter lock. Handing it over takes longer than a small
# chunk does, and libpng writes thousands of those.
_LOCKED, _SMALL = 4096, 1 << 14
# Bytes that the compiled core may touch behind a line.
_SLACK = 8


@dataclass(frozen=True)
class PngHeader:
    """A checked header of a PNG that is read by rows.

    Parameters
    ----------
    info : the image
    samples : of a pixel in the file, alpha included: 1 to 4
    data : offset of the first IDAT chunk
    """

    info: ImageInfo
    samples: int
    data: int

    def open(self) -> RowReader:
        """Open the reader of this image."""
        return PngRows(self)


class PngRows(FileRows):
    """Reader of rows in increasing order; going back starts again at the top.

    Needs the compiled core.
    """

    def __init__(self, header: PngHeader) -> None:
        super().__init__(header.info)
        self._header = header
        row_bytes = header.info.width * header.samples * header.info.dtype.itemsize
        self._stored = 1 + row_bytes
        self._lines = np.empty((2, row_bytes + _SLACK), np.uint8)
        self._stream: _Inflated | None = None
        self._piece = b""
        self._at = 0
        self._next = 0

    def _fill(self, y0: int, y1: int, out: NDArray[Any]) -> None:
        stream = self._stream
        if stream is None or y0 < self._next:
            stream = self._rewind()
        # Kept only while all is well: a reader that failed starts again.
        self._stream = None
        self._advance(stream, y0, None)
        if out.flags.carray:
            self._advance(stream, y1, out)
        else:
            rows = self._buffer(out.nbytes).view(out.dtype).reshape(out.shape)
            self._advance(stream, y1, rows)
            out[...] = rows
        if y1 == self.info.height:
            stream.finish(len(self._piece) - self._at)
        self._stream = stream

    def close(self) -> None:
        """Close the file and drop what was decoded."""
        super().close()
        self._stream = None
        self._piece = b""
        self._lines = self._lines[:0]

    def _rewind(self) -> _Inflated:
        self._lines[0] = 0
        self._piece, self._at, self._next = b"", 0, 0
        return _Inflated(self._file, self._header.data)

    def _advance(self, stream: _Inflated, stop: int, out: NDArray[Any] | None) -> None:
        """Decode the rows up to `stop` into `out`, which is contiguous, or to nowhere."""
        target = 0 if out is None else out.ctypes.data
        while self._next < stop:
            rows = min(stop - self._next, (len(self._piece) - self._at) // self._stored)
            if rows:
                self._unfilter(self._piece, self._at, rows, target)
                self._at += rows * self._stored
            else:
                rows = 1
                self._unfilter(self._crossing_row(stream), 0, rows, target)
            self._next += rows
            if out is not None:
                target += rows * out.strides[0]

    def _crossing_row(self, stream: _Inflated) -> bytes:
        """The next row, which begins in this piece, if at all, and ends in a later one."""
        parts = [self._piece[self._at :]]
        missing = self._stored - len(parts[0])
        while missing:
            self._piece = stream.read()
            if not self._piece:
                raise ImageError(
                    self.info.path, f"is damaged (no data for row {self._next})", REWRITE
                )
            parts.append(self._piece[:missing])
            self._at = len(parts[-1])
            missing -= self._at
        return b"".join(parts)

    def _unfilter(self, filtered: bytes, at: int, rows: int, target: int) -> None:
        core = native.library()
        assert core is not None
        done = core.mvps_png_unfilter(
            np.frombuffer(filtered, np.uint8).ctypes.data + at,
            rows,
            self.info.width,
            self._header.samples,
            self.info.dtype.itemsize,
            self._lines.ctypes.data,
            target,
        )
        if done < rows:
            row = self._next + done
            raise ImageError(self.info.path, f"is damaged (filter of row {row})", REWRITE)


class _Inflated:
    """The zlib stream in the IDAT chunks of one image."""

    def __init__(self, file: SourceFile, offset: int) -> None:
        self._path = file.path
        self._payload = _Payload(file, offset)
        self._first = self._payload.read()
        # Reserved, and passed over by ISA-L: a window above 32 KiB in the header of the stream.
        if self._first and self._first[0] >> 4 > 7:
            raise ImageError(file.path, "is damaged (window of its compression)", REWRITE)
        self._inflater = isal_zlib.decompressobj()

    def read(self) -> bytes:
        """Some bytes more; none at the end of the stream."""
        while not self._inflater.eof:
            data = self._inflater.unconsumed_tail or self._first or self._payload.read()
            self._first = b""
            piece = self._inflater.decompress(data, _INFLATED)
            if piece:
                return piece
            if not data and not self._inflater.eof:
                raise ImageError(self._path, "is damaged (its pixels end early)", REWRITE)
        return b""

    def finish(self, left: int) -> None:
        """Check that the image took all but `left` bytes of it, and that the stream ends well."""
        if left or self.read():
            raise ImageError(self._path, "is damaged (more pixels than its size)", REWRITE)
        while self._payload.read():
            pass


class _Payload:
    """Data of the IDAT chunks that follow one another from `offset`; each checksum verified.

    Nothing is kept from one read to the next: every light of a stack has a reader of its own.
    """

    def __init__(self, file: SourceFile, offset: int) -> None:
        self._file = file
        self._at = offset
        # Of a chunk that is longer than a read: bytes to come, checksum so far.
        self._left = 0
        self._check = 0

    def read(self) -> bytes | memoryview:
        """Some bytes more; none after the last chunk."""
        while not self._left:
            if data := self._whole_chunks():
                return data
            count, kind = _CHUNK.unpack(self._file.read(self._at, _CHUNK.size))
            if kind != _IDAT:
                return b""
            self._at += _CHUNK.size
            self._left, self._check = count, _IDAT_SUM
            if not count:
                self._end_chunk()
        part = _read(self._file, self._at, self._left)
        self._check = isal_zlib.crc32(part, self._check)
        self._at += len(part)
        self._left -= len(part)
        if not self._left:
            self._end_chunk()
        return part

    def _whole_chunks(self) -> bytes:
        """Data of the IDAT chunks that one read holds whole.

        libpng writes chunks of 8 KiB, thousands to a large image.
        """
        window = _read(self._file, self._at, self._file.size - self._at)
        parts = []
        at = 0
        while at + _CHUNK.size <= len(window):
            count, kind = _CHUNK.unpack_from(window, at)
            start = at + _CHUNK.size
            end = start + count
            if kind != _IDAT or end + 4 > len(window):
                break
            part = window[start:end]
            self._compare(_checksum(part), window[end : end + 4])
            parts.append(part)
            at = end + 4
        self._at += at
        return b"".join(parts)

    def _end_chunk(self) -> None:
        self._compare(self._check, self._file.read(self._at, 4))
        self._at += 4

    def _compare(self, check: int, stored: bytes | memoryview) -> None:
        if check != int.from_bytes(stored, "big"):
            raise ImageError(self._file.path, "is damaged (checksum of its pixels)", REWRITE)


def _checksum(part: memoryview) -> int:
    """CRC of a chunk with these data, of a small one without a turn at the interpreter lock."""
    check = _IDAT_SUM
    step = _LOCKED if len(part) <= _SMALL else len(part)
    for start in range(0, len(part), step):
        check = isal_zlib.crc32(part[start : start + step], check)
    return check


def _read(file: SourceFile, offset: int, most: int) -> memoryview:
    data = np.empty(min(_WINDOW, most), np.uint8)
    file.read_into(offset, data)
    return data.data
