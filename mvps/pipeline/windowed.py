"""Rows of one image restricted to a window, and the two ways to bin them."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from mvps.images import BayerReader, ImageInfo, ImageRef, RowReader, Window, open_rows


class WindowedRows:
    """A row reader that sees only a window; rows count from the window's top."""

    def __init__(self, reader: RowReader, window: Window) -> None:
        self._reader = reader
        self._window = window
        self._wide = np.empty(0)

    @classmethod
    def open(cls, ref: ImageRef, window: Window | None, bayer: str | None, max_pixels: int) -> Self:
        """Open one image, whole without a window; demosaics where a pattern is declared."""
        reader = open_rows(ref, max_pixels=max_pixels)
        whole = Window(0, 0, reader.info.width, reader.info.height)
        return cls(BayerReader(reader, bayer) if bayer else reader, window or whole)

    def close(self) -> None:
        """Close the file."""
        self._reader.close()

    @property
    def info(self) -> ImageInfo:
        """Of the whole image."""
        return self._reader.info

    @property
    def raw_shape(self) -> tuple[int, int, np.dtype[Any]]:
        """Height, width and type, to compare with what was planned."""
        return self.info.height, self.info.width, self.info.dtype

    def read(self, y0: int, y1: int, out: NDArray[Any]) -> None:
        """Fill ``out`` (y1 - y0, width[, 3]), contiguous, with raw samples."""
        window, info = self._window, self.info
        top, bottom = window.y + y0, window.y + y1
        if window.width == info.width:
            self._reader.read_rows(top, bottom, out)
            return
        if len(self._wide) < y1 - y0:
            self._wide = self.empty(y1 - y0, info.width)
        wide = self._wide[: y1 - y0]
        self._reader.read_rows(top, bottom, wide)
        out[...] = wide[:, window.columns]

    def empty(self, rows: int, width: int | None = None) -> NDArray[Any]:
        """Uninitialised rows in the image's type."""
        shape = (rows, self._window.width if width is None else width)
        return np.empty(
            shape if self.info.channels == 1 else (*shape, self.info.channels), self.info.dtype
        )


def bin_mean(rows: NDArray[np.float32], edge: int) -> NDArray[np.float32]:
    """Mean of each ``edge`` x ``edge`` square; (n, W[, 3]) to (n // edge, W // edge[, 3]).

    Columns beyond the last whole square are dropped.
    """
    if edge == 1:
        return rows
    mean: NDArray[np.float32] = _squares(rows, edge).mean(axis=(1, 3), dtype=np.float32)
    return mean


def bin_all(flags: NDArray[np.bool_], edge: int) -> NDArray[np.bool_]:
    """True where each of the ``edge`` x ``edge`` flags is; (n, W) to (n // edge, W // edge)."""
    if edge == 1:
        return np.ascontiguousarray(flags)
    return np.ascontiguousarray(_squares(flags, edge).all(axis=(1, 3)))


def _squares(rows: NDArray[Any], edge: int) -> NDArray[Any]:
    height, width = rows.shape[0] // edge, rows.shape[1] // edge
    cut = rows[: height * edge, : width * edge]
    return cut.reshape(height, edge, width, edge, *rows.shape[2:])
