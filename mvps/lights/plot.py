"""Polar picture of a list of lights: azimuth around, slant outward, as the camera sees them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from mvps.lights.describe import normal_noise
from mvps.lights.rig import LightRig
from mvps.lights.vectors import angles_from_directions
from mvps.plotting import COLOURS, new_figure, save_figure

MEAN_AREA = 260.0  # points squared of the dot of a light of mean intensity
MANY = 40  # lights above which dots and numbers shrink


def plot_lights(rig: LightRig, path: Path, *, title: str = "") -> None:
    """Draw numbered dots whose area is proportional to intensity.

    Raises
    ------
    InputError
        The picture's name has another ending, or its folder is missing.
    MissingExtraError
        Matplotlib is not installed.
    """
    figure = new_figure(6.4, 6.4)
    axes: Any = figure.add_subplot(projection="polar")
    azimuth, elevation = angles_from_directions(rig.directions).T
    slant = 90 - elevation
    strength = rig.intensities.reshape(len(rig), -1).mean(axis=1)
    shrink = min(1.0, MANY / len(rig))
    area = np.clip(MEAN_AREA * strength / strength.mean() * shrink, 12, 1200)
    _rings(axes, azimuth, float(slant.max()))
    behind = elevation <= 0
    colours = np.where(behind, COLOURS[1], COLOURS[0])
    axes.scatter(np.radians(azimuth), slant, s=area, c=colours, alpha=0.4, zorder=3, linewidths=0)
    for k in range(len(rig)):
        place = (np.radians(azimuth[k]), slant[k])
        size = 8 if len(rig) <= MANY else 6
        axes.annotate(str(k + 1), place, ha="center", va="center", fontsize=size, zorder=4)
    noise = normal_noise(rig)
    figures = (
        f"condition number {rig.condition():.2f}, normal noise {noise:.2f}° per 1% image noise"
    )
    axes.set_title(f"{title or rig.source}\n{len(rig)} lights, {figures}", fontsize=10, pad=16)
    note = "azimuth around, slant outward (degrees), area: intensity"
    if behind.any():
        note += "; orange: behind the object"
    figure.supxlabel(note, fontsize=9)
    save_figure(figure, path)


def _rings(axes: Any, azimuth: Any, slant: float) -> None:
    """Rings out to the last light, their labels where no light stands."""
    step = 10 if slant < 50 else 15 if slant <= 90.5 else 30
    outer = min(180, step * int(np.ceil((slant + step / 3) / step)))
    axes.set_rlim(0, outer)
    axes.set_rgrids(range(step, outer + 1, step), fontsize=7, color="0.45")
    around = np.sort(azimuth)
    gaps = np.diff(around, append=around[0] + 360)
    axes.set_rlabel_position(around[gaps.argmax()] + gaps.max() / 2)
    names = {0: "0°\nright", 90: "90° (up)"}
    turns = range(0, 360, 45)
    axes.set_thetagrids(turns, [names.get(turn, f"{turn}°") for turn in turns])
    axes.tick_params(axis="x", labelsize=8, pad=5)
    axes.grid(color="0.85", linewidth=0.7)
    axes.set_axisbelow(True)
