"""Rows of a TIFF page: plain reads for uncompressed strips, one decoded band for all else."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mvps.errors import ImageError
from mvps.images.info import ImageInfo
from mvps.images.reader import FileRows, PlainRows, RowReader, Run
from mvps.images.source import REWRITE
from mvps.images.tiff_layout import TiffLayout


def open_tiff_rows(info: ImageInfo, layout: TiffLayout) -> RowReader:
    """The reader that fits the layout of a page."""
    if layout.plain:
        return PlainRows(info, _runs(info, layout), layout.stored, layout.samples_per_plane)
    return BandRows(info, layout)


def _runs(info: ImageInfo, layout: TiffLayout) -> list[list[Run]]:
    """Runs of rows of each plane; strips that follow each other in the file become one run."""
    strip_bytes = layout.tile_height * layout.segment_row_bytes
    planes: list[list[Run]] = []
    for offsets in np.array(layout.offsets, np.int64).reshape(-1, layout.down):
        breaks = np.flatnonzero(np.diff(offsets) != strip_bytes) + 1
        first = [0, *breaks.tolist()]
        rows = [strip * layout.tile_height for strip in first] + [info.height]
        starts = offsets[first].tolist()
        planes.append([Run(*run) for run in zip(rows[:-1], rows[1:], starts, strict=True)])
    return planes


class BandRows(FileRows):
    """Reader of compressed strips, tiles and packed samples, one decoded band at a time.

    A band is one strip, or one row of tiles, of every plane; the last one decoded is kept.
    """

    def __init__(self, info: ImageInfo, layout: TiffLayout) -> None:
        super().__init__(info)
        self._layout = layout
        self._band = np.empty((0, 0, 0), layout.stored.newbyteorder("="))
        self._index = -1

    def _fill(self, y0: int, y1: int, out: NDArray[Any]) -> None:
        height = self._layout.tile_height
        y = y0
        while y < y1:
            band = self._load(y // height)
            first = y // height * height
            end = min(y1, first + height)
            rows = band[y - first : end - first, : self.info.width, : self.info.channels]
            with np.errstate(over="ignore"):
                out[y - y0 : end - y0] = rows.reshape((end - y, *out.shape[1:]))
            y = end

    def close(self) -> None:
        """Close the file and drop the decoded band."""
        super().close()
        self._band = self._band[:0]
        self._index = -1

    def _load(self, index: int) -> NDArray[Any]:
        """The decoded band ``(rows, padded width, samples)`` in native byte order."""
        if index == self._index:
            return self._band
        layout = self._layout
        self._index = -1
        first = index * layout.tile_height
        left = layout.tile_height if layout.tiled else self.info.height - first
        rows = min(layout.tile_height, left)
        shape = (layout.tile_height, layout.across * layout.tile_width, layout.samples)
        if self._band.shape != shape:
            self._band = np.empty(shape, self._band.dtype)
        planes = self.info.channels if layout.planar else 1
        for plane in range(planes):
            channels = slice(plane, plane + 1) if layout.planar else slice(None)
            for column in range(layout.across):
                segment = (plane * layout.down + index) * layout.across + column
                x = column * layout.tile_width
                columns = slice(x, x + layout.tile_width)
                self._band[:rows, columns, channels] = self._segment(segment, rows)
        self._index = index
        return self._band

    def _segment(self, index: int, rows: int) -> NDArray[Any]:
        """One decoded strip or tile ``(rows, tile width, samples of the plane)``."""
        layout = self._layout
        data = self._file.read(layout.offsets[index], layout.counts[index])
        full = self._buffer(layout.tile_height * layout.segment_row_bytes)
        decoded = decompress(data, layout.compression, full)
        wanted = rows * layout.segment_row_bytes
        if decoded.size < wanted:
            found = f"strip or tile {index} holds {decoded.size} of {wanted} bytes"
            raise ImageError(self.info.path, f"is truncated or damaged: {found}", REWRITE)
        return unpack(decoded[:wanted], rows, layout)


def decompress(data: bytes, compression: str, out: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The decoded bytes of a segment, never more than `out` holds."""
    import imagecodecs

    if compression == "none":
        return np.frombuffer(data, np.uint8)
    decoders = {
        "lzw": imagecodecs.lzw_decode,
        "deflate": imagecodecs.deflate_decode,
        "packbits": imagecodecs.packbits_decode,
        "zstd": imagecodecs.zstd_decode,
    }
    decoded: NDArray[np.uint8] = np.asarray(decoders[compression](data, out=out.data))
    return decoded


def unpack(data: NDArray[np.uint8], rows: int, layout: TiffLayout) -> NDArray[Any]:
    """Samples ``(rows, tile width, samples)`` in native byte order, predictor undone."""
    import imagecodecs

    native = layout.stored.newbyteorder("=")
    shape = (rows, layout.tile_width, layout.samples_per_plane)
    samples: NDArray[Any]
    if layout.packed:
        row = layout.tile_width * layout.samples_per_plane
        code = data.tobytes()
        samples = imagecodecs.packints_decode(code, native, layout.stored_bits, runlen=row)
        return samples.reshape(shape)
    samples = data.view(layout.stored).reshape(shape)
    if layout.predictor == 3:
        return np.asarray(imagecodecs.floatpred_decode(samples, axis=1))
    samples = samples.astype(native, copy=False)
    if layout.predictor == 2:
        # Differences are taken of the bit patterns, whatever the samples mean.
        patterns = samples.view(f"u{native.itemsize}")
        samples = imagecodecs.delta_decode(patterns, axis=1, out=patterns).view(native)
    return samples
