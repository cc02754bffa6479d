"""A light probe as plain data for programs and as a picture for people."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mvps.errors import InputError
from mvps.lights import sphere_model as model
from mvps.lights.diffuse_ball import Shading
from mvps.lights.formats import write_lights
from mvps.lights.sphere import BallLights
from mvps.lights.sphere_input import grey
from mvps.lights.sphere_rig import Probe
from mvps.plotting import COLOURS, check_plot_path, new_figure, save_figure

Array = NDArray[np.float64]

_FORMATS = {".yml": "yaml", ".yaml": "yaml", ".json": "json"}
_PANEL = 4.6  # inches
_ACROSS = 3  # panels a row
_GAMMA = 0.5  # lifts the dark of a mirror ball


def as_dict(probe: Probe) -> dict[str, Any]:
    """Plain JSON types; None for what is not known. House frame, degrees, mm, px."""
    rig, positions = probe.rig, probe.positions
    lights = []
    for k, name in enumerate(probe.names):
        lights.append(
            {
                "row": k + 1,
                "name": name,
                "direction": None if rig is None else rig.directions[k].tolist(),
                "intensity": None if rig is None else rig.intensities[k].tolist(),
                "agreement_degrees": _number(probe.agreement[k]),
                "position_mm": _numbers(positions.points[k] if positions else None),
                "position_covariance_mm2": _numbers(
                    positions.covariances[k] if positions else None
                ),
                "miss_mm": _number(positions.misses[k] if positions else None),
            }
        )
    return {
        "frame": "x right, y up, z to the camera",
        "lights": lights,
        "condition_number": None if rig is None else _number(rig.condition()),
        "balls": [
            _ball(seen, probe.positions.centres[i] if probe.positions else None)
            for i, seen in enumerate(probe.balls)
        ],
        "shadings": [[_shading(shading) for shading in row] for row in probe.shadings],
        "findings": [vars(finding) for finding in probe.findings],
    }


def largest(columns: Sequence[Array]) -> Array:
    """(K,) largest of what the balls state of each lamp; NaN where none does; empty of nothing."""
    if not columns:
        return np.empty(0)
    return np.asarray(np.fmax.reduce(list(columns)), dtype=np.float64)


def check_targets(out: Path | None, picture: Path | None, *, overwrite: bool) -> None:
    """Refuse names that cannot be written, before anything is computed.

    Raises
    ------
    InputError
        An ending that is not known, a folder that is missing, a file that is there already.
    """
    if picture is not None:
        check_plot_path(picture)
    if out is None:
        return
    if out.suffix.lower() not in _FORMATS:
        raise InputError(
            out, "not the name of a light file", "end it in .yml or .json; convert makes others"
        )
    if not out.absolute().parent.is_dir():
        raise InputError(out, "its folder does not exist", "make the folder first")
    if out.exists() and not overwrite:
        raise InputError(out, "is there already", "pass --overwrite to replace it")


def write_probe(probe: Probe, out: Path) -> None:
    """Write the lamps as our YAML or JSON, told by the ending; nothing where a lamp is missing."""
    if probe.rig is not None:
        write_lights(probe.rig, out, _FORMATS[out.suffix.lower()])


def _ball(seen: BallLights, centre: Array | None) -> dict[str, Any]:
    ball = seen.ball
    ellipse = ball.outline.ellipse
    lights = []
    for k, spot in enumerate(seen.highlights):
        row: dict[str, Any] = {"direction": _numbers(seen.directions[k])}
        row["sigma_degrees"] = _number(seen.sigmas[k])
        row["bound_degrees"] = None if seen.bounds is None else _number(seen.bounds[k])
        if spot is not None:
            row["highlight_px"] = _numbers(seen.pixels[k])
            row |= {key: getattr(spot, key) for key in ("area", "peak", "saturated", "rival")}
            row |= {"method": spot.method, "doubt_px": spot.doubt}
        lights.append(row)
    return {
        "name": ball.name,
        "model": "orthographic" if ball.cone is None else "perspective",
        "outline": {
            "centre_px": ellipse.centre.tolist(),
            "semi_axes_px": list(ellipse.semi_axes),
            "angle_degrees": ellipse.angle,
            "eccentricity": ellipse.eccentricity,
            "off_axis_degrees": float(np.degrees(np.arcsin(ellipse.eccentricity))),
            "given": not len(ball.outline.points),
            "residual_px": ball.outline.sigma if len(ball.outline.points) else None,
            "coverage": ball.outline.coverage,
        },
        "half_angle_degrees": _number(
            None if ball.cone is None else np.degrees(model.half_angle(ball.cone.m))
        ),
        "centre_mm": _numbers(centre),
        "lights": lights,
    }


def _shading(shading: Shading | None) -> dict[str, Any] | None:
    if shading is None:
        return None
    return {
        "strength": shading.strength.tolist(),
        "residual": shading.residual,
        "pixels": shading.pixels,
    }


def _number(value: Any) -> float | None:
    return float(value) if value is not None and np.isfinite(value) else None


def _numbers(values: Array | None) -> list[Any] | None:
    return values.tolist() if values is not None and np.isfinite(values).all() else None


def draw_probe(probe: Probe, path: Path) -> None:
    """Picture of each ball with its outline and a numbered cross at every highlight.

    Of a matt ball the crosses stand where its surface faces the lamp.

    Raises
    ------
    InputError
        The picture's name has another ending, or its folder is missing.
    MissingExtraError
        Matplotlib is not installed.
    """
    count = len(probe.balls)
    columns = min(count, _ACROSS)
    rows = -(-count // columns)
    figure = new_figure(_PANEL * columns, (_PANEL + 0.5) * rows)
    axes = np.atleast_1d(figure.subplots(rows, columns)).ravel()
    for axis, seen in zip(axes, probe.balls, strict=False):
        _draw_ball(axis, seen, bool(probe.shadings))
    for axis in axes[count:]:
        axis.remove()
    figure.suptitle(_title(probe), fontsize=10)
    save_figure(figure, path)


def _title(probe: Probe) -> str:
    words = [f"{len(probe.names)} lights"]
    if probe.rig is not None:
        words.append(f"condition number {probe.rig.condition():.2f}")
    if probe.positions is not None:
        words.append(f"rays of the balls pass within {np.nanmax(probe.positions.misses):.2f} mm")
    elif np.isfinite(probe.agreement).any():
        words.append(f"balls agree to {np.nanmean(probe.agreement):.2f}° (mean)")
    return ", ".join(words)


def _draw_ball(axis: Any, seen: BallLights, matt: bool) -> None:
    ball = seen.ball
    image = grey(ball.crop.samples.max(axis=0))
    x0, y0 = ball.crop.offset
    height, width = image.shape
    extent = (x0 - 0.5, x0 + width - 0.5, y0 + height - 0.5, y0 - 0.5)
    shown = np.clip(image / max(image.max(), 1e-9), 0, 1) ** _GAMMA
    axis.imshow(shown, cmap="gray", extent=extent, vmin=0, vmax=1)
    ring = ball.outline.ellipse.points(361)
    axis.plot(*np.vstack([ring, ring[:1]]).T, color=COLOURS[4], linewidth=1.2)
    points = ball.outline.points
    if len(points):
        axis.plot(*points.T, ".", color=COLOURS[5], markersize=1.5)
    _number_marks(axis, _facing(seen) if matt else seen.pixels)
    axis.set_title(ball.name, fontsize=10)
    axis.set_xlabel("px")
    axis.set_aspect("equal")


def _number_marks(axis: Any, marks: Array) -> None:
    """Crosses at marks (K, 2) px, their numbers outward, where the others are not."""
    from matplotlib.patheffects import withStroke

    seen = np.flatnonzero(np.isfinite(marks).all(axis=1))
    middle = marks[seen].mean(axis=0) if len(seen) else np.zeros(2)
    for k in seen:
        axis.plot(*marks[k], "+", color=COLOURS[1], markersize=9, markeredgewidth=1.4)
        out = marks[k] - middle
        out = np.array([1.0, -1.0]) * out / max(1e-9, float(np.linalg.norm(out)))
        axis.annotate(
            str(k + 1),
            marks[k],
            xytext=11 * out,
            textcoords="offset points",
            ha="center",
            va="center",
            fontsize=9,
            color="white",
            path_effects=[withStroke(linewidth=2, foreground="black")],
        )


def _facing(seen: BallLights) -> Array:
    """(K, 2) px at which a matt ball faces each lamp, in the orthographic model."""
    disc = seen.directions[:, :2] * np.array([1.0, -1.0])
    ellipse = seen.ball.outline.ellipse
    return np.asarray(ellipse.centre + disc @ ellipse.shape, dtype=np.float64)
