"""Pictures and maps of captures and data sets; every file appears whole or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mvps.files import atomic_path
from mvps.images.maps import open_normals_writer
from mvps.images.output_file import OutputFile, RowSink
from mvps.images.tiff_writer import TiffWriter

ENCODINGS = {"png": "png8", "png16": "png16", "tif": "tiff"}
_JPEG_QUALITY = 92
_PNG_LEVEL, _PNG_NO_FILTER = 7, 0x08  # noise leaves filters nothing to predict


def write_picture(path: Path, pixels: NDArray[Any]) -> None:
    """Write an 8-bit picture (H, W) or (H, W, 3) as PNG, or as JPEG where the name ends in .jpg."""
    import imagecodecs

    samples = np.ascontiguousarray(pixels)
    if path.suffix == ".jpg":
        data = imagecodecs.jpeg8_encode(samples, level=_JPEG_QUALITY)
    else:
        data = imagecodecs.png_encode(samples, level=_PNG_LEVEL, filter=_PNG_NO_FILTER)
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as temporary:
        file = OutputFile(temporary)
        try:
            file.write(data)
            file.close()
        except BaseException:
            file.abort()
            raise


def write_plane(
    path: Path, samples: NDArray[Any], description: str = "", *, compressed: bool = False
) -> None:
    """Write (H, W) or (H, W, 3) uint8, uint16 or float32 as TIFF; integers may be compressed."""
    height, width = samples.shape[:2]
    channels = samples.shape[2] if samples.ndim == 3 else 1
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as temporary:
        writer = TiffWriter(
            temporary,
            width,
            height,
            channels,
            samples.dtype,
            compressed=compressed,
            description=description,
        )
        _fill(writer, samples)


def write_pages(path: Path, masks: NDArray[np.bool_]) -> None:
    """Write K masks (K, H, W) as pages of one TIFF, 0 or 255; three as well as one or eight."""
    count, height, width = masks.shape
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as temporary:
        writer = TiffWriter(temporary, width, height, count, np.uint8, pages=True, compressed=True)
        _fill(writer, np.moveaxis(masks.astype(np.uint8) * np.uint8(255), 0, 2))


def write_normals(
    path: Path,
    normals: NDArray[np.float32],
    valid: NDArray[np.bool_],
    encoding: str,
    description: str = "",
) -> None:
    """Write a normal map (H, W, 3) of the house frame in an encoding of ``mvps.images.maps``."""
    if encoding == "png8":
        from mvps.images.encodings import quantise

        write_picture(path, quantise(normals, valid, np.uint8))
        return
    height, width = valid.shape
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as temporary:
        writer = open_normals_writer(temporary, encoding, width, height, description=description)
        try:
            writer.write_rows(np.ascontiguousarray(normals, np.float32), valid)
            writer.finish()
        except BaseException:
            writer.abort()
            raise


def sizes_of(root: Path, paths: Sequence[Path]) -> dict[str, int]:
    """Bytes of files by their path below ``root``."""
    return {path.relative_to(root).as_posix(): path.stat().st_size for path in sorted(paths)}


def _fill(writer: RowSink, samples: NDArray[Any]) -> None:
    try:
        writer.write_rows(samples)
        writer.finish()
    except BaseException:
        writer.abort()
        raise
