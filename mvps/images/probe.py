"""What a file is, by its content and not by its ending, before anything is decoded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mvps.errors import ImageError
from mvps.images import bmp_rows, jpeg_header, npy_rows, packed, png_header, tiff_header
from mvps.images.info import ImageInfo, ImageRef
from mvps.images.reader import Header
from mvps.images.source import SourceFile, decoding

DEFAULT_MAX_PIXELS = 500_000_000

_IMAGE_ENDINGS = frozenset(
    {".tif", ".tiff", ".png", ".bmp", ".jpg", ".jpeg", ".npy", ".raw", ".bin"}
)
_RAW_ENDINGS = frozenset({".raw", ".bin"})


def _one_page(_: SourceFile) -> int:
    return 1


@dataclass(frozen=True)
class _Format:
    """First bytes of a format, and the functions that know it."""

    signatures: tuple[bytes, ...]
    read: Callable[[SourceFile, ImageRef, int], Header]
    count: Callable[[SourceFile], int] = _one_page


_FORMATS = (
    _Format(
        (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),
        tiff_header.read_tiff_header,
        tiff_header.count_tiff_pages,
    ),
    _Format((png_header.SIGNATURE,), png_header.read_png_header),
    _Format((jpeg_header.SIGNATURE,), jpeg_header.read_jpeg_header),
    _Format((npy_rows.SIGNATURE,), npy_rows.read_npy_header, npy_rows.count_npy_pages),
    _Format((bmp_rows.SIGNATURE,), bmp_rows.read_bmp_header),
)
# Place in the file, bytes found there, name.
_FOREIGN = (
    (0, b"GIF8", "GIF"),
    (8, b"WEBP", "WebP"),
    (4, b"ftypavif", "AVIF"),
    (4, b"ftypheic", "HEIC"),
    (4, b"ftypcrx", "CR3"),
    (0, b"\xff\x4f\xff\x51", "JPEG 2000"),
    (4, b"jP  ", "JPEG 2000"),
    (0, b"\xff\x0a", "JPEG XL"),
    (4, b"JXL ", "JPEG XL"),
    (0, b"\x76\x2f\x31\x01", "OpenEXR"),
    (0, b"8BPS", "a Photoshop file"),
    (0, b"#?RADIANCE", "Radiance HDR"),
    (0, b"P1", "PNM"), (0, b"P2", "PNM"), (0, b"P3", "PNM"), (0, b"P4", "PNM"), (0, b"P5", "PNM"),
    (0, b"P6", "PNM"), (0, b"Pf", "PFM"), (0, b"PF", "PFM"),
    (0, b"%PDF", "PDF"),
    (0, b"PK\x03\x04", "a ZIP file"),
)  # fmt: skip


def is_image_name(path: Path) -> bool:
    """Whether the ending is one that an image may have; `probe` decides by content."""
    return path.suffix.lower() in _IMAGE_ENDINGS


def probe(ref: ImageRef, *, max_pixels: int = DEFAULT_MAX_PIXELS) -> ImageInfo:
    """What the headers of an image say; no pixel is decoded.

    Parameters
    ----------
    ref : the image; a headerless frame needs `ref.raw`
    max_pixels : largest width times height that is accepted

    Raises
    ------
    ImageError
        The file is missing, empty, not an image, truncated where its structure tells, larger than
        `max_pixels`, of an unsupported kind, or has no such page.
    """
    return read_header(ref, max_pixels=max_pixels).info


def read_header(ref: ImageRef, *, max_pixels: int = DEFAULT_MAX_PIXELS) -> Header:
    """The checked header of an image, which opens its reader; raises as `probe` does."""
    with decoding(ref.path), SourceFile(ref.path) as file:
        if ref.raw is not None:
            return packed.read_raw_header(file, ref, max_pixels)
        return _format_of(file).read(file, ref, max_pixels)


def count_pages(path: Path) -> int:
    """Images in a file: pages of a TIFF, planes of an NPY stack, otherwise 1.

    Raises
    ------
    ImageError
        The file is missing, empty, damaged or not an image.
    """
    with decoding(path), SourceFile(path) as file:
        return _format_of(file).count(file)


def _format_of(file: SourceFile) -> _Format:
    head = file.head(64)
    for known in _FORMATS:
        if head.startswith(known.signatures):
            return known
    for place, signature, name in _FOREIGN:
        if head[place:].startswith(signature):
            raise ImageError(
                file.path, f"is {name}, which is not supported", "save it as TIFF or PNG"
            )
    if file.path.suffix.lower() in _RAW_ENDINGS:
        raise ImageError(file.path, "has no header", "state its packing, width and height")
    raise ImageError(file.path, "is not an image", "TIFF, PNG, BMP, JPEG and NPY are read")
