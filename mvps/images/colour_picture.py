"""A map in viridis colours with a labelled bar: even steps to every kind of eye, also in grey."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

LEAST = 320  # pixels of the long side that a small map is repeated to, whole times

_PAPER = (255, 255, 255)
_INK = (40, 40, 40)
_OUTSIDE = (225, 225, 225)
_MARGIN, _BAR_WIDTH, _LABEL_WIDTH = 16, 20, 92


def colour_picture(
    levels: NDArray[np.float32], ticks: Sequence[tuple[float, str]]
) -> NDArray[np.uint8]:
    """Picture of a map beside its bar.

    Parameters
    ----------
    levels : (H, W) from 0 to 1, clipped beyond; NaN becomes light grey
    ticks : levels on the bar and what is written beside them

    Returns
    -------
    (h, w, 3) uint8 RGB
    """
    import cv2

    steps = np.clip(np.nan_to_num(levels) * 255, 0, 255).round().astype(np.uint8)
    colours = cv2.applyColorMap(steps, cv2.COLORMAP_VIRIDIS)[..., ::-1]
    colours = np.where(np.isfinite(levels)[..., None], colours, np.array(_OUTSIDE, np.uint8))
    height, width = levels.shape
    tall = max(height, LEAST * 3 // 4)
    size = (tall + 2 * _MARGIN, width + 3 * _MARGIN + _BAR_WIDTH + _LABEL_WIDTH, 3)
    picture = np.full(size, _PAPER, np.uint8)
    top = (size[0] - height) // 2
    picture[top : top + height, _MARGIN : _MARGIN + width] = colours
    _draw_bar(picture, width + 2 * _MARGIN, ticks)
    return picture


def repeated(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """A small map at a size to look at, in whole repetitions of its pixels."""
    times = max(1, LEAST // max(values.shape))
    return values.repeat(times, axis=0).repeat(times, axis=1)


def _draw_bar(picture: NDArray[np.uint8], left: int, ticks: Sequence[tuple[float, str]]) -> None:
    import cv2

    font, size, weight = cv2.FONT_HERSHEY_SIMPLEX, 0.45, 1
    top, bottom = _MARGIN + 10, picture.shape[0] - _MARGIN - 10
    ramp = np.linspace(255, 0, bottom - top).round().astype(np.uint8)[:, None]
    colours = cv2.applyColorMap(ramp, cv2.COLORMAP_VIRIDIS)[..., ::-1]
    picture[top:bottom, left : left + _BAR_WIDTH] = colours
    for level, label in ticks:
        y = round(bottom - 1 - (bottom - 1 - top) * level)
        right = left + _BAR_WIDTH
        cv2.line(picture, (right, y), (right + 4, y), _INK, 1)
        cv2.putText(picture, label, (right + 8, y + 5), font, size, _INK, weight, cv2.LINE_AA)
