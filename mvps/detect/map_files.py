"""Anomaly maps in files: half floats of NumPy or 16-bit PNG out, whatever other programs write in.

Plain reads with the size judged by the header first; a pickle is never opened.
"""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mvps.errors import ImageError
from mvps.files import atomic_path
from mvps.images import DEFAULT_MAX_PIXELS, ImageRef, probe, read_image
from mvps.images.output_file import write_fault
from mvps.images.png_writer import PngWriter

MAP_KINDS = {"f16": ".npy", "png16": ".png"}  # and their endings
MAP_ENDINGS = (".npy", ".tif", ".tiff", ".png")
TOP = 65535  # of a 16-bit sample

Map = NDArray[np.float32]


def write_map(path: Path, values: Map, kind: str = "f16", *, scale: float = 1 / TOP) -> None:
    """Write a map atomically.

    Parameters
    ----------
    path : of the file, its folder exists
    values : (H, W) float32, finite
    kind : "f16" (NumPy, half floats) or "png16" (16-bit grey)
    scale : of a step of the PNG, whose value is round(map / scale), clipped to 0..65535

    Raises
    ------
    MvpsError
        The disk is full or the folder not writable.
    """
    try:
        with atomic_path(path) as temporary:
            if kind == "png16":
                _write_png(temporary, values, scale)
            else:
                _write_npy(temporary, values)
    except OSError as error:
        raise write_fault(path, error) from None


def read_map(path: Path, max_pixels: int = DEFAULT_MAX_PIXELS, *, scale: float = 1.0) -> Map:
    """Read a map.

    Parameters
    ----------
    path : .npy or TIFF of floating point or integers, or a PNG of 8 or 16 bits
    max_pixels : larger ones are refused by their header
    scale : what a sample is multiplied by

    Returns
    -------
    (H, W) float32, finite

    Raises
    ------
    ImageError
        Missing, damaged, too large, more than one plane, a pickle, NaN or infinity.
    """
    ref = ImageRef(path)
    info = probe(ref, max_pixels=max_pixels)
    if info.channels != 1 or info.pages != 1:
        raise ImageError(path, "is no map of one plane", "save an array (H, W)")
    values = read_image(ref, max_pixels=max_pixels).astype(np.float32, copy=False)
    if not np.isfinite(values).all():
        raise ImageError(path, "holds NaN or infinity", "a score of every pixel is needed")
    return values if scale == 1 else values * np.float32(scale)


def _write_npy(path: Path, values: Map) -> None:
    half = np.finfo(np.float16).max
    stored = np.ascontiguousarray(np.clip(values, -half, half), np.float16)
    whole = io.BytesIO()  # into a file NumPy says nothing of a full disk but the bytes it wrote
    np.save(whole, stored, allow_pickle=False)
    path.write_bytes(whole.getbuffer())


def _write_png(path: Path, values: Map, scale: float) -> None:
    height, width = values.shape
    writer = PngWriter(path, width, height, 1, np.uint16, description=f"map = value * {scale!r}")
    try:
        writer.write_rows(np.clip(np.round(values / scale), 0, TOP).astype(np.uint16))
        writer.finish()
    except BaseException:
        writer.abort()
        raise
