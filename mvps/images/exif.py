"""The two facts that mvps wants of EXIF and ICC blocks: the orientation and an sRGB tag."""

from __future__ import annotations

from pathlib import Path

from mvps.errors import MvpsError
from mvps.images.source import Block, decoding
from mvps.images.tiff_tags import Tags, TiffDirectories

ORIENTATION = 274
EXIF_DIRECTORY = 34665
_COLOR_SPACE = 40961
_SRGB = 1


def orientation_of(tags: Tags) -> int:
    """EXIF orientation 1 to 8 of a directory; 1 when it is absent or out of range."""
    value = tags.get(ORIENTATION)
    known = value is not None and value.size and value.dtype.kind in "iu" and 1 <= value[0] <= 8
    return int(value[0]) if value is not None and known else 1


def says_srgb(directories: TiffDirectories, tags: Tags) -> bool:
    """Whether the EXIF directory that `tags` point to names sRGB as its colour space."""
    pointer = tags.get(EXIF_DIRECTORY)
    if pointer is None or not pointer.size or pointer.dtype.kind != "u":
        return False
    space = directories.tags(int(pointer[0]), frozenset({_COLOR_SPACE})).get(_COLOR_SPACE)
    return space is not None and space.size > 0 and bool(space[0] == _SRGB)


def read_exif(path: Path, block: bytes) -> tuple[int, bool]:
    """Orientation and sRGB tag of an EXIF block; a damaged block says nothing: ``(1, False)``."""
    try:
        with decoding(path):
            directories = TiffDirectories(Block(path, block))
            tags = directories.tags(
                next(directories.pages()), frozenset({ORIENTATION, EXIF_DIRECTORY})
            )
            return orientation_of(tags), says_srgb(directories, tags)
    except MvpsError:
        return 1, False


def icc_is_srgb(profile: bytes) -> bool:
    """Whether an ICC profile describes itself as sRGB (ASCII or UTF-16 text)."""
    return b"sRGB" in profile or "sRGB".encode("utf-16-be") in profile
