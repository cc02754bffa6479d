"""Rows of JPEG and interlaced PNG: the image is decoded at the first read and kept until close.

Without the compiled core every PNG is read so.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from mvps.errors import ImageError
from mvps.images.info import ImageInfo
from mvps.images.reader import BaseRows, RowReader
from mvps.images.source import REWRITE, SourceFile


@dataclass(frozen=True)
class WholeHeader:
    """A checked PNG or JPEG header."""

    info: ImageInfo

    def open(self) -> RowReader:
        """Open the reader of this image."""
        return WholeRows(self.info)


class WholeRows(BaseRows):
    """Reader that decodes the whole image at the first read."""

    def __init__(self, info: ImageInfo) -> None:
        super().__init__(info)
        self._image: NDArray[Any] | None = None
        self._closed = False

    def _fill(self, y0: int, y1: int, out: NDArray[Any]) -> None:
        if self._closed:
            raise ValueError("reader is closed")
        if self._image is None:
            self._image = _decode(self.info)
        out[...] = self._image[y0:y1]

    def close(self) -> None:
        """Drop the decoded image."""
        self._image = None
        self._closed = True


def _decode(info: ImageInfo) -> NDArray[Any]:
    """The image in RGB order without alpha, checked against the header."""
    import imagecodecs

    with SourceFile(info.path) as file:
        data = file.read(0, file.size)
    decoder = imagecodecs.png_decode if info.format == "png" else imagecodecs.jpeg8_decode
    image: NDArray[Any] = decoder(data)
    if image.ndim == 3:
        # Grey with alpha has 2 samples, RGB with alpha 4.
        image = image[..., 0] if info.channels == 1 else image[..., :3]
    if image.shape != info.shape or image.dtype != info.dtype:
        found = f"{image.shape} {image.dtype}"
        raise ImageError(info.path, f"decodes to {found}, its header says {info.shape}", REWRITE)
    return image
