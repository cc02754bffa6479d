"""Directories and tags of TIFF, BigTIFF and EXIF blocks (TIFF 6.0, section 2; BigTIFF).

A reader of its own so that a damaged directory costs nothing: every count is held against the
size of the file before it is believed, and chains of pages cannot run in circles.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mvps.errors import ImageError
from mvps.images.source import REWRITE, Bytes

_TYPES = {
    1: "u1", 2: "u1", 3: "u2", 4: "u4", 6: "i1", 7: "u1", 8: "i2", 9: "i4", 11: "f4", 12: "f8",
    13: "u4", 16: "u8", 17: "i8", 18: "u8",
}  # fmt: skip

Tags = dict[int, NDArray[Any]]


class TiffDirectories:
    """Walks the directories of a TIFF file or EXIF block.

    Parameters
    ----------
    source : bytes that begin with a TIFF header
    """

    def __init__(self, source: Bytes) -> None:
        self._source = source
        head = source.read(0, 8)
        self.order: Literal["<", ">"] = ">" if head.startswith(b"MM") else "<"
        version = struct.unpack(f"{self.order}H", head[2:4])[0]
        if head[:2] not in (b"II", b"MM") or version not in (42, 43):
            raise ImageError(source.path, "has no TIFF header", REWRITE)
        self._big = version == 43
        self._count_code, self._offset_code = ("Q", "Q") if self._big else ("H", "I")
        self._entry_bytes = 20 if self._big else 12
        if self._big and struct.unpack(f"{self.order}HH", head[4:]) != (8, 0):
            raise ImageError(source.path, "has an unknown kind of BigTIFF header", REWRITE)
        self._first = self._number(self._offset_code, 8 if self._big else 4)

    def pages(self) -> Iterator[int]:
        """Offsets of the directories in file order."""
        offset, seen = self._first, set[int]()
        while offset:
            if offset in seen:
                raise ImageError(self._source.path, "has pages that run in a circle", REWRITE)
            seen.add(offset)
            yield offset
            entries = self._entries(offset)
            offset = self._number(self._offset_code, self._entries_at(offset) + len(entries))

    def tags(self, offset: int, wanted: frozenset[int]) -> Tags:
        """Values of the `wanted` tags of the directory at `offset`, as native 1-D arrays."""
        found: Tags = {}
        entries = self._entries(offset)
        for start in range(0, len(entries), self._entry_bytes):
            tag, kind = struct.unpack_from(f"{self.order}HH", entries, start)
            if tag in wanted and tag not in found and kind in _TYPES:
                found[tag] = self._value(entries[start + 4 : start + self._entry_bytes], kind)
        return found

    def _number(self, code: str, offset: int) -> int:
        data = self._source.read(offset, struct.calcsize(f"={code}"))
        return int(struct.unpack(f"{self.order}{code}", data)[0])

    def _entries_at(self, offset: int) -> int:
        return offset + struct.calcsize(f"={self._count_code}")

    def _entries(self, offset: int) -> bytes:
        count = self._number(self._count_code, offset)
        return self._source.read(self._entries_at(offset), count * self._entry_bytes)

    def _value(self, field: bytes, kind: int) -> NDArray[Any]:
        count = struct.unpack_from(f"{self.order}{self._offset_code}", field)[0]
        inline = field[len(field) // 2 :]
        dtype = np.dtype(_TYPES[kind]).newbyteorder(self.order)
        size = count * dtype.itemsize
        if size > len(inline):
            at = struct.unpack(f"{self.order}{self._offset_code}", inline)[0]
            inline = self._source.read(at, size)
        return np.frombuffer(inline, dtype, count).astype(dtype.newbyteorder("="))
