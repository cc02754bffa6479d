"""What is known of an image before a pixel is decoded, and what its samples mean.

An image is named by an `ImageRef`, described by an `ImageInfo`, and its sample scale (8 bit, 10 or
12 in 16, left- or right-aligned) is stated by a `SampleFormat`, never guessed.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from mvps.errors import InputError

Packing = Literal["mono12packed", "mono12p", "u8", "u16le", "u16be"]
Alignment = Literal["right", "left"]

# A 16-bit container with less than full range is suspected of these depths, smallest first.
_COMMON_DEPTHS = (10, 12, 14)


@dataclass(frozen=True)
class RawLayout:
    """Layout of a headerless camera frame: rows follow each other without padding.

    Parameters
    ----------
    packing : ``mono12packed`` (GigE Vision), ``mono12p`` (GenICam), ``u8``, ``u16le``, ``u16be``
    width, height : size in pixels
    offset : bytes before the first pixel
    """

    packing: Packing
    width: int
    height: int
    offset: int = 0

    def __post_init__(self) -> None:
        if self.packing not in get_args(Packing):
            known = ", ".join(get_args(Packing))
            raise InputError("raw layout", f"unknown packing {self.packing!r}", f"use {known}")
        if self.width < 1 or self.height < 1 or self.offset < 0:
            raise InputError(
                "raw layout",
                f"{self.width}x{self.height} with offset {self.offset} is not an image",
                "give a width and a height of at least 1 and an offset of at least 0",
            )


@dataclass(frozen=True)
class ImageRef:
    """One image: a file, a page of a TIFF, a plane of an NPY stack, or a headerless frame."""

    path: Path
    page: int = 0
    raw: RawLayout | None = None

    def __post_init__(self) -> None:
        if self.page < 0:
            raise InputError(self.path, f"page {self.page} is negative", "pages count from 0")


@dataclass(frozen=True)
class ImageInfo:
    """What the headers of an image say.

    Parameters
    ----------
    path, page, pages : the file, the page described and how many there are
    width, height : size in pixels, as stored (EXIF orientation is reported, never applied)
    channels : 1 or 3; an alpha channel is dropped and `notes` say so
    dtype : uint8, uint16 or float32, the type that readers deliver
    bits : significant bits that the file declares: 8, 10, 12, 14, 16 or 32
    format, compression : ``tiff``, ``png``, ``bmp``, ``jpeg``, ``npy`` or ``raw``, and the codec
    by_rows : rows are read without decoding the whole image
    orientation : EXIF orientation, 1 when there is none
    srgb : the file is tagged as sRGB
    notes : what a reader does to the data that a user may want to know
    """

    path: Path
    page: int
    pages: int
    width: int
    height: int
    channels: int
    dtype: np.dtype[Any]
    bits: int
    format: str
    compression: str
    by_rows: bool
    orientation: int = 1
    srgb: bool = False
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.channels not in (1, 3):
            raise ValueError(f"{self.channels} channels; 1 or 3 expected")
        if self.dtype not in (np.uint8, np.uint16, np.float32) or not self.dtype.isnative:
            raise ValueError(f"{self.dtype} samples; uint8, uint16 or float32 expected")
        if self.width < 1 or self.height < 1 or not 0 <= self.page < self.pages:
            raise ValueError(f"page {self.page} of {self.pages}, {self.width}x{self.height}")

    @property
    def shape(self) -> tuple[int, ...]:
        """``(H, W)`` or ``(H, W, 3)``."""
        return self.rows_shape(self.height)

    def rows_shape(self, rows: int) -> tuple[int, ...]:
        """Shape of `rows` rows: ``(rows, W)`` or ``(rows, W, 3)``."""
        return (rows, self.width) if self.channels == 1 else (rows, self.width, 3)


@dataclass(frozen=True)
class Window:
    """A rectangle of pixels; the reader gives rows, the caller slices `columns`."""

    x: int
    y: int
    width: int
    height: int

    def __post_init__(self) -> None:
        if min(self.x, self.y) < 0 or min(self.width, self.height) < 1:
            raise InputError("window", f"{self.text} is empty or negative", "give x,y,width,height")

    @property
    def text(self) -> str:
        """The window as ``width x height at x, y``."""
        return f"{self.width}x{self.height} at {self.x},{self.y}"

    @property
    def columns(self) -> slice:
        """Columns of the window, to slice axis 1 of rows."""
        return slice(self.x, self.x + self.width)

    def check(self, info: ImageInfo) -> None:
        """Raise `InputError` unless the window lies inside the image."""
        if self.x + self.width > info.width or self.y + self.height > info.height:
            size = f"{info.width}x{info.height}"
            raise InputError(info.path, f"window {self.text} leaves the {size} image", "shrink it")


@dataclass(frozen=True)
class SampleFormat:
    """Depth and alignment of samples inside their container, as stated by the user.

    Parameters
    ----------
    bits : significant bits, 1 to 16, or None when nothing is stated
    align : ``right`` (values up to 2^bits - 1) or ``left`` (low bits unused); stated with `bits`

    Raises
    ------
    InputError
        One is stated without the other, or the depth is impossible.
    """

    bits: int | None = None
    align: Alignment | None = None

    def __post_init__(self) -> None:
        if (self.bits is None) != (self.align is None):
            given = f"{self.bits} bits" if self.align is None else f"{self.align}-aligned"
            raise InputError(
                "sample format", f"{given} stated alone", "state both the bits and right or left"
            )
        if self.align is not None and self.align not in get_args(Alignment):
            raise InputError("sample format", f"unknown alignment {self.align!r}", "right or left")
        if self.bits is not None and not 1 <= self.bits <= 16:
            raise InputError("sample format", f"{self.bits} bits", "state 1 to 16 bits")

    def white(self, info: ImageInfo) -> float:
        """Value of a full-scale sample in the units of `info.dtype`.

        Raises
        ------
        InputError
            More bits are stated than the samples hold, or the file declares otherwise.
        """
        self._check(info)
        if info.dtype.kind == "f":
            return 1.0
        container = info.dtype.itemsize * 8
        if self.bits is None:
            return float((1 << min(info.bits, container)) - 1)
        shift = container - self.bits if self.align == "left" else 0
        return float(((1 << self.bits) - 1) << shift)

    def describe(self, info: ImageInfo) -> str:
        """One phrase for the record of a run, as ``12 of 16 bits, right-aligned, stated``."""
        self._check(info)
        if info.dtype.kind == "f":
            return "floating point, full scale 1.0"
        container = info.dtype.itemsize * 8
        if self.bits is not None:
            return f"{self.bits} of {container} bits, {self.align}-aligned, stated"
        if info.bits < container:
            return f"{info.bits} of {container} bits, right-aligned, declared by the file"
        return f"{container} of {container} bits, full range, nothing stated"

    def looks_like(self, or_of_samples: int) -> str | None:
        """Warning when samples of a 16-bit container, nothing stated, leave bits unused.

        Parameters
        ----------
        or_of_samples : bitwise OR of samples of the image (of some rows is enough)
        """
        if self.bits is not None or or_of_samples <= 0:
            return None
        for bits in _COMMON_DEPTHS:
            if or_of_samples < 1 << bits:
                return _suspicion(f"no sample is above {(1 << bits) - 1}", bits, "right")
        for bits in _COMMON_DEPTHS:
            if or_of_samples & ((1 << (16 - bits)) - 1) == 0:
                return _suspicion(f"the low {16 - bits} bits are never used", bits, "left")
        return None

    def _check(self, info: ImageInfo) -> None:
        if self.bits is None:
            return
        stated = f"{self.bits} bits, {self.align}-aligned"
        if info.dtype.kind == "f":
            raise InputError(info.path, f"{stated} stated for floating-point samples", "omit it")
        container = info.dtype.itemsize * 8
        if self.bits > container:
            raise InputError(info.path, f"{stated} stated, samples have {container}", "state fewer")
        if info.bits < container and (self.bits, self.align) != (info.bits, "right"):
            raise InputError(
                info.path,
                f"{stated} stated, but the file declares {info.bits} bits (right-aligned)",
                "state nothing",
            )


def _suspicion(fact: str, bits: int, align: Alignment) -> str:
    return (
        f"{fact} in 16-bit samples: if the camera gave {bits} bits, {align}-aligned, "
        f"state {bits} bits and {align}; 65535 counts as white otherwise"
    )
