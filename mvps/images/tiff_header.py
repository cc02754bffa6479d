"""One page of a TIFF file: what is supported, and where its strips or tiles lie (TIFF 6.0)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mvps.errors import ImageError
from mvps.images.exif import EXIF_DIRECTORY, ORIENTATION, icc_is_srgb, orientation_of, says_srgb
from mvps.images.info import ImageInfo, ImageRef
from mvps.images.reader import RowReader
from mvps.images.source import REWRITE, SourceFile, check_page, check_size
from mvps.images.tiff_layout import TiffLayout
from mvps.images.tiff_rows import open_tiff_rows
from mvps.images.tiff_tags import Tags, TiffDirectories

# Bands up to this height count as reading by rows; a taller one is nearly the whole image.
_MAX_BAND_ROWS = 512
# A tile may exceed the image by its padding, not by more.
_MAX_PADDING = 4
_SMALL_TILE = 1 << 22

_SUBFILE, _WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC = 254, 256, 257, 258, 259, 262
_FILL_ORDER, _STRIP_OFFSETS, _SAMPLES, _ROWS_PER_STRIP, _STRIP_COUNTS = 266, 273, 277, 278, 279
_MAX_VALUE, _PLANAR, _PREDICTOR, _TILE_WIDTH, _TILE_HEIGHT = 281, 284, 317, 322, 323
_TILE_OFFSETS, _TILE_COUNTS, _EXTRA, _SAMPLE_FORMAT, _ICC = 324, 325, 338, 339, 34675
_WANTED = frozenset({
    _SUBFILE, _WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC, _FILL_ORDER, _STRIP_OFFSETS,
    _SAMPLES, _ROWS_PER_STRIP, _STRIP_COUNTS, _MAX_VALUE, _PLANAR, _PREDICTOR, _TILE_WIDTH,
    _TILE_HEIGHT, _TILE_OFFSETS, _TILE_COUNTS, _EXTRA, _SAMPLE_FORMAT, _ICC, ORIENTATION,
    EXIF_DIRECTORY,
})  # fmt: skip

_COMPRESSIONS = {
    1: "none", 5: "lzw", 8: "deflate", 32946: "deflate", 32773: "packbits", 50000: "zstd",
}  # fmt: skip
_REFUSED_COMPRESSIONS = {
    2: "CCITT", 3: "CCITT fax", 4: "CCITT fax", 6: "JPEG", 7: "JPEG", 34712: "JPEG 2000",
    34887: "LERC", 34925: "LZMA", 34933: "PNG", 50001: "WebP", 50002: "JPEG XL", 52546: "JPEG XL",
}  # fmt: skip
_MIN_IS_WHITE, _MIN_IS_BLACK, _RGB, _CFA, _LINEAR_RAW = 0, 1, 2, 32803, 34892
_REFUSED_COLOURS = {3: "a colour palette", 4: "a mask", 5: "CMYK", 6: "YCbCr", 8: "CIE Lab"}
_UNSIGNED, _FLOAT, _UNDEFINED = 1, 3, 4
_REFUSED_SAMPLES = {2: "signed integer", 5: "complex", 6: "complex"}
_ALPHA = (1, 2)
_SAVE = "save it as grey or RGB of 8 or 16 bits, uncompressed or with LZW, deflate or zstd"


@dataclass(frozen=True)
class TiffHeader:
    """A checked page of a TIFF file."""

    info: ImageInfo
    layout: TiffLayout

    def open(self) -> RowReader:
        """Open the reader of this page."""
        return open_tiff_rows(self.info, self.layout)


def count_tiff_pages(file: SourceFile) -> int:
    """Number of pages in the chain of a TIFF file."""
    return sum(1 for _ in TiffDirectories(file).pages())


def read_tiff_header(file: SourceFile, ref: ImageRef, max_pixels: int) -> TiffHeader:
    """Read and check the page that `ref` names."""
    directories = TiffDirectories(file)
    pages = list(directories.pages())
    check_page(file.path, ref.page, len(pages))
    page = _Page(file.path, directories.tags(pages[ref.page], _WANTED))
    width, height = page.size(max_pixels)
    channels, notes = page.channels()
    layout = page.layout(directories.order, width, height)
    _check_segments(file, layout, height)
    profile = page.tags.get(_ICC)
    stored = layout.stored
    info = ImageInfo(
        path=file.path,
        page=ref.page,
        pages=len(pages),
        width=width,
        height=height,
        channels=channels,
        dtype=np.dtype(np.float32) if stored.kind == "f" else np.dtype(f"u{stored.itemsize}"),
        bits=min(layout.stored_bits, 32) if stored.kind == "u" else 32,
        format="tiff",
        compression=layout.compression,
        by_rows=layout.plain or layout.tile_height <= _MAX_BAND_ROWS,
        orientation=orientation_of(page.tags),
        srgb=says_srgb(directories, page.tags)
        or (profile is not None and icc_is_srgb(profile.tobytes())),
        notes=notes + page.remarks(stored),
    )
    return TiffHeader(info, layout)


def _check_segments(file: SourceFile, layout: TiffLayout, height: int) -> None:
    offsets = np.array(layout.offsets, np.uint64)
    counts = np.array(layout.counts, np.uint64)
    size = np.uint64(file.size)
    # The sum cannot wrap where both terms are within the file.
    beyond = (offsets > size) | (counts > size) | (offsets + counts > size)
    if beyond.any():
        text = f"is truncated: {int(beyond.sum())} of {len(offsets)} strips or tiles are cut off"
        raise ImageError(file.path, text, REWRITE)
    if not counts.all():
        raise ImageError(file.path, "has strips or tiles without data", REWRITE)
    if layout.compression == "none":
        first = np.arange(layout.down) * layout.tile_height
        rows = np.minimum(
            layout.tile_height, layout.tile_height if layout.tiled else height - first
        )
        wanted = np.repeat(rows, layout.across) * layout.segment_row_bytes
        short = counts.reshape(-1, wanted.size) < wanted.astype(np.uint64)
        if short.any():
            text = f"is damaged: {int(short.sum())} strips or tiles are shorter than their rows"
            raise ImageError(file.path, text, REWRITE)


class _Page:
    """Questions to the tags of one page."""

    def __init__(self, path: Path, tags: Tags) -> None:
        self.path = path
        self.tags = tags

    def one(self, tag: int, default: int) -> int:
        value = self.tags.get(tag)
        return int(value[0]) if value is not None and value.size else default

    def same(self, tag: int, default: int, what: str) -> int:
        """The value that all channels share."""
        values = set(self.tags[tag].tolist()) if tag in self.tags else {default}
        if len(values) != 1:
            raise self.refuse(f"has channels of unequal {what}")
        return int(values.pop())

    def refuse(self, what: str, remedy: str = _SAVE) -> ImageError:
        return ImageError(self.path, what, remedy)

    def size(self, max_pixels: int) -> tuple[int, int]:
        width, height = self.one(_WIDTH, 0), self.one(_HEIGHT, 0)
        check_size(self.path, width, height, max_pixels)
        return width, height

    def channels(self) -> tuple[int, tuple[str, ...]]:
        """1 or 3 channels, and notes on what was dropped or read in another way."""
        samples = self.one(_SAMPLES, 1)
        colour = self.one(_PHOTOMETRIC, _MIN_IS_BLACK)
        if colour == _MIN_IS_WHITE:
            raise self.refuse("counts 0 as white (MinIsWhite)", "save it with 0 as black")
        if colour not in (_MIN_IS_BLACK, _RGB, _CFA, _LINEAR_RAW):
            kind = _REFUSED_COLOURS.get(colour, f"colour space {colour}")
            raise self.refuse(f"uses {kind}, which is not supported")
        notes: list[str] = []
        channels = 3 if colour == _RGB else 1
        if channels == 1 and samples == 3:
            channels = 3
            notes.append("three samples a pixel, not declared as RGB, read as RGB")
        if colour == _CFA:
            notes.append("colour filter array, read as grey unless a Bayer pattern is stated")
        extra = self.tags.get(_EXTRA, np.zeros(1, np.uint16))
        alpha = channels == 3 or (extra.size > 0 and int(extra[0]) in _ALPHA)
        if samples == channels + 1 and alpha:
            notes.append("alpha channel dropped")
        elif samples != channels:
            raise self.refuse(f"has {samples} samples a pixel of unknown meaning")
        return channels, tuple(notes)

    def stored(self) -> tuple[int, np.dtype[Any]]:
        """Bits of a sample in the file, and the type that holds it."""
        bits = self.same(_BITS, 1, "depth")
        kind = self.same(_SAMPLE_FORMAT, _UNSIGNED, "sample format")
        if kind in _REFUSED_SAMPLES:
            raise self.refuse(f"has {_REFUSED_SAMPLES[kind]} samples, which are not supported")
        if kind == _FLOAT and bits in (16, 32, 64):
            return bits, np.dtype(f"f{bits // 8}")
        if kind in (_UNSIGNED, _UNDEFINED) and bits in (8, 10, 12, 14, 16):
            return bits, np.dtype("u1" if bits == 8 else "u2")
        raise self.refuse(f"has {bits}-bit samples (sample format {kind}), which are not supported")

    def layout(self, order: Literal["<", ">"], width: int, height: int) -> TiffLayout:
        bits, stored = self.stored()
        tiled = _TILE_WIDTH in self.tags
        if tiled:
            tile = self.one(_TILE_WIDTH, 0), self.one(_TILE_HEIGHT, 0)
            offsets, counts = self.segments(_TILE_OFFSETS), self.segments(_TILE_COUNTS)
        else:
            tile = width, min(self.one(_ROWS_PER_STRIP, height), height)
            offsets, counts = self.segments(_STRIP_OFFSETS), self.segments(_STRIP_COUNTS)
        if min(tile) < 1 or tile[0] * tile[1] > max(_MAX_PADDING * width * height, _SMALL_TILE):
            raise self.refuse(f"has tiles of {tile[0]}x{tile[1]}", REWRITE)
        samples = self.one(_SAMPLES, 1)
        planar = self.one(_PLANAR, 1) == 2 and samples > 1
        across, down = -(-width // tile[0]), -(-height // tile[1])
        expected = across * down * (samples if planar else 1)
        if min(offsets.size, counts.size) < expected:
            found = min(offsets.size, counts.size)
            raise self.refuse(f"lists {found} strips or tiles, {expected} expected", REWRITE)
        layout = TiffLayout(
            stored_bits=bits,
            stored=stored.newbyteorder(order),
            samples=samples,
            planar=planar,
            compression=self.compression(),
            predictor=self.one(_PREDICTOR, 1),
            tiled=tiled,
            tile_width=tile[0],
            tile_height=tile[1],
            across=across,
            down=down,
            offsets=tuple(offsets[:expected].tolist()),
            counts=tuple(counts[:expected].tolist()),
        )
        self.check_coding(layout)
        return layout

    def segments(self, tag: int) -> NDArray[Any]:
        """Offsets or byte counts; unsigned, so that no read can start before the file."""
        value = self.tags.get(tag, np.zeros(0, np.uint32))
        if value.dtype.kind != "u":
            raise self.refuse("has strips or tiles at negative positions", REWRITE)
        return value

    def compression(self) -> str:
        code = self.one(_COMPRESSION, 1)
        if code not in _COMPRESSIONS:
            name = _REFUSED_COMPRESSIONS.get(code, f"number {code}")
            raise self.refuse(f"uses TIFF compression {name}, which is not supported")
        return _COMPRESSIONS[code]

    def check_coding(self, layout: TiffLayout) -> None:
        if self.one(_FILL_ORDER, 1) != 1:
            raise self.refuse("stores bits in reverse (FillOrder 2), which is not supported")
        allowed = {1} if layout.compression == "none" or layout.packed else {1, 2}
        if layout.stored.kind == "f" and layout.compression != "none":
            allowed |= {3}
        if layout.predictor not in allowed:
            raise self.refuse(f"uses predictor {layout.predictor} where it is not supported")

    def remarks(self, stored: np.dtype[Any]) -> tuple[str, ...]:
        notes: list[str] = []
        if self.one(_SUBFILE, 0) & 1:
            notes.append("declared as a reduced-resolution copy")
        if stored.kind == "f" and stored.itemsize != 4:
            notes.append(f"float{stored.itemsize * 8} samples read as float32")
        limit = self.one(_MAX_VALUE, 0)
        if stored.kind == "u" and 0 < limit < (1 << stored.itemsize * 8) - 1:
            notes.append(f"MaxSampleValue is {limit}; not used as white")
        return tuple(notes)
