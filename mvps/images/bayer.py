"""Colours from a Bayer mosaic, by OpenCV's bilinear interpolation.

OpenCV's older names (`COLOR_BayerBG2RGB`) tell the second and third pixel of the second row, not
the pattern at the origin; the names with four letters tell the pattern and are used here.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from mvps.errors import ImageError, InputError
from mvps.images.info import ImageInfo
from mvps.images.reader import BaseRows, RowReader

Pattern = Literal["rggb", "bggr", "grbg", "gbrg"]

# Rows that the interpolation of a row depends on, to either side, kept even so that the pattern
# of a strip is the pattern of the image.
_HALO = 2
_SMALLEST = 4


def check_pattern(pattern: str) -> None:
    """Raise `InputError` unless `pattern` names a Bayer pattern."""
    if pattern not in get_args(Pattern):
        known = ", ".join(get_args(Pattern))
        raise InputError("Bayer pattern", f"unknown pattern {pattern!r}", f"use {known}")


def demosaic(pattern: str, rows: NDArray[Any]) -> NDArray[Any]:
    """RGB ``(n, W, 3)`` of a mosaic ``(n, W)``, uint8 or uint16.

    Parameters
    ----------
    pattern : colours of the first two rows from the top left: rggb, bggr, grbg or gbrg
    rows : whole mosaic, or rows that begin with an even row of it

    Raises
    ------
    InputError
        The pattern is unknown.
    """
    import cv2

    check_pattern(pattern)
    code: int = getattr(cv2, f"COLOR_Bayer{pattern.upper()}2RGB")
    return np.asarray(cv2.demosaicing(rows, code))


class BayerReader(BaseRows):
    """Rows of RGB from the rows of a grey reader, equal to those of the whole mosaic.

    Parameters
    ----------
    reader : reader of the mosaic; closed with this one
    pattern : rggb, bggr, grbg or gbrg

    Raises
    ------
    InputError
        The pattern is unknown.
    ImageError
        The image is not a grey image of 8 or 16 bits, or smaller than 4x4.
    """

    def __init__(self, reader: RowReader, pattern: str) -> None:
        check_pattern(pattern)
        mosaic = reader.info
        if mosaic.channels != 1 or mosaic.dtype.kind != "u":
            kind = f"{mosaic.channels} channel(s) of {mosaic.dtype}"
            raise ImageError(mosaic.path, f"has {kind}, not a mosaic", "drop the Bayer pattern")
        if min(mosaic.width, mosaic.height) < _SMALLEST:
            raise ImageError(mosaic.path, "is too small to demosaic", "use at least 4x4 pixels")
        super().__init__(bayer_info(mosaic, pattern))
        self._reader = reader
        self._pattern = pattern

    def _fill(self, y0: int, y1: int, out: NDArray[Any]) -> None:
        top = max(0, y0 // 2 * 2 - _HALO)
        bottom = min(self.info.height, y1 + _HALO)
        mosaic = np.empty((bottom - top, self.info.width), self.info.dtype)
        self._reader.read_rows(top, bottom, mosaic)
        out[...] = demosaic(self._pattern, mosaic)[y0 - top : y1 - top]

    def close(self) -> None:
        """Close the reader of the mosaic."""
        self._reader.close()


def bayer_info(mosaic: ImageInfo, pattern: str) -> ImageInfo:
    """What the RGB image made of a mosaic will be."""
    notes = (*mosaic.notes, f"RGB interpolated from a {pattern} mosaic")
    return replace(mosaic, channels=3, notes=notes)
