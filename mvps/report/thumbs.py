"""Thumbnails of maps: a few rows of a large map, averaged across, and a JPEG of a few kilobytes.

The normals come from ``preview.png``, which the run averaged over whole blocks. A row of a
thumbnail of albedo or residual comes from `SAMPLED` rows of its map, so that two thousand maps of
20 megapixels are drawn in seconds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mvps.errors import MvpsError
from mvps.images import ImageRef, open_rows, read_image
from mvps.images.preview import PREVIEW_LIMIT
from mvps.pipeline.quality_maps import HIGHEST, LOWEST
from mvps.report.collect import StackEntry

BUDGET = 15_000_000  # bytes of all pictures; base64 and the text around them make it 25 MB a page
SAMPLED = 2  # rows of a map read for one row of its thumbnail
_ACROSS = 4  # samples of such a row kept for one pixel
_SIDES = (96, 320)
_QUALITIES = (85, 75, 60, 45, 30, 15)
_GAMMA = 1 / 2.2  # albedo is linear in light, a screen is not
_NOTHING = (160, 160, 160)  # no normal there; a grey that viridis does not hold


@dataclass(frozen=True)
class ThumbnailPlan:
    """What all thumbnails of a page share.

    Attributes
    ----------
    side : longest side, in pixels
    limit : bytes of one picture
    residual_end : residual at the upper end of the colours, in units of albedo
    """

    side: int
    limit: int
    residual_end: float


@dataclass(frozen=True)
class Picture:
    """One thumbnail: a JPEG, and in words what it shows."""

    kind: str
    source: str
    scale: str
    width: int
    height: int
    jpeg: bytes


@dataclass(frozen=True)
class Thumbnails:
    """The pictures of one stack, and what is wrong with those that are missing."""

    pictures: tuple[Picture, ...]
    faults: tuple[str, ...]


def plan_thumbnails(entries: Sequence[StackEntry]) -> ThumbnailPlan:
    """Size and scale that keep a page of these stacks small and its pictures comparable."""
    count = max(len(entries), 1)
    side = int(np.clip(160 * math.sqrt(2000 / count), *_SIDES))
    residuals = [e.figures.residual_rms for e in entries if e.figures.residual_rms]
    end = _round_up(3 * median(residuals)) if residuals else 0.1
    return ThumbnailPlan(side, BUDGET // (4 * count), end)


def draw(entry: StackEntry, *, out: Path, plan: ThumbnailPlan) -> Thumbnails:
    """The thumbnails of one stack; a map that is absent, as albedo may be, is passed over."""
    folder = out / (entry.folder or ".")
    pictures, faults = [], []
    drawers: dict[str, Callable[[Path, StackEntry, ThumbnailPlan], Picture]] = {
        "preview.png": _normals,
        "albedo.tif": _albedo,
        "quality.tif": _residual,
        "quality.png": _deviation,
    }
    for name, drawer in drawers.items():
        path = folder / name
        if not path.is_file():
            if drawer is _normals:
                faults.append(f"{name}: is missing")
            continue
        try:
            pictures.append(drawer(path, entry, plan))
        except (MvpsError, OSError, MemoryError) as error:
            faults.append(f"{name}: {getattr(error, 'what', error)}")
    return Thumbnails(tuple(pictures), tuple(faults))


def residual_colours(count: int) -> NDArray[np.uint8]:
    """Evenly spaced colours (count, 3) RGB of the residual, from zero to the upper end."""
    return _viridis(np.linspace(0, 1, count)[:, None])[:, 0]


def _normals(path: Path, entry: StackEntry, plan: ThumbnailPlan) -> Picture:
    del entry
    picture = read_image(ImageRef(path), max_pixels=PREVIEW_LIMIT**2)
    if picture.dtype != np.uint8 or picture.ndim != 3:
        raise MvpsError("is not a preview of mvps normals")
    small = _resize(picture, _fit(picture.shape[1], picture.shape[0], plan.side))
    return _encode("normals", path, "", small, plan.limit)


def _albedo(path: Path, entry: StackEntry, plan: ThumbnailPlan) -> Picture:
    values, known = shrink(path, plan.side)
    bright = values[known]
    white = float(np.percentile(bright, 99)) if bright.size else 0.0
    grey = np.clip(values / (white or 1.0), 0, 1) ** _GAMMA
    picture = np.rint(grey * 255).astype(np.uint8)
    if picture.ndim == 2:
        picture = np.repeat(picture[..., None], 3, axis=2)
    return _encode("albedo", path, f"white {white * entry.albedo_scale:.3g}", picture, plan.limit)


def _residual(path: Path, entry: StackEntry, plan: ThumbnailPlan) -> Picture:
    del entry
    values, known = shrink(path, plan.side)
    if values.ndim != 2:
        raise MvpsError("is not a quality map of mvps normals")
    picture = _viridis(values / plan.residual_end)
    picture[~known] = _NOTHING
    return _encode("residual", path, f"0 to {plan.residual_end:g}", picture, plan.limit)


def _deviation(path: Path, entry: StackEntry, plan: ThumbnailPlan) -> Picture:
    del entry
    picture = read_image(ImageRef(path), max_pixels=2 * PREVIEW_LIMIT**2)
    if picture.dtype != np.uint8 or picture.ndim != 3:
        raise MvpsError("is not a picture of mvps normals")
    small = _resize(picture, _fit(picture.shape[1], picture.shape[0], plan.side))
    scale = f"predicted, {LOWEST:g} to {HIGHEST:g} degrees"
    return _encode("deviation", path, scale, small, plan.limit)


def shrink(path: Path, side: int) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """A small copy of a large map from few of its rows.

    Parameters
    ----------
    path : TIFF of one or three channels; its first page is taken
    side : longest side of the copy, in pixels; smaller maps keep their size

    Returns
    -------
    values : (h, w[, 3]) float32, the mean of what is not zero
    known : (h, w) bool, where anything sampled is not zero

    Raises
    ------
    ImageError
        Not an image that can be read.
    """
    samples, size = _sample(path, side)
    seen = samples > 0 if samples.ndim == 2 else np.any(samples > 0, axis=2)
    weight = _resize(seen.astype(np.float32), size)
    values = _resize(samples, size)
    share = weight if values.ndim == 2 else weight[..., None]
    values = np.divide(values, share, out=np.zeros_like(values), where=share > 0)
    return values, weight > 0


def _sample(path: Path, side: int) -> tuple[NDArray[np.float32], tuple[int, int]]:
    """Evenly spread samples (n, m[, 3]) of a map, and the size (w, h) its copy should have."""
    reader = open_rows(ImageRef(path))
    try:
        info = reader.info
        size = _fit(info.width, info.height, side)
        # Of a row, too, a few samples for each pixel of the copy tell enough.
        step = max(1, info.width // (_ACROSS * size[0]))
        tall = min(SAMPLED, info.height // size[1])
        rows = np.empty(info.rows_shape(tall), info.dtype)
        kept = np.empty((size[1], tall, *rows[0, step // 2 :: step].shape), np.float32)
        for index in range(size[1]):
            middle = (2 * index + 1) * info.height // (2 * size[1])
            y = min(middle, info.height - tall)
            reader.read_rows(y, y + tall, rows)
            kept[index] = rows[:, step // 2 :: step]
    finally:
        reader.close()
    finite = np.nan_to_num(kept, copy=False, posinf=0.0, neginf=0.0)
    return finite.reshape(-1, *kept.shape[2:]), size


def _fit(width: int, height: int, side: int) -> tuple[int, int]:
    """Width and height within a square, never enlarged, never zero."""
    scale = min(1.0, side / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def _resize(image: NDArray[Any], size: tuple[int, int]) -> NDArray[Any]:
    """Mean over the area of each new pixel."""
    import cv2

    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA))


def _viridis(levels: NDArray[Any]) -> NDArray[np.uint8]:
    """Colours (h, w, 3) RGB of levels (h, w) from 0 to 1: even steps to every kind of eye."""
    import cv2

    steps = np.rint(np.clip(levels, 0, 1) * 255).astype(np.uint8)
    return np.ascontiguousarray(cv2.applyColorMap(steps, cv2.COLORMAP_VIRIDIS)[..., ::-1])


def _encode(kind: str, path: Path, scale: str, picture: NDArray[np.uint8], limit: int) -> Picture:
    """A JPEG below the limit where any quality reaches it."""
    import imagecodecs

    jpeg = b""
    for quality in _QUALITIES:
        jpeg = bytes(imagecodecs.jpeg8_encode(picture, level=quality))
        if len(jpeg) <= limit:
            break
    height, width = picture.shape[:2]
    return Picture(kind, path.name, scale, width, height, jpeg)


def _round_up(value: float) -> float:
    """The next of 1, 2, 5, 10, ... in its decade."""
    decade = 10.0 ** math.floor(math.log10(value))
    return next(step * decade for step in (1, 2, 5, 10) if value <= step * decade * (1 + 1e-9))
