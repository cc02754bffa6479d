"""The doors for maps: normals in any encoding, planes of samples, and normals read back.

A file written here says its encoding and convention in a line of JSON (TIFF ImageDescription, PNG
text, OpenEXR comments, JPEG XL xml box), and reading believes it. NumPy files have no such place.
"""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

import mvps
from mvps.errors import ImageError
from mvps.images import exr, jxl, mat, npy_map
from mvps.images.encodings import (
    BLOCK_ROWS,
    Encoding,
    convention_signs,
    decode_floats,
    dequantise,
    encode_floats,
    get_encoding,
    quantise,
)
from mvps.images.info import ImageRef
from mvps.images.output_file import RowSink
from mvps.images.png_writer import PngWriter
from mvps.images.probe import DEFAULT_MAX_PIXELS, probe
from mvps.images.rows import read_image
from mvps.images.source import SourceFile, decoding
from mvps.images.tiff_writer import TiffWriter

DEFAULT_CONVENTION = "opengl"
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_MAX_TEXT = 1 << 16
_BARE_ROWS = 32  # of samples without compression, encoded and written at once


class MapWriter:
    """Writes a normal map by rows, in one encoding and convention; from `open_normals_writer`."""

    def __init__(self, sink: RowSink, encoding: Encoding, width: int, convention: str) -> None:
        self._sink = sink
        self._signs = convention_signs(convention)
        # Compressed strips of a TIFF are gathered where they do not come whole.
        self._rows = BLOCK_ROWS if encoding.compressed else _BARE_ROWS
        self._scratch = np.empty((self._rows, width, 3), encoding.dtype)

    def write_rows(self, normals: NDArray[np.float32], valid: NDArray[Any]) -> None:
        """Append rows.

        Parameters
        ----------
        normals : (n, W, 3) float32 unit vectors in the house frame; ignored where invalid
        valid : (n, W) bool or uint8
        """
        for y in range(0, len(normals), self._rows):
            rows = slice(y, y + self._rows)
            out = self._scratch[: len(normals[rows])]
            if out.dtype.kind == "f":
                encode_floats(normals[rows], valid[rows], out, self._signs)
            else:
                quantise(normals[rows], valid[rows], out.dtype, out, signs=self._signs)
            self._sink.write_rows(out)

    def finish(self) -> None:
        """Complete and close the file; every row must have arrived."""
        self._sink.finish()

    def abort(self) -> None:
        """Close and remove the file, whatever its state."""
        self._sink.abort()


def open_normals_writer(
    path: Path,
    encoding: str,
    width: int,
    height: int,
    *,
    convention: str = DEFAULT_CONVENTION,
    description: str = "",
) -> MapWriter:
    """Writer of a normal map.

    Parameters
    ----------
    path : temporary path; the caller gives the file its final name
    encoding : a name of `NORMAL_ENCODINGS`
    width, height : of the map, in pixels
    convention : a name of `CONVENTIONS`; the writer converts to it
    description : free text, or a JSON object whose members join those written by default

    Raises
    ------
    InputError
        Unknown encoding or convention.
    MissingExtraError
        The encoding needs a package that is not installed.
    MvpsError
        Here and from every method of the writer: the file cannot be written.
    """
    chosen = get_encoding(encoding)
    convention_signs(convention)
    text = _describe(chosen, convention, description)
    return MapWriter(_open_sink(path, chosen, width, height, text), chosen, width, convention)


def _open_sink(path: Path, encoding: Encoding, width: int, height: int, text: str) -> RowSink:
    match encoding.container:
        case "tiff":
            compressed = encoding.compressed
            return TiffWriter(
                path, width, height, 3, encoding.dtype, compressed=compressed, description=text
            )
        case "png":
            return PngWriter(path, width, height, 3, encoding.dtype, description=text)
        case "jxl":
            return jxl.JxlWriter(path, width, height, encoding.dtype, description=text)
        case "exr":
            return exr.ExrWriter(path, width, height, encoding.dtype, description=text)
        case _:
            return npy_map.NpyWriter(path, width, height, encoding.dtype)


def open_plane_writer(  # noqa: PLR0917 (path, size, type: the order of every image library)
    path: Path, width: int, height: int, channels: int, dtype: DTypeLike, description: str = ""
) -> TiffWriter:
    """Writer of a map that is not normals, as an uncompressed TIFF in strips of 64 rows.

    Parameters
    ----------
    path : temporary path
    width, height : of the map, in pixels
    channels : 1 grey, 3 RGB; any other number becomes that many grey pages
    dtype : float32, uint16 or uint8
    description : ASCII text of ImageDescription, on every page

    Raises
    ------
    MvpsError
        Here and from every method of the writer: the file cannot be written.
    """
    pages = channels not in (1, 3)
    return TiffWriter(path, width, height, channels, dtype, pages=pages, description=description)


