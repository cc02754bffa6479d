"""JPEG XL normal maps: lossless 8-bit, in a container whose ``xml`` box carries the description.

Boxes after ISO/IEC 18181-2, the image size in the first bits of the codestream after 18181-1;
the codec itself is libjxl through imagecodecs.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape, unescape

from numpy.typing import NDArray

from mvps.errors import ImageError
from mvps.images.gathered import GatheringWriter
from mvps.images.source import check_size, decoding

CODESTREAM = b"\xff\x0a"
CONTAINER = b"\0\0\0\x0cJXL \r\n\x87\n"
_FILE_TYPE = struct.pack(">I4s4sI4s", 20, b"ftyp", b"jxl ", 0, b"jxl ")
_OPEN, _CLOSE = "<mvps>", "</mvps>"
_EFFORT = 1
# Width over height, by the 3-bit code of the size header; 0 means that the width is written out.
_RATIOS = {1: (1, 1), 2: (12, 10), 3: (4, 3), 4: (3, 2), 5: (16, 9), 6: (5, 4), 7: (2, 1)}
_SIZE_BITS = (9, 13, 18, 30)


class JxlWriter(GatheringWriter):
    """A JPEG XL image of uint8 or uint16; arguments as of :class:`GatheringWriter`."""

    def finish(self) -> None:
        """Compress, write and close."""
        import imagecodecs

        data = imagecodecs.jpegxl_encode(self._whole(), effort=_EFFORT, lossless=True, numthreads=1)
        text = f"{_OPEN}{escape(self._description)}{_CLOSE}".encode()
        self._file.write(CONTAINER + _FILE_TYPE + _box(b"xml ", text))
        self._file.write(_box_header(b"jxlc", len(data)))
        self._file.write(data)
        self._file.close()


def read_jxl(path: Path, data: bytes, max_pixels: int) -> NDArray[Any]:
    """Decode an RGB image (H, W, 3) of uint8, uint16 or a float dtype.

    Raises
    ------
    ImageError
        Damaged, larger than ``max_pixels``, or not RGB.
    """
    import imagecodecs

    with decoding(path):
        width, height = _size(data)
        check_size(path, width, height, max_pixels)
        image: NDArray[Any] = imagecodecs.jpegxl_decode(data, numthreads=1)
    if image.ndim != 3 or image.shape[2] not in (3, 4):
        raise ImageError(path, "is not an RGB image", "a normal map has three channels")
    return image[..., :3]


def jxl_description(data: bytes) -> str:
    """Text that `JxlWriter` put beside the image, or an empty string."""
    try:
        for name, payload in _boxes(data):
            if name == b"xml ":
                text = bytes(payload).decode("utf-8", "replace")
                if text.startswith(_OPEN) and text.endswith(_CLOSE):
                    return unescape(text[len(_OPEN) : -len(_CLOSE)])
    except ValueError:
        pass
    return ""


def _box_header(name: bytes, length: int) -> bytes:
    if length + 8 < 1 << 32:
        return struct.pack(">I4s", length + 8, name)
    return struct.pack(">I4sQ", 1, name, length + 16)


def _box(name: bytes, payload: bytes) -> bytes:
    return _box_header(name, len(payload)) + payload


def _boxes(data: bytes) -> Iterator[tuple[bytes, memoryview]]:
    """Boxes of a container; none for a bare codestream."""
    view = memoryview(data)
    at = 0 if data.startswith(CONTAINER) else len(data)
    while at + 8 <= len(data):
        length, name = struct.unpack_from(">I4s", data, at)
        start = at + 8
        if length == 1 and start + 8 <= len(data):
            (length,) = struct.unpack_from(">Q", data, start)
            start += 8
        end = at + length if length else len(data)
        if end < start or end > len(data):
            raise ValueError("a box reaches beyond the file")
        yield name, view[start:end]
        at = end


def _size(data: bytes) -> tuple[int, int]:
    """Width and height out of the codestream's first bits."""
    head = data[:32]
    for name, payload in _boxes(data):
        if name in (b"jxlc", b"jxlp"):
            head = bytes(payload[4 * (name == b"jxlp") :][:32])
            break
    if not head.startswith(CODESTREAM):
        raise ValueError("no codestream")
    bits = _Bits(head[2:])
    small = bits.take(1)
    height = _side(bits, small)
    ratio = bits.take(3)
    if ratio:
        numerator, denominator = _RATIOS[ratio]
        return height * numerator // denominator, height
    return _side(bits, small), height


class _Bits:
    """Little-endian bit reader."""

    def __init__(self, data: bytes) -> None:
        self._value = int.from_bytes(data, "little")
        self._left = 8 * len(data)

    def take(self, count: int) -> int:
        self._left -= count
        if self._left < 0:
            raise ValueError("out of bits")
        value = self._value & ((1 << count) - 1)
        self._value >>= count
        return value


def _side(bits: _Bits, small: int) -> int:
    if small:
        return 8 * (bits.take(5) + 1)
    return 1 + bits.take(_SIZE_BITS[bits.take(2)])
