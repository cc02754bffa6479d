"""The picture of a calibration: where corners were seen, their errors, what the lens does."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mvps import plotting
from mvps.calib.board_checks import CELLS
from mvps.calib.board_solve import Calibration
from mvps.calib.geometry import distort_points

ROWS = 8  # cameras drawn; a rig rarely has more
PANEL_INCHES = (4.6, 3.7)
_BAR = 0.75  # of the panel: the length of a colour scale
_NO_SHIFT = 1e-6  # px
NAMED_BARS = 24  # views; more bars than that are numbered


def plot_calibrations(calibrations: Sequence[Calibration], path: Path) -> None:
    """Four panels for each camera, to a picture file.

    Parameters
    ----------
    calibrations : one or more; the first 8 are drawn
    path : .png, .svg or .pdf

    Raises
    ------
    InputError
        As :func:`mvps.plotting.check_plot_path`.
    MissingExtraError
        Matplotlib is not installed.
    """
    plotting.check_plot_path(path)
    drawn = calibrations[:ROWS]
    columns = 2 if len(drawn) == 1 else 4
    rows = 2 if len(drawn) == 1 else len(drawn)
    figure = plotting.new_figure(PANEL_INCHES[0] * columns, PANEL_INCHES[1] * rows)
    figure.get_layout_engine().set(wspace=0.05, hspace=0.05)
    axes = iter(figure.subplots(rows, columns).flat)
    for calibration in drawn:
        prefix = "" if len(drawn) == 1 else f"{calibration.name}: "
        for draw in (_coverage, _scatter, _bars, _distortion):
            draw(next(axes), calibration, prefix)
    plotting.save_figure(figure, path)


def _coverage(axes: Any, calibration: Calibration, prefix: str) -> None:
    pixels = np.concatenate([view.corners.pixels for view in calibration.views])
    errors = np.linalg.norm(np.concatenate(calibration.residuals), axis=1)
    width, height = _frame(axes, calibration)
    for cut in np.arange(1, CELLS) / CELLS:
        axes.axvline(cut * width - 0.5, color="0.88", linewidth=0.6, zorder=0)
        axes.axhline(cut * height - 0.5, color="0.88", linewidth=0.6, zorder=0)
    top = float(np.percentile(errors, 99)) or 1e-6
    dots = axes.scatter(*pixels.T, c=errors, s=7, cmap=plotting.MAP, vmin=0, vmax=top)
    axes.figure.colorbar(dots, ax=axes, label="error (px)", shrink=_BAR)
    axes.set_title(f"{prefix}{len(pixels)} corners in {len(calibration.views)} views")


def _scatter(axes: Any, calibration: Calibration, prefix: str) -> None:
    errors = np.concatenate(calibration.residuals)
    axes.scatter(*errors.T, s=6, color=plotting.COLOURS[0], alpha=0.45, linewidths=0)
    turn = np.linspace(0, 2 * np.pi, 200)
    for times, style in ((1, "-"), (2, "--")):
        radius = times * calibration.noise
        label = f"{times} deviation{'s' if times > 1 else ''}"
        circle = radius * np.cos(turn), radius * np.sin(turn)
        axes.plot(*circle, style, color=plotting.COLOURS[1], linewidth=1.2, label=label)
    reach = 1.08 * max(float(np.abs(errors).max()), 2 * calibration.noise, 1e-6)
    axes.set(xlim=(-reach, reach), ylim=(reach, -reach), aspect="equal")
    axes.set(xlabel="error in x (px)", ylabel="error in y (px)")
    axes.locator_params(nbins=5)
    axes.legend(loc="upper right", fontsize=8, framealpha=0.9)
    axes.set_title(f"{prefix}reprojection error, RMS {calibration.rms():.3g} px")


def _bars(axes: Any, calibration: Calibration, prefix: str) -> None:
    errors = calibration.view_rms()
    places = np.arange(len(errors))
    axes.bar(places, errors, color=plotting.COLOURS[0], width=0.75)
    axes.axhline(calibration.rms(), color=plotting.COLOURS[1], linewidth=1.2, label="all views")
    if calibration.held_out is not None:
        axes.axhline(
            calibration.held_out,
            color=plotting.COLOURS[2],
            linewidth=1.2,
            linestyle="--",
            label="views left out",
        )
    if len(errors) <= NAMED_BARS:
        names = [_short(view.name) for view in calibration.views]
        upright = max(map(len, names)) * len(names) > 40
        axes.set_xticks(places, names, rotation=90 if upright else 0, fontsize=8)
    axes.set(xlabel="view", ylabel="RMS error (px)", ylim=(0, 1.3 * max([*errors, 1e-9])))
    axes.legend(loc="upper right", fontsize=8, ncols=2, framealpha=0.9)
    axes.set_title(f"{prefix}error of each view")


def _distortion(axes: Any, calibration: Calibration, prefix: str) -> None:
    width, height = _frame(axes, calibration)
    camera = calibration.camera()
    x, y = np.linspace(0, width - 1, 81), np.linspace(0, height - 1, 61)
    grid = np.stack(np.meshgrid(x, y), -1)
    moved, valid = distort_points(camera, grid)
    shift = np.where(valid, np.linalg.norm(moved - grid, axis=-1), np.nan)
    largest = float(np.nanmax(shift))
    if largest < _NO_SHIFT:
        axes.set_title(f"{prefix}no distortion")
    else:
        axes.set_title(f"{prefix}distortion, {largest:.3g} px at most")
        filled = axes.contourf(x, y, shift, 12, cmap=plotting.MAP)
        axes.figure.colorbar(filled, ax=axes, label="shift (px)", shrink=_BAR)
    cx, cy = calibration.lens[2:4]
    axes.plot(cx, cy, "+", color=plotting.COLOURS[1], markersize=10, markeredgewidth=1.8)


def _frame(axes: Any, calibration: Calibration) -> tuple[int, int]:
    """Axes that are the image, row 0 on top."""
    width, height = calibration.image_size
    axes.set(xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5), aspect="equal")
    axes.set(xlabel="x (px)", ylabel="y (px)")
    for side in ("top", "right"):
        axes.spines[side].set_visible(True)
    return width, height


def _short(name: str) -> str:
    return name if len(name) <= 12 else f"…{name[-11:]}"