def read_normals(
    path: Path, *, convention: str | None = None, max_pixels: int = DEFAULT_MAX_PIXELS
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Normal map of any encoding written here, and of 8 or 16-bit PNG and TIFF, float TIFF,
    OpenEXR, NumPy and MATLAB files of others.

    Parameters
    ----------
    path : the file; its content decides the format
    convention : of the stored vectors; by default what the file says, else opengl
    max_pixels : refuse larger maps before memory is taken

    Returns
    -------
    normals : (H, W, 3) float32, house frame, unit length, zero where invalid
    valid : (H, W) bool; integer maps mark invalid pixels by 0, 0, 0, float maps by zero vectors

    Raises
    ------
    ImageError
        Missing, damaged, too large or not a map of vectors.
    InputError
        Unknown convention.
    MissingExtraError
        The format needs a package that is not installed.
    """
    samples, description = _read_samples(path, max_pixels)
    signs = convention_signs(convention or _stated_convention(description))
    if samples.dtype.kind == "f":
        return decode_floats(samples, signs=signs)
    return dequantise(samples, signs=signs)


def read_statement(path: Path, max_pixels: int = DEFAULT_MAX_PIXELS) -> dict[str, Any]:
    """What a map written here says of itself; empty for other files, and for NumPy's.

    Raises
    ------
    ImageError
        The file cannot be read.
    MissingExtraError
        OpenEXR is not installed.
    """
    members = _json_object(_description(path, max_pixels))
    return members if "mvps" in members else {}


def _description(path: Path, max_pixels: int) -> str:
    with SourceFile(path) as file:
        head = file.head(32)
    if head.startswith(exr.MAGIC):
        return exr.exr_description(path)
    if head.startswith((jxl.CODESTREAM, jxl.CONTAINER)):
        return jxl.jxl_description(path.read_bytes())
    if not head.startswith((_PNG_SIGNATURE, b"II", b"MM")):
        return ""
    info = probe(ImageRef(path), max_pixels=max_pixels)
    stated = _DESCRIPTIONS.get(info.format)
    return stated(path) if stated else ""


def _read_samples(path: Path, max_pixels: int) -> tuple[NDArray[Any], str]:
    with SourceFile(path) as file:
        head = file.head(32)
    if head.startswith((mat.MAGIC, mat.HDF5_MAGIC)):
        return mat.read_mat(path, max_pixels), ""
    if head.startswith(npy_map.MAGIC):
        return npy_map.read_npy(path, max_pixels), ""
    if head.startswith(exr.MAGIC):
        return exr.read_exr(path, max_pixels)
    if head.startswith((jxl.CODESTREAM, jxl.CONTAINER)):
        data = path.read_bytes()
        return jxl.read_jxl(path, data, max_pixels), jxl.jxl_description(data)
    info = probe(ImageRef(path), max_pixels=max_pixels)
    if info.channels != 3:
        raise ImageError(path, "is a grey image", "a normal map has three channels")
    if info.pages != 1:
        raise ImageError(path, f"holds {info.pages} images", "a normal map is one image")
    stated = _DESCRIPTIONS.get(info.format)
    return read_image(ImageRef(path), max_pixels=max_pixels), stated(path) if stated else ""


def _describe(encoding: Encoding, convention: str, description: str) -> str:
    members = {"mvps": mvps.__version__, "encoding": encoding.name, "convention": convention}
    given = _json_object(description)
    if not given and description:
        given = {"description": description}
    return json.dumps({**given, **members})


def _stated_convention(description: str) -> str:
    members = _json_object(description)
    stated = members.get("convention", DEFAULT_CONVENTION) if "mvps" in members else None
    return stated if isinstance(stated, str) else DEFAULT_CONVENTION


def _json_object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _tiff_description(path: Path) -> str:
    import tifffile

    with decoding(path), tifffile.TiffFile(path) as file:
        page = file.pages.first
        return str(page.description)[:_MAX_TEXT]


def _png_description(path: Path) -> str:
    """Text chunk of `PngWriter`; it stands before the image data."""
    with path.open("rb") as file:
        file.seek(len(_PNG_SIGNATURE))
        while len(head := file.read(8)) == 8:
            length, name = struct.unpack(">I4s", head)
            if name == b"IDAT":
                break
            if name != b"tEXt" or length > _MAX_TEXT:
                file.seek(length + 4, 1)
                continue
            key, _, text = file.read(length).partition(b"\0")
            file.seek(4, 1)
            if key == b"Description":
                return text.decode("latin-1")
    return ""


_DESCRIPTIONS = {"tiff": _tiff_description, "png": _png_description}
