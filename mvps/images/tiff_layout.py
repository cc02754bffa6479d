"""Where the samples of a TIFF page lie and how they are coded; shared by header and readers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class TiffLayout:
    """Segments of a page; strips count as tiles as wide as the image.

    Parameters
    ----------
    stored_bits : bits of a sample in the file; 10, 12 and 14 cross byte borders
    stored : type of a sample, byte order included
    samples : samples a pixel, alpha included
    planar : channels lie in separate planes
    compression : ``none``, ``lzw``, ``deflate``, ``packbits`` or ``zstd``
    predictor : 1 none, 2 horizontal differences, 3 floating point
    tiled : segments at the lower border are padded to full height
    tile_width, tile_height, across, down : size of a segment and segments in a plane
    offsets, counts : bytes of each segment, plane by plane, row by row
    """

    stored_bits: int
    stored: np.dtype[Any]
    samples: int
    planar: bool
    compression: str
    predictor: int
    tiled: bool
    tile_width: int
    tile_height: int
    across: int
    down: int
    offsets: tuple[int, ...]
    counts: tuple[int, ...]

    @property
    def packed(self) -> bool:
        """Samples that cross byte borders."""
        return self.stored_bits != self.stored.itemsize * 8

    @property
    def plain(self) -> bool:
        """Uncompressed strips of whole bytes, which plain reads deliver."""
        return self.compression == "none" and not self.tiled and not self.packed

    @property
    def samples_per_plane(self) -> int:
        """Interleaved samples a pixel in one plane."""
        return 1 if self.planar else self.samples

    @property
    def segment_row_bytes(self) -> int:
        """Bytes of one decoded row of a segment."""
        return (self.tile_width * self.samples_per_plane * self.stored_bits + 7) // 8
