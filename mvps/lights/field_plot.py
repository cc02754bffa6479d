"""Small pictures of flat fields side by side, on one scale."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mvps.plotting import MAP, new_figure, save_figure

MOST = 96  # fields that one picture shows


def plot_fields(
    fields: Sequence[NDArray[np.float32]], labels: Sequence[str], path: Path, *, title: str = ""
) -> None:
    """Draw fields of mean 1 as small multiples with one colour bar.

    Parameters
    ----------
    fields : (h, w) float32 each; no more than 96 are drawn

    Raises
    ------
    InputError
        The picture's name has another ending, or its folder is missing.
    MissingExtraError
        Matplotlib is not installed.
    """
    shown = list(zip(fields, labels, strict=True))[:MOST]
    columns = int(np.ceil(np.sqrt(len(shown) * 1.3)))
    lines = -(-len(shown) // columns)
    height, width = fields[0].shape
    cell = min(1.9, 13.0 / columns)
    figure = new_figure(columns * cell + 1.2, lines * (cell * height / width + 0.28) + 0.7)
    grid: Any = figure.subplots(lines, columns, squeeze=False).ravel()
    low = min(float(field.min()) for field, _ in shown)
    high = max(float(field.max()) for field, _ in shown)
    image: Any = None
    for axes in grid:
        axes.set_axis_off()
    for axes, (field, label) in zip(grid, shown, strict=False):
        image = axes.imshow(field, cmap=MAP, vmin=low, vmax=high)
        axes.set_title(label, fontsize=8, pad=3)
    bar = figure.colorbar(image, ax=list(grid), shrink=0.9, aspect=30)
    bar.set_label("light, relative to the mean of the frame", fontsize=9)
    rest = f" (the first {MOST} of {len(fields)})" if len(fields) > MOST else ""
    figure.suptitle((title or "flat fields") + rest, fontsize=10)
    save_figure(figure, path)
