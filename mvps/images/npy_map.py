"""Normal maps as NumPy files: written row by row (NEP 1, version 1.0), read in any memory order.

The images' own reader streams rows and so refuses Fortran order; truth maps are often stored in it.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from mvps.errors import ImageError
from mvps.images.output_file import OutputFile
from mvps.images.source import check_size, decoding

MAGIC = b"\x93NUMPY"
_KINDS = {"float16", "float32", "float64", "uint8", "uint16"}


class NpyWriter:
    """An array (height, width, 3) that grows by rows.

    Parameters
    ----------
    path : where to write
    width, height : of the map, in pixels; three channels
    dtype : of the samples

    Raises
    ------
    MvpsError
        From every method: the file cannot be written.
    """

    def __init__(self, path: Path, width: int, height: int, dtype: DTypeLike) -> None:
        self._dtype = np.dtype(dtype).newbyteorder("<")
        self._height = height
        self._received = 0
        header = io.BytesIO()
        np.lib.format.write_array_header_1_0(
            header,
            {
                "descr": np.lib.format.dtype_to_descr(self._dtype),
                "fortran_order": False,
                "shape": (height, width, 3),
            },
        )
        self._file = OutputFile(path, header.getvalue())

    def write_rows(self, rows: NDArray[Any]) -> None:
        """Append rows (n, W, 3); any n."""
        self._received += len(rows)
        self._file.write(np.ascontiguousarray(rows, self._dtype).data)

    def finish(self) -> None:
        """Close."""
        if self._received != self._height:
            raise ValueError(f"{self._received} of {self._height} rows were written")
        self._file.close()

    def abort(self) -> None:
        """Close and remove the file."""
        self._file.abort()


def read_npy(path: Path, max_pixels: int) -> NDArray[Any]:
    """Array (H, W, 3) of a NumPy file, float, uint8 or uint16; pickles are never opened.

    Raises
    ------
    ImageError
        Damaged, of another shape or type, or larger than ``max_pixels``.
    """
    with decoding(path):
        # A map takes no memory before its header has been judged, and refuses short files.
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    if array.ndim != 3 or array.shape[2] != 3:
        raise ImageError(path, f"has shape {array.shape}", "a normal map is H x W x 3")
    if array.dtype.name not in _KINDS:
        raise ImageError(path, f"holds {array.dtype} samples", "save float, uint8 or uint16")
    check_size(path, array.shape[1], array.shape[0], max_pixels)
    return np.ascontiguousarray(array)
