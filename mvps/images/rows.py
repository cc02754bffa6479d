"""Rows of an image, whatever its format: the door through which pixels come in."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mvps.images.info import ImageRef
from mvps.images.probe import DEFAULT_MAX_PIXELS, read_header
from mvps.images.reader import RowReader
from mvps.images.source import decoding

__all__ = ["RowReader", "open_rows", "read_image"]


def open_rows(ref: ImageRef, *, max_pixels: int = DEFAULT_MAX_PIXELS) -> RowReader:
    """Reader of the rows of an image.

    Memory is bounded by the rows asked for, or by one strip or row of tiles, where `info.by_rows`
    says so; JPEG and interlaced PNG are decoded whole at the first read and kept until `close`.

    Raises
    ------
    ImageError
        As `mvps.images.probe.probe`; from `read_rows` when damage shows only in decoding.
    """
    return read_header(ref, max_pixels=max_pixels).open()


def read_image(ref: ImageRef, *, max_pixels: int = DEFAULT_MAX_PIXELS) -> NDArray[Any]:
    """Whole image ``(H, W)`` or ``(H, W, 3)`` in RGB order, uint8, uint16 or float32.

    Raises
    ------
    ImageError
        As `open_rows`.
    """
    reader = open_rows(ref, max_pixels=max_pixels)
    try:
        with decoding(ref.path):
            image = np.empty(reader.info.shape, reader.info.dtype)
        reader.read_rows(0, reader.info.height, image)
    finally:
        reader.close()
    return image
