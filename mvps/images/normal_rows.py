"""Rows of a normal map, and how it was stored, so that another can be written like it.

TIFF and PNG stream; OpenEXR, JPEG XL, NumPy and MATLAB maps are read whole.
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from mvps.images.encodings import (
    NORMAL_ENCODINGS,
    convention_signs,
    decode_floats,
    dequantise,
)
from mvps.images.info import ImageInfo, ImageRef
from mvps.images.maps import DEFAULT_CONVENTION, read_normals, read_statement
from mvps.images.probe import DEFAULT_MAX_PIXELS, probe
from mvps.images.rows import RowReader, open_rows

_STREAMED = ("tiff", "png")
_WHOLE = {".exr": "exr", ".jxl": "jxl8", ".npy": "npy"}
_BY_SAMPLES = {("png", 8): "png8", ("png", 16): "png16"}


class NormalRows:
    """A normal map that is open for reading; a context manager that closes it.

    Parameters
    ----------
    path : a map of any kind that :func:`mvps.images.maps.read_normals` reads
    convention : of the stored vectors where the file does not say; opengl by default

    Attributes
    ----------
    width, height : in pixels
    encoding : name of the encoding that stores a map like this one
    convention : signs of the stored vectors, as far as they are known
    statement : what the file says of itself, empty where it says nothing

    Raises
    ------
    ImageError, InputError, MissingExtraError
        As of ``read_normals``, here and from :meth:`read`.
    """

    def __init__(
        self, path: Path, convention: str | None = None, max_pixels: int = DEFAULT_MAX_PIXELS
    ) -> None:
        self.path = path
        self.statement: dict[str, Any] = read_statement(path, max_pixels)
        self.convention = str(self.statement.get("convention", convention or DEFAULT_CONVENTION))
        self._signs = convention_signs(self.convention)
        self._files = ExitStack()
        self._reader: RowReader | None = None
        info = _streamed(path, max_pixels)
        if info is None:
            self._whole = read_normals(path, convention=convention, max_pixels=max_pixels)
            self.height, self.width = self._whole[1].shape
        else:
            self._reader = open_rows(ImageRef(path), max_pixels=max_pixels)
            self._files.callback(self._reader.close)
            self.height, self.width = info.height, info.width
        self.encoding = _encoding(path, self.statement, info)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; a second time does nothing."""
        self._files.close()

    def read(self, y0: int, y1: int) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Rows y0 to y1 - 1: unit normals (n, W, 3) in the house frame and validity (n, W)."""
        if self._reader is None:
            normals, valid = self._whole
            return normals[y0:y1], valid[y0:y1]
        info = self._reader.info
        samples = np.empty(info.rows_shape(y1 - y0), info.dtype)
        self._reader.read_rows(y0, y1, samples)
        if samples.dtype.kind == "f":
            return decode_floats(samples, signs=self._signs)
        return dequantise(samples, signs=self._signs)


def _streamed(path: Path, max_pixels: int) -> ImageInfo | None:
    """Header of a map that can be read by rows; ``read_normals`` says what is wrong with others."""
    if path.suffix.lower() not in {".tif", ".tiff", ".png"}:
        return None
    info = probe(ImageRef(path), max_pixels=max_pixels)
    fits = info.format in _STREAMED and info.by_rows and info.channels == 3 and info.pages == 1
    return info if fits else None


def _encoding(path: Path, statement: dict[str, Any], info: ImageInfo | None) -> str:
    stated = statement.get("encoding")
    if stated in NORMAL_ENCODINGS:
        return str(stated)
    if info is None:
        return _WHOLE.get(path.suffix.lower(), "f32")
    if info.dtype.kind == "f":
        return "f32"
    return _BY_SAMPLES.get((info.format, info.dtype.itemsize * 8), "tiff")
