"""PNG files by hand: every colour type, the filter of each row and the borders of IDAT chosen."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

SIGNATURE = b"\x89PNG\r\n\x1a\n"
COLOURS = {1: 0, 2: 4, 3: 2, 4: 6}
NONE, SUB, UP, AVERAGE, PAETH = range(5)


def chunk(kind: bytes, data: bytes) -> bytes:
    """One chunk of a file."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def noise(
    height: int, width: int, samples: int, bits: int, rng: np.random.Generator
) -> NDArray[np.uint8 | np.uint16]:
    """Random samples (height, width, samples); half of the images have few values, for ties."""
    values = rng.integers(0, 1 << bits, 3) if rng.random() < 0.5 else np.arange(1 << bits)
    return rng.choice(values, (height, width, samples)).astype(f"u{bits // 8}")


def predictor(kind: int, a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    """Clause 9.2 to the letter; a is left, b above and c left above."""
    if kind == PAETH:
        p = a + b - c
        pa, pb, pc = abs(p - a), abs(p - b), abs(p - c)
        return np.where((pa <= pb) & (pa <= pc), a, np.where(pb <= pc, b, c))
    return {NONE: 0 * a, SUB: a, UP: b, AVERAGE: (a + b) // 2}[kind]


def filtered(image: np.ndarray, filters: Sequence[int]) -> bytes:
    """Rows with their filter byte, in file order; one filter for each row."""
    height, width, samples = image.shape
    pixel = samples * image.dtype.itemsize
    rows = image.astype(image.dtype.newbyteorder(">")).view(np.uint8).reshape(height, -1)
    padded = np.zeros((height + 1, pixel + width * pixel), int)
    padded[1:, pixel:] = rows
    lines = []
    for y, kind in enumerate(filters):
        a, b, c = padded[y + 1, :-pixel], padded[y, pixel:], padded[y, :-pixel]
        line = (padded[y + 1, pixel:] - predictor(kind, a, b, c)) & 255
        lines.append(bytes([kind]) + line.astype(np.uint8).tobytes())
    return b"".join(lines)


def split(data: bytes, cuts: Sequence[int]) -> list[bytes]:
    """Parts of `data` between the cuts; equal cuts give empty parts."""
    ends = [0, *sorted(cuts), len(data)]
    return [data[i:j] for i, j in pairwise(ends)]


def head(height: int, width: int, samples: int, bits: int, methods: bytes = bytes(3)) -> bytes:
    """The header chunk."""
    return chunk(b"IHDR", struct.pack(">IIBB", width, height, bits, COLOURS[samples]) + methods)


def png(header: bytes, parts: Sequence[bytes], *, before: bytes = b"", after: bytes = b"") -> bytes:
    """A file of `parts` in one IDAT chunk each."""
    body = b"".join(chunk(b"IDAT", part) for part in parts)
    return SIGNATURE + header + before + body + after + chunk(b"IEND", b"")


def encode(image: np.ndarray, filters: Sequence[int], cuts: Sequence[int] = ()) -> bytes:
    """A file of an image (H, W, samples); `cuts` are places in the compressed data."""
    height, width, samples = image.shape
    data = zlib.compress(filtered(image, filters), 6)
    bits = 8 * image.dtype.itemsize
    return png(head(height, width, samples, bits), split(data, [c % (len(data) + 1) for c in cuts]))
