"""Header of a JPEG file: the walk over its markers (ITU-T T.81, annex B).

libjpeg fills what a truncated file lacks with grey and says nothing, so the end is looked for here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np

from mvps.errors import ImageError
from mvps.images.exif import icc_is_srgb, read_exif
from mvps.images.info import ImageInfo, ImageRef
from mvps.images.source import REWRITE, SourceFile, check_page, check_size
from mvps.images.whole_rows import WholeHeader

SIGNATURE = b"\xff\xd8\xff"
_END = b"\xff\xd9"
_START_OF_SCAN = 0xDA
_EXIF, _ICC = 0xE1, 0xE2
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_HUFFMAN_FRAMES = {0xC0: "baseline", 0xC1: "extended", 0xC2: "progressive"}
_SAVE = "save it as 8-bit grey or RGB JPEG, or better as TIFF or PNG"


def read_jpeg_header(file: SourceFile, ref: ImageRef, max_pixels: int) -> WholeHeader:
    """Read and check a JPEG file up to its first scan, and that it ends as it should."""
    path = file.path
    check_page(path, ref.page, 1)
    frame, orientation, srgb, scan = None, 1, False, 0
    for marker, offset, count in _segments(file):
        if marker in _FRAMES:
            if marker not in _HUFFMAN_FRAMES:
                raise ImageError(path, "is a lossless or arithmetic-coded JPEG", _SAVE)
            frame = marker, file.read(offset, count)
        elif marker == _EXIF:
            data = file.read(offset, count)
            if data.startswith(b"Exif\0\0"):
                orientation, exif_srgb = read_exif(path, data[6:])
                srgb |= exif_srgb
        elif marker == _ICC:
            data = file.read(offset, count)
            srgb |= data.startswith(b"ICC_PROFILE\0") and icc_is_srgb(data)
        scan = offset + count
    if frame is None or len(frame[1]) < 6:
        raise ImageError(path, "is a damaged JPEG file (no frame header)", REWRITE)
    kind, data = frame
    width, height = int.from_bytes(data[3:5], "big"), int.from_bytes(data[1:3], "big")
    check_size(path, width, height, max_pixels)
    if data[0] != 8 or data[5] not in (1, 3):
        kinds = {4: "CMYK"}.get(data[5], f"{data[5]} components")
        raise ImageError(path, f"is a {data[0]}-bit JPEG of {kinds}", _SAVE)
    _check_end(file, scan)
    info = ImageInfo(
        path=path,
        page=0,
        pages=1,
        width=width,
        height=height,
        channels=data[5],
        dtype=np.dtype(np.uint8),
        bits=8,
        format="jpeg",
        compression=f"{_HUFFMAN_FRAMES[kind]} JPEG",
        by_rows=False,
        orientation=orientation,
        srgb=srgb,
        notes=("lossy compression",),
    )
    return WholeHeader(info)


def _segments(file: SourceFile) -> Iterator[tuple[int, int, int]]:
    """Marker, offset of the data and size of each segment, the first scan header included."""
    offset = 2
    while True:
        prefix, marker = file.read(offset, 2)
        if prefix != 0xFF:
            raise ImageError(file.path, f"is damaged (no JPEG marker at byte {offset})", REWRITE)
        if marker == 0xFF:
            offset += 1
            continue
        if marker == _END[1]:
            raise ImageError(file.path, "is truncated (JPEG without pixels)", REWRITE)
        count = int.from_bytes(file.read(offset + 2, 2), "big")
        if count < 2 or offset + 2 + count > file.size:
            raise ImageError(file.path, "is truncated within its JPEG header", REWRITE)
        yield marker, offset + 4, count - 2
        if marker == _START_OF_SCAN:
            return
        offset += 2 + count


def _check_end(file: SourceFile, scan: int) -> None:
    if file.size - scan >= 2 and file.read(file.size - 2, 2) == _END:
        return
    # Padding or another picture may follow; inside a scan FF is always stuffed, so FF D9 is an end.
    if re.search(re.escape(_END), file.read(scan, file.size - scan)) is None:
        raise ImageError(file.path, "is truncated (JPEG without its end)", REWRITE)
