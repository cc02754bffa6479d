"""OpenEXR normal maps through the package OpenEXR (extra ``exr``): half or float RGB, ZIP.

The description stands in the header's string attribute ``comments``, as the format proposes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from mvps.errors import ImageError, MissingExtraError, MvpsError
from mvps.images.gathered import GatheringWriter
from mvps.images.source import check_size, decoding

MAGIC = b"\x76\x2f\x31\x01"
_COMMENT = "comments"


def _openexr() -> Any:
    try:
        import OpenEXR
    except ImportError:
        raise MissingExtraError("OpenEXR", "exr") from None
    return OpenEXR


class ExrWriter(GatheringWriter):
    """An OpenEXR image of float16 or float32; arguments as of :class:`GatheringWriter`.

    Raises
    ------
    MissingExtraError
        The package OpenEXR is not installed.
    """

    def __init__(
        self, path: Path, width: int, height: int, dtype: DTypeLike, *, description: str = ""
    ) -> None:
        _openexr()
        super().__init__(path, width, height, dtype, description=description)

    def finish(self) -> None:
        """Compress, write and close."""
        rows, exr = self._whole(), _openexr()
        self._file.close()
        header = {
            "compression": exr.ZIP_COMPRESSION,
            "type": exr.scanlineimage,
            _COMMENT: self._description,
        }
        try:
            with exr.File(header, {"RGB": rows}, num_threads=1) as file:
                file.write(str(self._path))
        except Exception as error:  # the package raises RuntimeError and kin, without an errno
            raise MvpsError(f"{self._path}: cannot be written ({error})") from None


def exr_description(path: Path) -> str:
    """Text that `ExrWriter` put into the header, or an empty string.

    Raises
    ------
    ImageError
        Damaged.
    MissingExtraError
        The package OpenEXR is not installed.
    """
    return str(_header(path).get(_COMMENT, ""))


def read_exr(path: Path, max_pixels: int) -> tuple[NDArray[Any], str]:
    """RGB image (H, W, 3) of the first part, float16 or float32, and its description.

    Raises
    ------
    ImageError
        Damaged, larger than ``max_pixels``, or without R, G and B of one float type.
    MissingExtraError
        The package OpenEXR is not installed.
    """
    exr, header = _openexr(), _header(path)
    with decoding(path):
        low, high = (np.asarray(corner, np.int64) for corner in header["dataWindow"])
        width, height = (int(side) for side in high - low + 1)
        check_size(path, width, height, max_pixels)
        with exr.File(str(path), separate_channels=True, num_threads=1) as file:
            channels = {name: channel.pixels for name, channel in file.channels().items()}
    try:
        planes = [channels[name] for name in "RGB"]
    except KeyError:
        found = ", ".join(sorted(channels))
        raise ImageError(path, f"has the channels {found}", "a normal map has R, G and B") from None
    if any(plane.dtype.kind != "f" for plane in planes):
        raise ImageError(path, "has integer channels", "a normal map in OpenEXR is half or float")
    return np.stack(planes, axis=-1), str(header.get(_COMMENT, ""))


def _header(path: Path) -> dict[str, Any]:
    with decoding(path), _openexr().File(str(path), header_only=True) as file:
        return dict(file.header())
