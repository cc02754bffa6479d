"""Contact sheets in the form of the paper's figures 4 and 5: rows of pictures, a column each image.

As figure 4, all views of a part side by side; as figure 5, one image of every kind of defect.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mvps.machine import cores
from mvps.report.detect_choice import choose, typical
from mvps.report.detect_study import ScoredImage, Specimen
from mvps.report.detect_tiles import KINDS, SIDE, Tiles, draw_tiles, marked_share

COLUMNS = 10  # images side by side at most
_GAP = 6  # px between tiles
_INCH = 150.0  # px, as pictures are saved: a tile keeps its pixels


@dataclass(frozen=True)
class Column:
    """One image in a sheet, under its name."""

    name: str
    image: ScoredImage
    tiles: Tiles


@dataclass(frozen=True)
class Sheet:
    """A contact sheet: a title, its columns, what it shows in words.

    Attributes
    ----------
    overview : whether it shows several parts, as figure 5, and not the views of one
    """

    title: str
    columns: tuple[Column, ...]
    words: str = ""
    verdict: str = ""
    overview: bool = False

    @property
    def kinds(self) -> tuple[str, ...]:
        """Rows that any column has a picture for."""
        return tuple(k for k in KINDS if any(k in c.tiles.pictures for c in self.columns))


def kinds_sheet(
    specimens: Sequence[Specimen], scale: tuple[float, float], kept: float
) -> Sheet | None:
    """As figure 5: of each kind of defect a typical part, in the view that shows most of it."""
    chosen = list(typical(specimens).items())[:COLUMNS]
    if not chosen:
        return None
    best = [(kind, max(s.images, key=_visibility), s) for kind, s in chosen]
    named = [(f"{kind}, {image.record.view or s.name}", image) for kind, image, s in best]
    words = "a typical part, in the view that shows most of it"
    return Sheet("Every kind of defect", _columns(named, scale, kept), words, overview=True)


def specimen_sheets(
    specimens: Sequence[Specimen], scale: tuple[float, float], kept: float, most: int
) -> list[Sheet]:
    """As figure 4: chosen parts of a category with all their views, why they are shown above."""
    sheets = []
    for choice in choose(specimens, most):
        specimen = choice.specimen
        named = [
            (f"{i.record.view or specimen.name}  {i.score:.3g}", i)
            for i in specimen.images[:COLUMNS]
        ]
        columns = _columns(named, scale, kept)
        sheets.append(Sheet(specimen.shown_name, columns, choice.why, specimen.verdict))
    return sheets


def write_sheet(sheet: Sheet, path: Path) -> None:
    """Draw a sheet as a picture; rows and columns bear their names.

    Raises
    ------
    MissingExtraError
        Matplotlib is not installed.
    """
    from mvps.plotting import new_figure, save_figure

    kinds = sheet.kinds
    step = SIDE + _GAP
    tall = max((p.shape[0] for c in sheet.columns for p in c.tiles.pictures.values()), default=SIDE)
    canvas = np.full(((tall + _GAP) * len(kinds) - _GAP, step * len(sheet.columns) - _GAP, 3), 255)
    for across, column in enumerate(sheet.columns):
        for down, kind in enumerate(kinds):
            picture = column.tiles.pictures.get(kind)
            if picture is not None:
                top, left = down * (tall + _GAP), across * step
                canvas[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
    figure = new_figure(canvas.shape[1] / _INCH + 0.5, canvas.shape[0] / _INCH + 0.8)
    axis = figure.subplots()
    axis.imshow(canvas.astype(np.uint8), interpolation="nearest")
    names = [column.name for column in sheet.columns]
    axis.set_xticks([i * step + SIDE / 2 for i in range(len(names))], names, fontsize=8)
    middles = [i * (tall + _GAP) + tall / 2 for i in range(len(kinds))]
    axis.set_yticks(middles, kinds, rotation=90, va="center", fontsize=8)
    axis.tick_params(length=0, top=False, labeltop=True, labelbottom=False)
    for side in axis.spines.values():
        side.set_visible(False)
    words = f" – {sheet.words}" if sheet.words else ""
    figure.suptitle(f"{sheet.title}{words}", fontsize=10)
    save_figure(figure, path)


def file_name(*parts: str) -> str:
    """A name that every file system takes."""
    return "_".join(re.sub(r"[^A-Za-z0-9.-]+", "-", part).strip("-.") for part in parts if part)


def _columns(
    named: Sequence[tuple[str, ScoredImage]], scale: tuple[float, float], kept: float
) -> tuple[Column, ...]:
    with ThreadPoolExecutor(cores()) as pool:  # decoding lets go of the interpreter
        drawn = list(pool.map(lambda one: draw_tiles(one[1], scale, kept), named))
    return tuple(
        Column(name, image, tiles) for (name, image), tiles in zip(named, drawn, strict=True)
    )


def _visibility(image: ScoredImage) -> tuple[float, float]:
    return marked_share(image), image.score
