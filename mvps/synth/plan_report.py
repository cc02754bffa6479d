"""What a sweep of rigs found, as a table on disk and as a plot."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from mvps.files import write_text
from mvps.synth.plan import SweepRow

COLUMNS = (
    "lights",
    "elevation",
    "light_error",
    "mean",
    "median",
    "p95",
    "noise",
    "contrast",
    "visibility",
)


def write_csv(rows: Sequence[SweepRow], path: Path) -> None:
    """Write one line a rig; degrees, and empty cells where nothing is known."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in rows:
        cells = row.as_dict()
        writer.writerow(["" if cells[name] is None else cells[name] for name in COLUMNS])
    write_text(path, text.getvalue())


def draw_plot(rows: Sequence[SweepRow], path: Path, title: str) -> None:
    """Plot the median error over the number of lights, and beside it how visible the defect is.

    A panel an error of the lights shares its scale with the others; a line an elevation.

    Raises
    ------
    InputError, MissingExtraError
        The name is no picture's, or Matplotlib is not installed.
    """
    from mvps.plotting import COLOURS, new_figure, save_figure

    errors = sorted({row.light_error for row in rows})
    elevations = sorted({row.elevation for row in rows})
    seen = [row for row in rows if row.visibility is not None]
    panels = len(errors) + bool(seen)
    figure = new_figure(max(2.6 * panels + 0.8, 5), 3.4)
    axes = figure.subplots(1, panels, squeeze=False)[0]
    for axis, error in zip(axes, errors, strict=False):
        for colour, elevation in zip(COLOURS * 9, elevations, strict=False):
            mine = [r for r in rows if (r.light_error, r.elevation) == (error, elevation)]
            counts = [row.lights for row in mine]
            axis.plot(counts, [row.median for row in mine], "o-", color=colour)
            axis.plot(counts, [row.mean for row in mine], ":", color=colour)
        axis.set_title(f"lights off by {error:g}°")
        axis.set_ylim(0, 1.08 * max(row.mean for row in rows))
    axes[0].set_ylabel("angular error in degrees\nmedian (line), mean (dotted)")
    if seen:
        _visibility(axes[-1], seen, elevations)
    for axis in axes:
        axis.set_xticks(sorted({row.lights for row in rows}))
        axis.set_xlabel("lights")
        axis.grid(alpha=0.25)
    handles = [
        axes[0].plot([], [], "o-", color=colour, label=f"{elevation:g}°")[0]
        for colour, elevation in zip(COLOURS * 9, elevations, strict=False)
    ]
    figure.legend(handles=handles, title="elevation", loc="outside right upper", frameon=False)
    figure.suptitle(title)
    save_figure(figure, path)


def _visibility(axis: object, rows: Sequence[SweepRow], elevations: Sequence[float]) -> None:
    from mvps.plotting import COLOURS

    least = min(row.light_error for row in rows)
    plot = axis.plot  # type: ignore[attr-defined]
    for colour, elevation in zip(COLOURS * 9, elevations, strict=False):
        mine = [r for r in rows if (r.light_error, r.elevation) == (least, elevation)]
        plot([row.lights for row in mine], [row.visibility for row in mine], "o-", color=colour)
    axis.set_ylim(bottom=0)  # type: ignore[attr-defined]
    axis.set_title("defect: contrast / noise")  # type: ignore[attr-defined]
