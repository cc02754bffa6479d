"""Overlapping tiles of a large image, and their maps blended back into one.

Along either axis a pixel belongs to two tiles at most. Their weights are multiples of 1/1024 that
add up to one, so that the weights of up to four tiles add up to one exactly, also in float32.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mvps.errors import InputError
from mvps.images import Window

_STEPS = 1024  # of a weight

Map = NDArray[np.float32]


@dataclass(frozen=True)
class Tiling:
    """Tiles that cover an image.

    Attributes
    ----------
    size : (width, height) of the image
    tile : side of a tile; smaller ones only where the image is smaller
    overlap : of neighbours, at least
    """

    size: tuple[int, int]
    tile: int
    overlap: int

    def __post_init__(self) -> None:
        if min(self.size) < 1 or self.tile < 1:
            raise InputError("--tile", f"{self.tile} px for an image of {self.size}")
        if not 0 <= self.overlap <= self.tile // 2:
            raise InputError(
                "--tile",
                f"an overlap of {self.overlap} px of {self.tile}",
                "give at most half the tile",
            )

    @property
    def windows(self) -> tuple[Window, ...]:
        """The tiles, by rows."""
        width, height = self.size
        columns, rows = self._starts(width), self._starts(height)
        w, h = min(self.tile, width), min(self.tile, height)
        return tuple(Window(x, y, w, h) for y in rows for x in columns)

    def weights(self, window: Window) -> Map:
        """Weights (h, w) float32 of a tile; those of all tiles add up to one at every pixel."""
        width, height = self.size
        across = self._profile(width, window.x)
        down = self._profile(height, window.y)
        return down[:, None] * across[None, :]

    def _starts(self, length: int) -> list[int]:
        """Starts along an axis, evenly spread so that all overlaps are about the same."""
        spare = length - self.tile
        if spare <= 0:
            return [0]
        count = -(-spare // (self.tile - self.overlap)) + 1
        return [round(i * spare / (count - 1)) for i in range(count)]

    def _profile(self, length: int, start: int) -> Map:
        starts = self._starts(length)
        at = starts.index(start)
        profile = np.ones(min(self.tile, length), np.float32)
        if at > 0:
            profile *= self._ramp(starts[at - 1], start, start)
        if at + 1 < len(starts):
            profile *= 1 - self._ramp(start, starts[at + 1], start)
        return profile

    def _ramp(self, before: int, after: int, origin: int) -> Map:
        """From 0 to 1 where one tile hands over to the next, seen from ``origin``.

        No wider than the step between two tiles, so that hand-overs never meet.
        """
        middle = (after + before + self.tile - 1) / 2
        width = max(min(self.overlap, after - before, before + self.tile - after), 1)
        places = np.arange(origin, origin + self.tile)
        rise = np.clip((places - middle) / width + 0.5, 0, 1)
        return np.asarray(np.round(rise * _STEPS) / _STEPS, np.float32)


def tiles(size: tuple[int, int], tile: int, overlap: int) -> tuple[Window, ...]:
    """Windows that cover an image, by rows.

    Parameters
    ----------
    size : (width, height)
    tile : side in px
    overlap : of neighbours, at least; at most half the tile

    Raises
    ------
    InputError
        One of them is outside its range.
    """
    return Tiling(size, tile, overlap).windows


class Blend:
    """One map from those of the tiles, which may come in any order."""

    def __init__(self, tiling: Tiling) -> None:
        width, height = tiling.size
        self._tiling = tiling
        self._missing = set(tiling.windows)
        self._sum = np.zeros((height, width), np.float32)

    def add(self, window: Window, values: Map) -> None:
        """Add the map (h, w) of a tile.

        Raises
        ------
        ValueError
            The tile was added before, is none of the tiling, or the map has another size.
        """
        if window not in self._missing:
            raise ValueError(f"{window.text} is no tile that is still missing")
        if values.shape != (window.height, window.width):
            raise ValueError(f"a map of {values.shape} for {window.text}")
        self._missing.remove(window)
        rows = slice(window.y, window.y + window.height)
        self._sum[rows, window.columns] += self._tiling.weights(window) * values

    def finish(self) -> Map:
        """The whole map (H, W) float32; every tile must have been added."""
        if self._missing:
            raise ValueError(f"{len(self._missing)} tiles are missing")
        return self._sum


def blend(tiling: Tiling, maps: Sequence[Map]) -> Map:
    """Map (H, W) float32 of the maps of all tiles, in the order of ``tiling.windows``."""
    whole = Blend(tiling)
    for window, values in zip(tiling.windows, maps, strict=True):
        whole.add(window, values)
    return whole.finish()
