"""The common part of writers whose codec wants the whole map: it gathers the rows in memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from mvps.images.output_file import OutputFile


class GatheringWriter:
    """Keeps the rows of an RGB map until all are there; formats add ``finish``.

    Parameters
    ----------
    path : where to write; claimed at once, so that a folder that cannot be written is found early
    width, height : of the image, in pixels
    dtype : of the samples; three channels
    description : text that the file carries

    Raises
    ------
    MvpsError
        The file cannot be written.
    """

    def __init__(
        self, path: Path, width: int, height: int, dtype: DTypeLike, *, description: str = ""
    ) -> None:
        self._path = path
        self._rows = np.empty((height, width, 3), dtype)
        self._filled = 0
        self._description = description
        self._file = OutputFile(path)

    def write_rows(self, rows: NDArray[Any]) -> None:
        """Keep rows (n, W, 3)."""
        self._rows[self._filled : self._filled + len(rows)] = rows
        self._filled += len(rows)

    def _whole(self) -> NDArray[Any]:
        if self._filled != len(self._rows):
            raise ValueError(f"{self._filled} of {len(self._rows)} rows were written")
        return self._rows

    def abort(self) -> None:
        """Close and remove the file."""
        self._file.abort()
