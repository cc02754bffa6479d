"""The four pictures of a scored image in the paper's figures 4 and 5: RGB, normals, mask, map.

Each is cut to what the map covers and brought to one small size.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mvps.datasets.normals import read_record_normals
from mvps.detect.overlay import heat_colours
from mvps.detect.preprocess import read_colour
from mvps.errors import MvpsError
from mvps.images import ImageRef, read_image
from mvps.report.detect_study import ScoredImage

KINDS = ("RGB", "normals", "mask", "anomaly map")
SIDE = 192  # px, the longer side of a tile in a contact sheet
_HEAT = 0.65  # share of the colours over the grey picture

Tile = NDArray[np.uint8]


@dataclass(frozen=True)
class Tiles:
    """Pictures (h, w, 3) uint8 by kind, and what is wrong with those that are missing."""

    pictures: dict[str, Tile]
    faults: tuple[str, ...]


def draw_tiles(
    image: ScoredImage, scale: tuple[float, float], kept: float = 1.0, side: int = SIDE
) -> Tiles:
    """Draw what there is of an image.

    Parameters
    ----------
    scale : anomaly scores at the lower and the upper end of the colours
    kept : share of the sides of the image that the map covers, about the centre
    side : of a tile, px
    """
    record = image.record
    faults: list[str] = []

    def attempt(read: Callable[[], Any]) -> Any:
        try:
            return read()
        except (MvpsError, OSError, MemoryError) as error:
            faults.append(str(error))
            return None

    heat = attempt(image.read_map) if image.read_map else None
    rgb_path, mask_path = record.rgb, record.mask
    rgb = attempt(lambda: _eight_bits(read_colour(rgb_path))) if rgb_path else None
    normals = attempt(lambda: read_record_normals(record)[0]) if record.normals else None
    mask = attempt(lambda: _marked(read_image(ImageRef(mask_path)))) if mask_path else None
    full = next((p.shape for p in (rgb, normals, mask, heat) if p is not None), (1, 1))
    size = _fit(full[0], full[1], side)
    pictures: dict[str, Tile] = {}
    if rgb is not None:
        pictures["RGB"] = framed(rgb, kept, size)
    if normals is not None:
        pictures["normals"] = _normal_colours(framed(normals, kept, size))
    if mask is not None:
        pictures["mask"] = framed(mask, kept, size)
    elif not record.label:
        pictures["mask"] = np.zeros((size[1], size[0], 3), np.uint8)
    if heat is not None:
        pictures["anomaly map"] = _heat(heat, pictures.get("RGB"), scale, size)
    return Tiles(pictures, tuple(faults))


def marked_share(image: ScoredImage) -> float:
    """Share of the image that its mask marks; 0 without one that can be read."""
    if image.record.mask is None:
        return 0.0
    try:
        return float((read_image(ImageRef(image.record.mask)) > 0).mean())
    except (MvpsError, OSError):
        return 0.0


def framed(image: NDArray[Any], kept: float, size: tuple[int, int]) -> NDArray[Any]:
    """The middle of an image (H, W[, C]), ``kept`` of each side, brought to ``size`` (w, h)."""
    import cv2

    height, width = image.shape[:2]
    top, left = round(height * (1 - kept) / 2), round(width * (1 - kept) / 2)
    inner = np.ascontiguousarray(image[top : height - top, left : width - left])
    shrinks = inner.shape[1] >= size[0]
    method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(inner, size, interpolation=method))


def _heat(
    heat: NDArray[np.float32], rgb: Tile | None, scale: tuple[float, float], size: tuple[int, int]
) -> Tile:
    low, high = scale
    levels = (framed(heat, 1.0, size) - low) / max(high - low, 1e-12)
    colours = heat_colours(levels)
    if rgb is None:
        return colours
    grey = rgb.mean(axis=2, keepdims=True)
    return np.asarray(np.rint(_HEAT * colours + (1 - _HEAT) * grey), np.uint8)


def _normal_colours(normals: NDArray[np.float32]) -> Tile:
    length = np.linalg.norm(normals, axis=-1, keepdims=True)
    unit = np.divide(normals, length, out=np.zeros_like(normals), where=length > 1e-6)
    colours = np.where(length > 1e-6, np.rint((unit + 1) * 127.5), 0)
    return np.asarray(colours, np.uint8)


def _eight_bits(image: NDArray[Any]) -> NDArray[Any]:
    return image if image.dtype == np.uint8 else (image >> 8).astype(np.uint8)


def _marked(mask: NDArray[Any]) -> Tile:
    flat = mask if mask.ndim == 2 else mask.max(-1)
    return np.repeat((flat > 0).astype(np.uint8)[..., None] * np.uint8(255), 3, axis=2)


def _fit(height: int, width: int, side: int) -> tuple[int, int]:
    scale = side / max(height, width)
    return max(1, round(width * scale)), max(1, round(height * scale))
