"""Normal maps as text, ``normal.txt`` of the DiLiGenT benchmark: a row of x, y, z for each pixel.

Pixels follow each other along the rows of the image; the size stands elsewhere.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mvps.errors import ImageError
from mvps.images.encodings import convention_signs, decode_floats
from mvps.images.source import decoding


def read_text_normals(
    path: Path, width: int, height: int, *, convention: str = "opengl"
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Normal map of a text file, as :func:`mvps.images.maps.read_normals` returns it.

    Parameters
    ----------
    path : text with width * height rows of three numbers
    width, height : of the map, in pixels
    convention : of the stored vectors

    Raises
    ------
    ImageError
        Missing, not numbers, or another count of them.
    """
    with decoding(path), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # NumPy's, for an empty file
        try:
            values = np.loadtxt(path, dtype=np.float32, ndmin=2, max_rows=width * height + 1)
        except ValueError as error:
            raise ImageError(path, f"is no table of numbers ({error})") from None
    if values.shape != (width * height, 3):
        rows, columns = values.shape
        more = "more than " if rows > width * height else ""
        raise ImageError(
            path,
            f"holds {more}{min(rows, width * height)} rows of {columns} numbers, the images have "
            f"{width}x{height} pixels",
            f"{width * height} rows of three are expected",
        )
    return decode_floats(values.reshape(height, width, 3), signs=convention_signs(convention))
