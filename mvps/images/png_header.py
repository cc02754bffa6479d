"""Header of a PNG file and the walk over its chunks (PNG specification, third edition)."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from mvps import native
from mvps.errors import ImageError
from mvps.images.exif import read_exif
from mvps.images.info import ImageInfo, ImageRef
from mvps.images.png_rows import PngHeader
from mvps.images.reader import Header
from mvps.images.source import REWRITE, SourceFile, check_page, check_size
from mvps.images.whole_rows import WholeHeader

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_HEADER = struct.Struct(">IIBBBBB")
_END = struct.pack(">I4sI", 0, b"IEND", zlib.crc32(b"IEND"))
_GREY, _RGB, _PALETTE, _GREY_ALPHA, _RGBA = 0, 2, 3, 4, 6
_CHANNELS = {_GREY: 1, _RGB: 3, _GREY_ALPHA: 1, _RGBA: 3}
_SAMPLES = {_GREY: 1, _RGB: 3, _GREY_ALPHA: 2, _RGBA: 4}
# Deflate cannot do better; a header that claims more describes data that are not there.
_MAX_DEFLATE_RATIO = 1032
_SRGB_GAMMA = 45455
_SRGB_TRANSFER = 13


def read_png_header(file: SourceFile, ref: ImageRef, max_pixels: int) -> Header:
    """Read and check a PNG file up to its pixels, and that it ends as it should."""
    path = file.path
    check_page(path, ref.page, 1)
    start = file.head(33)
    if len(start) < 33 or start[8:16] != b"\0\0\0\rIHDR":
        raise ImageError(path, "is a damaged PNG file (no header chunk)", REWRITE)
    if struct.unpack(">I", start[29:])[0] != zlib.crc32(start[12:29]):
        raise ImageError(path, "is a damaged PNG file (header checksum)", REWRITE)
    width, height, bits, colour, *methods = _HEADER.unpack(start[16:29])
    check_size(path, width, height, max_pixels)
    if colour == _PALETTE:
        raise ImageError(path, "uses a colour palette", "save it as 8-bit grey or RGB")
    if bits not in (8, 16) or colour not in _CHANNELS:
        raise ImageError(path, f"has {bits}-bit samples", "save it as 8- or 16-bit grey or RGB")
    if width * height * _SAMPLES[colour] * bits // 8 > file.size * _MAX_DEFLATE_RATIO:
        what = f"is damaged: {file.size} bytes cannot hold the {width}x{height} pixels it claims"
        raise ImageError(path, what, REWRITE)
    _check_end(file)
    orientation, srgb, notes, data = _before_pixels(file)
    if colour in (_GREY_ALPHA, _RGBA):
        notes.append("alpha channel dropped")
    # The library reads interlaced images, and refuses methods that nobody defined.
    by_rows = not any(methods) and native.library() is not None
    info = ImageInfo(
        path=path,
        page=0,
        pages=1,
        width=width,
        height=height,
        channels=_CHANNELS[colour],
        dtype=np.dtype(f"u{bits // 8}"),
        bits=bits,
        format="png",
        compression="deflate",
        by_rows=by_rows,
        orientation=orientation,
        srgb=srgb,
        notes=tuple(notes),
    )
    return PngHeader(info, _SAMPLES[colour], data) if by_rows else WholeHeader(info)


def _chunks(file: SourceFile) -> Iterator[tuple[bytes, int, int]]:
    """Kind, offset of the data and size of each chunk, checked to lie within the file."""
    offset = len(SIGNATURE)
    while True:
        if offset + 12 > file.size:
            raise ImageError(file.path, "is truncated (no end of PNG)", REWRITE)
        count, kind = struct.unpack(">I4s", file.read(offset, 8))
        if offset + 12 + count > file.size:
            name = kind.decode("ascii") if kind.isalpha() else "last"
            raise ImageError(file.path, f"is truncated within its {name} chunk", REWRITE)
        yield kind, offset + 8, count
        if kind == b"IEND":
            return
        offset += 12 + count


def _check_end(file: SourceFile) -> None:
    if file.read(file.size - len(_END), len(_END)) == _END:
        return
    # Bytes after the end are allowed; the walk over all chunks finds the end before them.
    for _ in _chunks(file):
        pass


def _check_kind(path: Path, kind: bytes) -> None:
    """Refuse what no reader may pass over: a capital letter in front marks a critical chunk."""
    if not kind.isalpha() or (kind[:1].isupper() and kind != b"PLTE"):
        raise ImageError(path, f"is a damaged PNG file (chunk {kind!r})", REWRITE)


def _before_pixels(file: SourceFile) -> tuple[int, bool, list[str], int]:
    """Orientation, sRGB tag and notes from the chunks before the pixels, and where these begin."""
    orientation, srgb, notes = 1, False, list[str]()
    chunks = _chunks(file)
    next(chunks)  # the header
    for kind, offset, count in chunks:
        if kind == b"IDAT":
            return orientation, srgb, notes, offset - 8
        _check_kind(file.path, kind)
        if kind == b"sRGB":
            srgb = True
        elif kind == b"iCCP":
            srgb |= b"sRGB" in file.read(offset, min(count, 80)).split(b"\0")[0]
        elif kind == b"gAMA":
            srgb |= file.read(offset, count) == struct.pack(">I", _SRGB_GAMMA)
        elif kind == b"cICP":
            srgb |= file.read(offset, count)[1:2] == bytes([_SRGB_TRANSFER])
        elif kind == b"sBIT":
            bits = max(file.read(offset, count), default=0)
            notes.append(f"{bits} significant bits declared, samples scaled to full range")
        elif kind == b"tRNS":
            notes.append("transparent colour ignored")
        elif kind == b"eXIf":
            orientation, exif_srgb = read_exif(file.path, file.read(offset, count))
            srgb |= exif_srgb
        elif kind == b"acTL" and int.from_bytes(file.read(offset, count)[:4], "big") != 1:
            raise ImageError(file.path, "is an animated PNG", "save one frame a file")
    raise ImageError(file.path, "is a damaged PNG file (no pixels)", REWRITE)
