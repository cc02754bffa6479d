"""Small pictures of large maps, gathered while the rows stream past.

A pixel of the preview is the mean of valid normals of its block, made a unit vector again; of a
large block two or more rows are read.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from mvps import native
from mvps.images.encodings import quantise
from mvps.images.png_writer import PngWriter

PREVIEW_LIMIT = 1024
ROWS_AT_ONCE = 32  # of the preview that are added up side by side


class BlockSums:
    """Sums over square blocks of pixels, fed with any number of rows at a time.

    The compiled core adds where it is there; NumPy differs from it by rounding.

    Parameters
    ----------
    width, height : of the map, in pixels
    channels : samples a pixel
    factor : width of a block; blocks at the right and lower edge may be smaller
    tall : height of a block, by default its width
    """

    def __init__(
        self, width: int, height: int, channels: int, factor: int, tall: int | None = None
    ) -> None:
        self._factor = factor
        self._tall = tall or factor
        self._width, self._height = width, height
        self._row = 0
        shape = (-(-height // self._tall), -(-width // factor), channels)
        self.sums = np.zeros(shape, np.float32)
        self._pattern = np.tile(np.eye(channels, dtype=np.float32), (factor, 1))
        self._core = native.library()
        self._down = np.zeros((width, channels) if self._core else 0, np.float32)

    def add_rows(self, rows: NDArray[Any], valid: NDArray[Any] | None = None) -> None:
        """Add rows (n, W, channels) float32, which follow those added before.

        Parameters
        ----------
        valid : (n, W) bool or uint8; pixels where it is 0 are left out, whatever they hold
        """
        if self._row + len(rows) > self._height:
            raise ValueError(f"{self._row + len(rows)} rows for a map of {self._height}")
        if not len(rows):
            return
        if self._core is not None:
            flags = None if valid is None else _dense(valid.view(np.uint8), np.uint8)
            self._add_compiled(self._core, _dense(rows, np.float32), flags)
            return
        if valid is not None and not valid.all():
            rows = np.where(valid.astype(np.bool_)[..., None], rows, np.float32(0))
        self._add_numpy(rows)

    def _add_compiled(
        self, core: native.Library, rows: NDArray[Any], flags: NDArray[Any] | None
    ) -> None:
        block, inside = divmod(self._row, self._tall)
        self._row += len(rows)
        core.mvps_block_sums(
            rows.ctypes.data,
            rows.strides[0] // rows.itemsize,
            None if flags is None else flags.ctypes.data,
            0 if flags is None else flags.strides[0],
            len(rows),
            *self._down.shape,
            self._factor,
            self._tall,
            inside,
            self._row == self._height,
            self._down.ctypes.data,
            self.sums[block:].ctypes.data,
        )

    def _add_numpy(self, rows: NDArray[Any]) -> None:
        start = 0
        while start < len(rows):
            block, inside = divmod(self._row, self._tall)
            if inside == 0 and len(rows) - start >= self._tall:
                count = (len(rows) - start) // self._tall * self._tall
            else:
                count = min(self._tall - inside, len(rows) - start)
            blocks = max(1, count // self._tall)
            tall = rows[start : start + count].reshape(blocks, count // blocks, -1)
            # Down first: that reads each sample once, in order, and leaves little to add across.
            down = tall.sum(axis=1, dtype=np.float32)
            self._add_across(self.sums[block : block + blocks], down)
            start += count
            self._row += count

    def _add_across(self, sums: NDArray[np.float32], down: NDArray[np.float32]) -> None:
        blocks, columns, channels = sums.shape
        whole = self._width // self._factor
        samples = down.reshape(blocks, self._width, channels)
        cut = whole * self._factor
        # A product with ones and zeros adds up short runs several times as fast as a sum does.
        tiles = samples[:, :cut].reshape(blocks, whole, self._factor * channels)
        sums[:, :whole] += tiles @ self._pattern
        if whole < columns:
            sums[:, whole] += samples[:, cut:].sum(axis=1)


def _dense(rows: NDArray[Any], dtype: DTypeLike) -> NDArray[Any]:
    """The same rows, each of them one run of samples; the rows may lie apart."""
    rows = np.asarray(rows, dtype)
    return rows if rows[0].flags.c_contiguous else np.ascontiguousarray(rows)


class PreviewAccumulator:
    """8-bit normal map of bounded size, from the rows of a large one.

    Parameters
    ----------
    width, height : of the map, in pixels
    limit : longest side of the preview; the map is reduced by the whole factor
        ceil(max(width, height) / limit)
    """

    def __init__(self, width: int, height: int, limit: int = PREVIEW_LIMIT) -> None:
        self.factor = -(-max(width, height) // limit)
        # Two rows of a block show as much as all of them and are read in a fraction of the time.
        self.step = max(step for step in _divisors(self.factor) if 2 * step <= max(self.factor, 2))
        self._tall = self.factor // self.step
        self._width = width
        self._left = -(-height // self.step)  # rows that are still to be added up
        self._row = 0
        self._picture = np.empty((-(-height // self.factor), -(-width // self.factor), 3), np.uint8)
        self._done = 0
        self._begin()

    def add_rows(self, normals: NDArray[np.float32], valid: NDArray[Any]) -> None:
        """Add rows, which follow those added before; any number at a time.

        Parameters
        ----------
        normals : (n, W, 3) float32 unit vectors; ignored where invalid
        valid : (n, W) bool or uint8
        """
        first = -self._row % self.step
        self._row += len(normals)
        normals, valid = normals[first :: self.step], valid[first :: self.step]
        while len(normals):
            count = min(len(normals), self._lacking)
            self._blocks.add_rows(normals[:count], valid[:count])
            self._left -= count
            self._lacking -= count
            if self._lacking == 0:
                self._complete()
            normals, valid = normals[count:], valid[count:]

    def finish(self) -> NDArray[np.uint8]:
        """The preview, (h, w, 3) uint8 RGB; black where a block has no valid pixel."""
        return self._picture

    def _begin(self) -> None:
        """Sums for the next few rows of the preview; those of all would be the largest buffer."""
        self._lacking = min(ROWS_AT_ONCE * self._tall, self._left)
        self._blocks = BlockSums(self._width, self._lacking, 3, self.factor, self._tall)

    def _complete(self) -> None:
        sums = self._blocks.sums
        length = np.sqrt(np.einsum("...c,...c->...", sums, sums))
        valid = length > 0
        sums /= np.where(valid, length, 1)[..., None]
        end = self._done + len(sums)
        self._picture[self._done : end] = quantise(sums, valid, np.uint8)
        self._done = end
        if self._left:
            self._begin()


def _divisors(number: int) -> list[int]:
    return [candidate for candidate in range(1, number + 1) if number % candidate == 0]


def write_png(path: Path, array: NDArray[np.uint8]) -> None:
    """Write an RGB picture (h, w, 3) or a grey one (h, w).

    Raises
    ------
    MvpsError
        The file cannot be written; nothing is left of it.
    """
    height, width = array.shape[:2]
    writer = PngWriter(path, width, height, array.shape[2] if array.ndim == 3 else 1, array.dtype)
    try:
        writer.write_rows(array)
        writer.finish()
    except BaseException:
        writer.abort()
        raise
