"""NumPy arrays as images and stacks of images; plain reads, pickles never (NEP 1)."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import numpy as np

from mvps.errors import ImageError
from mvps.images.info import ImageInfo, ImageRef
from mvps.images.reader import PlainRows, RowReader, Run
from mvps.images.source import REWRITE, SourceFile, check_page, check_size

SIGNATURE = b"\x93NUMPY"
_MAX_HEADER = 1 << 16
_SHAPES = "save (H,W), (H,W,3), (K,H,W) or (K,H,W,3)"


@dataclass(frozen=True)
class NpyHeader:
    """A checked array header and the place of one image in it."""

    info: ImageInfo
    offset: int
    stored: np.dtype[Any]

    def open(self) -> RowReader:
        """Open the reader of this image."""
        run = Run(0, self.info.height, self.offset)
        return PlainRows(self.info, [[run]], self.stored, self.info.channels)


def read_npy_header(file: SourceFile, ref: ImageRef, max_pixels: int) -> NpyHeader:
    """Read and check an array header; `ref.page` counts along the leading axis of a stack."""
    shape, stored, start = _array(file)
    pages, height, width, channels = _as_stack(file, shape)
    check_page(file.path, ref.page, pages)
    check_size(file.path, width, height, max_pixels)
    plane = height * width * channels * stored.itemsize
    if start + pages * plane > file.size:
        wanted = start + pages * plane
        raise ImageError(file.path, f"is truncated: {file.size} of {wanted} bytes", REWRITE)
    is_float = stored.kind == "f"
    converted = is_float and stored.itemsize != 4
    info = ImageInfo(
        path=file.path,
        page=ref.page,
        pages=pages,
        width=width,
        height=height,
        channels=channels,
        dtype=np.dtype(np.float32) if is_float else stored.newbyteorder("="),
        bits=32 if is_float else stored.itemsize * 8,
        format="npy",
        compression="none",
        by_rows=True,
        notes=(f"float{stored.itemsize * 8} samples read as float32",) if converted else (),
    )
    return NpyHeader(info, start + ref.page * plane, stored)


def count_npy_pages(file: SourceFile) -> int:
    """Number of images in an array file."""
    return _as_stack(file, _array(file)[0])[0]


def _array(file: SourceFile) -> tuple[tuple[int, ...], np.dtype[Any], int]:
    """Shape, sample type and offset of the data."""
    stream = io.BytesIO(file.head(_MAX_HEADER))
    version = np.lib.format.read_magic(stream)
    readers = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    if version not in readers:
        raise ImageError(file.path, f"is an NPY file of version {version}", "save version 1 or 2")
    shape, fortran, dtype = readers[version](stream)
    if fortran and len(shape) > 1:
        raise ImageError(file.path, "is in Fortran order", "save numpy.ascontiguousarray(array)")
    if dtype.hasobject or dtype.names or dtype.kind + str(dtype.itemsize) not in (
        "u1", "u2", "f2", "f4", "f8",
    ):  # fmt: skip
        raise ImageError(file.path, f"holds {dtype} samples", "save uint8, uint16 or float32")
    return shape, dtype, stream.tell()


def _as_stack(file: SourceFile, shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    """Pages, height, width and channels of an array of `shape`."""
    if len(shape) == 2:
        return 1, shape[0], shape[1], 1
    # A last axis of 1, 2 or 4 is more likely channels than columns, and neither is supported.
    if len(shape) in (3, 4) and shape[-1] not in (1, 2, 4) and 0 not in shape:
        if len(shape) == 3 and shape[2] == 3:
            return 1, shape[0], shape[1], 3
        if len(shape) == 3:
            return shape[0], shape[1], shape[2], 1
        if shape[3] == 3:
            return shape[0], shape[1], shape[2], 3
    raise ImageError(file.path, f"has shape {shape}", _SHAPES)
