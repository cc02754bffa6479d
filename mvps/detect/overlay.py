"""An anomaly map over its picture: inferno heat on grey, the threshold as a contour, a scale below.

Inferno rises evenly in lightness for every kind of colour vision (Smith and van der Walt, 2015).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mvps.datasets.record import NORMALS, RGB, Record
from mvps.detect.preprocess import Preprocess, load_pixels
from mvps.files import atomic_path
from mvps.images.output_file import write_fault
from mvps.images.png_writer import PngWriter

MAX_SIDE = 1024  # px of a picture
_LEAST = 256  # px of its short side: a smaller one is enlarged
_GREY, _HEAT = 0.75, 0.85  # lightness of the picture below, strength of the highest heat
_BAR = 34  # px of the scale
_PAPER, _INK = (255, 255, 255), (40, 40, 40)

Picture = NDArray[np.uint8]


@dataclass(frozen=True)
class HeatScale:
    """Common scale of the pictures of a category.

    Attributes
    ----------
    low, high : where heat begins, and is strongest
    threshold : of the contour
    """

    low: float
    high: float
    threshold: float

    @classmethod
    def of(cls, threshold: float, scores: list[float]) -> HeatScale:
        """Heat begins at half the threshold, or midway to it from the lowest score."""
        low = threshold / 2 if threshold > 0 else (threshold + min(scores)) / 2
        high = max(*scores, threshold + (threshold - low), low + 1e-6)
        return cls(low, high, threshold)


def overlay(picture: Picture, values: NDArray[np.float32], scale: HeatScale) -> Picture:
    """Heat over a picture.

    Parameters
    ----------
    picture : (H, W, 3) uint8 RGB
    values : (H, W) float32, map of the same pixels
    scale : of the heat

    Returns
    -------
    (h, w, 3) uint8 RGB, at most :data:`MAX_SIDE` wide, with the scale below
    """
    import cv2

    height, width = values.shape
    factor = min(MAX_SIDE / max(height, width), max(_LEAST / min(height, width), 1))
    size = (max(round(width * factor), 1), max(round(height * factor), 1))
    method = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
    picture = np.asarray(cv2.resize(picture, size, interpolation=method), np.uint8)
    values = np.asarray(cv2.resize(values, size, interpolation=method), np.float32)
    level = np.clip((values - scale.low) / (scale.high - scale.low), 0, 1)
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)[..., None] * _GREY
    strength = (_HEAT * np.sqrt(level))[..., None]
    mixed = grey * (1 - strength) + heat_colours(level) * strength
    heated = np.ascontiguousarray(np.round(mixed), np.uint8)
    above = (values > scale.threshold).astype(np.uint8)
    lines, _ = cv2.findContours(above, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    for colour, weight in (((0, 0, 0), 3), ((255, 255, 255), 1)):  # seen on dark and on light
        cv2.drawContours(heated, lines, -1, colour, weight, cv2.LINE_AA)
    return np.concatenate([heated, _bar(size[0], scale)])


def heat_colours(levels: NDArray[Any]) -> Picture:
    """Colours (h, w, 3) uint8 RGB of levels (h, w), black at 0 to yellow at 1, clipped beyond."""
    import cv2

    steps = np.rint(np.clip(levels, 0, 1) * 255).astype(np.uint8)
    return np.ascontiguousarray(cv2.applyColorMap(steps, cv2.COLORMAP_INFERNO)[..., ::-1])


def record_picture(record: Record, preprocess: Preprocess) -> Picture:
    """The pixels of a record that its map shows, (H, W, 3) uint8; normals where there is no colour.

    Raises
    ------
    ImageError
        Its file cannot be used.
    """
    import cv2

    pixels: Any = load_pixels(record, RGB if record.rgb else NORMALS)
    if pixels.dtype == np.uint16:
        pixels = (pixels >> 8).astype(np.uint8)
    elif pixels.dtype != np.uint8:
        pixels = np.round((pixels + 1) * 127.5).astype(np.uint8)
    if preprocess.tile:
        return np.ascontiguousarray(pixels)
    side = (preprocess.resize, preprocess.resize)
    resized = np.asarray(cv2.resize(pixels, side, interpolation=cv2.INTER_AREA), np.uint8)
    return np.ascontiguousarray(resized[preprocess.window(), preprocess.window()])


def write_picture(path: Path, picture: Picture) -> None:
    """Write a PNG atomically.

    Raises
    ------
    MvpsError
        The disk is full or the folder not writable.
    """
    height, width = picture.shape[:2]
    try:
        with atomic_path(path) as temporary:
            writer = PngWriter(temporary, width, height, 3, np.uint8)
            try:
                writer.write_rows(picture)
                writer.finish()
            except BaseException:
                writer.abort()
                raise
    except OSError as error:
        raise write_fault(path, error) from None


def _bar(width: int, scale: HeatScale) -> Picture:
    """The scale with its ends and the threshold."""
    import cv2

    strip = np.full((_BAR, width, 3), _PAPER, np.uint8)
    left, right = 8, width - 8
    ramp = np.linspace(0, 1, right - left)[None, :]
    strip[4:14, left:right] = heat_colours(ramp)
    share = (scale.threshold - scale.low) / (scale.high - scale.low)
    at = round(left + share * (right - left - 1))
    cv2.line(strip, (at, 2), (at, 16), _INK, 1)
    for value, place in ((scale.low, left), (scale.high, right), (scale.threshold, at)):
        text = f"{value:.3g}"
        (wide, _), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, 0.4, 1)
        start = min(max(place - wide // 2, left), right - wide)
        cv2.putText(strip, text, (start, 28), cv2.FONT_HERSHEY_SIMPLEX, 0.4, _INK, 1, cv2.LINE_AA)
    return strip
