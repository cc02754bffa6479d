"""The interface of every reader, and the reader of plain samples that serves several formats."""

from __future__ import annotations

from abc import ABC, abstractmethod
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from mvps.errors import ImageError
from mvps.images.info import ImageInfo
from mvps.images.source import REWRITE, SourceFile, decoding


class RowReader(Protocol):
    """Rows of one image; meant for increasing rows, right in any order, one reader per thread."""

    info: ImageInfo

    def read_rows(self, y0: int, y1: int, out: NDArray[Any]) -> None:
        """Fill `out` ``(y1-y0, W[,3])`` of `info.dtype`, RGB order, with rows y0 to y1-1."""
        ...

    def close(self) -> None:
        """Release the file and what was decoded; closing twice is harmless."""
        ...


class Header(Protocol):
    """A header that was read and checked: what it says, and the reader of its rows."""

    @property
    def info(self) -> ImageInfo:
        """What the header says."""
        ...

    def open(self) -> RowReader:
        """Open the reader of this image."""
        ...


def check_rows(info: ImageInfo, y0: int, y1: int, out: NDArray[Any]) -> None:
    """Raise `ValueError` unless rows y0 to y1 exist and `out` has their shape and dtype."""
    if not 0 <= y0 <= y1 <= info.height:
        raise ValueError(f"rows {y0} to {y1} of {info.height}")
    if out.shape != info.rows_shape(y1 - y0) or out.dtype != info.dtype:
        wanted = f"{info.rows_shape(y1 - y0)} {info.dtype}"
        raise ValueError(f"out is {out.shape} {out.dtype}; {wanted} expected")


class BaseRows(ABC):
    """Checks arguments and turns decoder failures into `ImageError`; formats implement `_fill`."""

    def __init__(self, info: ImageInfo) -> None:
        self.info = info

    def read_rows(self, y0: int, y1: int, out: NDArray[Any]) -> None:
        """Fill `out` with rows y0 to y1-1; see `RowReader`."""
        check_rows(self.info, y0, y1, out)
        if y0 < y1:
            with decoding(self.info.path):
                self._fill(y0, y1, out)

    @abstractmethod
    def _fill(self, y0: int, y1: int, out: NDArray[Any]) -> None: ...

    @abstractmethod
    def close(self) -> None:
        """Release the file and what was decoded."""


class FileRows(BaseRows):
    """A reader that keeps its file open and reuses one scratch buffer."""

    def __init__(self, info: ImageInfo) -> None:
        super().__init__(info)
        self._file = SourceFile(info.path)
        self._scratch = np.empty(0, np.uint8)

    def _buffer(self, count: int) -> NDArray[np.uint8]:
        """`count` bytes of scratch, grown when needed and never shrunk."""
        if self._scratch.size < count:
            self._scratch = np.empty(count, np.uint8)
        return self._scratch[:count]

    def close(self) -> None:
        """Close the file and drop the scratch buffer."""
        self._file.close()
        self._scratch = np.empty(0, np.uint8)


@dataclass(frozen=True)
class Run:
    """Rows first to last-1 of one plane, stored one after the other from byte `offset`."""

    first: int
    last: int
    offset: int


class PlainRows(FileRows):
    """Reader of uncompressed samples: TIFF strips, NPY and unpacked raw frames.

    Parameters
    ----------
    info : the image
    planes : runs of rows in order, one sequence for interleaved samples or one for each channel
    stored : sample type in the file, byte order included
    samples : samples a pixel in each plane; those beyond `info.channels` are dropped
    """

    def __init__(
        self,
        info: ImageInfo,
        planes: Sequence[Sequence[Run]],
        stored: np.dtype[Any],
        samples: int = 1,
    ) -> None:
        super().__init__(info)
        self._planes = planes[: info.channels]
        self._firsts = [[run.first for run in runs] for runs in self._planes]
        self._stored = stored
        self._samples = samples
        self._row_bytes = info.width * samples * stored.itemsize
        same_layout = len(self._planes) == 1 and samples == info.channels
        self._direct = same_layout and stored.newbyteorder("=") == info.dtype

    def _fill(self, y0: int, y1: int, out: NDArray[Any]) -> None:
        if self._direct and out.flags.c_contiguous:
            self._load(0, y0, y1, out.reshape(y1 - y0, -1).view(np.uint8))
            if not self._stored.isnative:
                out.byteswap(inplace=True)
            return
        rows = self._buffer((y1 - y0) * self._row_bytes).reshape(y1 - y0, -1)
        pixels = rows.view(self._stored).reshape(y1 - y0, self.info.width, self._samples)
        with np.errstate(over="ignore"):
            for plane in range(len(self._planes)):
                self._load(plane, y0, y1, rows)
                if len(self._planes) > 1:
                    out[..., plane] = pixels[..., 0]
                else:
                    out[...] = pixels[..., : self.info.channels].reshape(out.shape)

    def _load(self, plane: int, y0: int, y1: int, rows: NDArray[np.uint8]) -> None:
        runs = self._planes[plane]
        index = bisect_right(self._firsts[plane], y0) - 1
        y = y0
        while y < y1:
            if index >= len(runs):
                raise ImageError(self.info.path, f"has no data for row {y}", REWRITE)
            run = runs[index]
            end = min(y1, run.last)
            offset = run.offset + (y - run.first) * self._row_bytes
            self._file.read_into(offset, rows[y - y0 : end - y0])
            y, index = end, index + 1
