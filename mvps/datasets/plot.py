"""A data set in one picture: images a category and split, and how small its defects are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from mvps.datasets.describe import Description
from mvps.plotting import COLOURS, new_figure, save_figure

_MOST_KINDS = len(COLOURS) - 1
_BINS = np.geomspace(1e-5, 1.0, 26)
_REST = "all others"
_LEGEND: dict[str, Any] = {
    "fontsize": 8,
    "frameon": False,
    "loc": "lower center",
    "bbox_to_anchor": (0.5, 1.0),
}


def plot_dataset(description: Description, path: Path) -> None:
    """Draw counts, and beside them the marked share of the image by kind of defect.

    Raises
    ------
    InputError
        The picture's name has another ending, or its folder is missing.
    MissingExtraError
        Matplotlib is not installed.
    """
    rows = len(description.categories)
    figure = new_figure(11, max(3.4, 0.26 * rows + 1.5))
    left, right = figure.subplots(1, 2)
    _draw_counts(left, description)
    _draw_areas(right, description)
    name = description.dataset.root.resolve().name
    figure.suptitle(f"{name}: {len(description.dataset.records):,} images", fontsize=11)
    save_figure(figure, path)


def _draw_counts(axis: Any, description: Description) -> None:
    categories = description.categories
    places = np.arange(len(categories))
    left = np.zeros(len(categories))
    parts = (
        ("training, sound", ("train", "validation"), 0, COLOURS[0]),
        ("training, defective", ("train", "validation"), 1, COLOURS[4]),
        ("test, sound", ("test",), 0, COLOURS[5]),
        ("test, defective", ("test",), 1, COLOURS[1]),
    )
    for label, splits, defective, colour in parts:
        counts = np.array(
            [sum(c.splits.get(split, (0, 0))[defective] for split in splits) for c in categories]
        )
        if counts.any():
            axis.barh(places, counts, 0.7, left=left, color=colour, label=label)
        left += counts
    axis.set_yticks(places, [counts.category for counts in categories], fontsize=8)
    axis.set_ylim(len(categories) - 0.4, -0.6)
    axis.set_xlabel("images")
    axis.legend(**_LEGEND, ncols=2)


def _draw_areas(axis: Any, description: Description) -> None:
    shares: dict[str, list[float]] = {}
    for area in description.marked:
        shares.setdefault(area.record.defect, []).append(area.share)
    if not shares:
        axis.set_axis_off()
        axis.text(0.5, 0.5, "no defect is marked", ha="center", transform=axis.transAxes)
        return
    kinds = sorted(shares, key=lambda kind: (-len(shares[kind]), kind))
    named = kinds if len(kinds) <= _MOST_KINDS + 1 else kinds[:_MOST_KINDS]
    stacks = [shares[kind] for kind in named]
    labels = [f"{kind} ({len(shares[kind]):,})" for kind in named]
    if rest := [share for kind in kinds[len(named) :] for share in shares[kind]]:
        stacks.append(rest)
        labels.append(f"{_REST} ({len(rest):,})")
    clipped = [np.clip(stack, _BINS[0], _BINS[-1]) for stack in stacks]
    colours = COLOURS[: len(stacks)]
    axis.hist(
        clipped, _BINS, stacked=True, label=labels, color=colours, edgecolor="white", linewidth=0.5
    )
    axis.margins(y=0.15)
    axis.set_xscale("log")
    axis.xaxis.set_major_formatter(lambda share, _: f"{100 * share:g}%")
    axis.yaxis.get_major_locator().set_params(integer=True)
    axis.set_xlabel("marked share of the image")
    axis.set_ylabel("defective images")
    middle = float(np.median([share for stack in stacks for share in stack]))
    axis.axvline(middle, color="black", linestyle=":", linewidth=1)
    axis.text(
        middle * 1.1,
        0.97,
        f"median {middle:.2%}",
        fontsize=8,
        va="top",
        ha="left",
        transform=axis.get_xaxis_transform(),
        bbox={"facecolor": "white", "alpha": 0.8, "pad": 1, "linewidth": 0},
    )
    axis.legend(**_LEGEND, ncols=4)
