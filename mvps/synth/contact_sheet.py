"""A contact sheet in the form of the paper's figure A3: view by view RGB, normals and mask.

One row a category; a caption above every column and at the head of every row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

TILE = 192  # px, the side of a picture on the sheet
_GAP, _GROUP, _MARGIN, _HEAD, _SIDE = 4, 18, 16, 46, 150
_PAPER, _INK, _FAINT = (255, 255, 255), (32, 32, 32), (110, 110, 110)
_KINDS = ("RGB", "normals", "mask")

Picture = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class SheetRow:
    """One row of the sheet.

    Attributes
    ----------
    title, note : what the head of the row says: category, and class of the specimen
    pictures : by view RGB (H, W, 3), normals (H, W, 3), mask (H, W) or None where sound; all uint8
    """

    title: str
    note: str
    pictures: Sequence[tuple[Picture, Picture, Picture | None]]


def contact_sheet(rows: Sequence[SheetRow], views: Sequence[str], tile: int = TILE) -> Picture:
    """The sheet as one RGB picture (h, w, 3) uint8.

    Parameters
    ----------
    rows : at least one; each with a triple a view
    views : names of the views, the captions of the columns
    tile : longest side of a picture on the sheet, px
    """
    height, width = rows[0].pictures[0][0].shape[:2]
    scale = tile / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    group = 3 * size[0] + 2 * _GAP
    across = _SIDE + len(views) * (group + _GROUP) - _GROUP + _MARGIN
    down = _HEAD + len(rows) * (size[1] + _GAP) - _GAP + _MARGIN
    sheet = np.full((down, across, 3), _PAPER, np.uint8)
    for i, view in enumerate(views):
        left = _SIDE + i * (group + _GROUP)
        _text(sheet, view, (left, 18), _INK, bold=True)
        for j, kind in enumerate(_KINDS):
            _text(sheet, kind, (left + j * (size[0] + _GAP), 36), _FAINT)
    for number, row in enumerate(rows):
        top = _HEAD + number * (size[1] + _GAP)
        _heading(sheet, row, top + size[1] // 2)
        for i, triple in enumerate(row.pictures):
            for j, picture in enumerate(triple):
                left = _SIDE + i * (group + _GROUP) + j * (size[0] + _GAP)
                sheet[top : top + size[1], left : left + size[0]] = _fitted(picture, size)
    return sheet


def _fitted(picture: Picture | None, size: tuple[int, int]) -> Picture:
    import cv2

    if picture is None:
        return np.zeros((size[1], size[0], 3), np.uint8)
    colour = picture if picture.ndim == 3 else np.repeat(picture[..., None], 3, axis=2)
    smaller = colour.shape[1] > size[0]
    kind = cv2.INTER_AREA if smaller else cv2.INTER_NEAREST
    fitted: Picture = cv2.resize(colour, size, interpolation=kind)
    return fitted


def _heading(sheet: Picture, row: SheetRow, middle: int) -> None:
    _text(sheet, row.title, (_MARGIN, middle - 6), _INK, bold=True, width=_SIDE - _MARGIN - 6)
    _text(sheet, row.note, (_MARGIN, middle + 14), _FAINT, width=_SIDE - _MARGIN - 6)


def _text(
    sheet: Picture,
    text: str,
    at: tuple[int, int],
    colour: tuple[int, int, int],
    *,
    bold: bool = False,
    width: int = 0,
) -> None:
    """A line of text; smaller where it would be wider than ``width``."""
    import cv2

    font, weight, size = cv2.FONT_HERSHEY_SIMPLEX, 1, 0.5 if bold else 0.45
    if width:
        taken = cv2.getTextSize(text, font, size, weight)[0][0]
        size *= min(1.0, width / max(taken, 1))
    cv2.putText(sheet, text, at, font, size, colour, weight, cv2.LINE_AA)
