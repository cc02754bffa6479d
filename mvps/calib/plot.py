"""Pictures of calibrations: what distortion does to the image, and the cameras over the board."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mvps import plotting
from mvps.calib.camera import Camera
from mvps.calib.geometry import undistort_points
from mvps.calib.rig_table import camera_names, same_frame

PANELS = 12  # cameras with a panel of their own
CONTOURS, ARROWS = (81, 61), (12, 9)  # points across and down
BORDER_POINTS = 64  # a side of the image
PANEL_INCHES = (4.8, 3.6)
FARTHEST = 10  # sides of the image; what is further off would leave nothing to see of it
FRUSTUM = 0.35  # of the distance to the board

Array = NDArray[np.float64]


def plot_cameras(cameras: Sequence[Camera], path: Path, *, common_frame: bool = False) -> None:
    """Distortion of each camera, and the cameras of each frame over their board, to a picture file.

    Parameters
    ----------
    cameras : one or more; of more than 12, the distortion and names of the first 12 are drawn
    path : .png, .svg or .pdf
    common_frame : draw all cameras in one frame, whatever their ``frame_id`` says

    Raises
    ------
    InputError
        As :func:`mvps.plotting.check_plot_path`.
    MissingExtraError
        Matplotlib is not installed.
    """
    plotting.check_plot_path(path)
    # Absurd cameras overflow; where nothing finite is left, nothing is drawn.
    with np.errstate(all="ignore"):
        plotting.save_figure(_figure(cameras, common_frame), path)


def _figure(cameras: Sequence[Camera], common_frame: bool) -> Any:
    names = camera_names(cameras)
    groups = _groups(cameras, common_frame)[:PANELS]
    drawn = min(len(cameras), PANELS)
    # One camera stands beside its distortion, more stand below theirs.
    columns = 1 + bool(groups) if drawn == 1 else math.ceil(math.sqrt(drawn))
    above = 0 if drawn == 1 else -(-drawn // columns)
    wide = columns if len(groups) == 1 and drawn > 1 else 1
    rows = max(1, above + -(-len(groups) * wide // columns))
    figure = plotting.new_figure(PANEL_INCHES[0] * columns, PANEL_INCHES[1] * rows)
    grid = figure.add_gridspec(rows, columns)
    for index in range(drawn):
        axes = figure.add_subplot(grid[index // columns, index % columns])
        _draw_distortion(axes, cameras[index], names[index])
    for index, group in enumerate(groups):
        row, column = divmod(index + (drawn == 1), columns)
        place = grid[above + row, column : column + wide]
        members = [
            (cameras[i], names[i], plotting.COLOURS[i % len(plotting.COLOURS)]) for i in group
        ]
        _draw_rig(figure.add_subplot(place, projection="3d"), members, stated=common_frame)
    entries = {name: line for axes in figure.axes for line, name in _entries(axes)}
    figure.legend(entries.values(), entries, loc="outside lower center", ncols=4, frameon=False)
    return figure


def _entries(axes: Any) -> list[tuple[Any, str]]:
    """Handles and names of the legend of a panel of distortion."""
    return (
        [] if hasattr(axes, "zaxis") else list(zip(*axes.get_legend_handles_labels(), strict=True))
    )


def _groups(cameras: Sequence[Camera], common_frame: bool) -> list[list[int]]:
    """Numbers of the cameras with a pose, those of one frame together."""
    groups: list[list[int]] = []
    for i, camera in enumerate(cameras):
        if camera.rotation is None:
            continue
        for group in groups:
            if common_frame or same_frame(cameras[group[0]], camera):
                group.append(i)
                break
        else:
            groups.append([i])
    return groups


def _grid(camera: Camera, count: tuple[int, int]) -> Array:
    width, height = camera.image_size
    axes = np.linspace(0, width - 1, count[0]), np.linspace(0, height - 1, count[1])
    return np.stack(np.meshgrid(*axes), axis=-1)


def _border(camera: Camera) -> Array:
    """(4 n + 1, 2) raw px once round the image."""
    right, bottom = (side - 1 for side in camera.image_size)
    corners = np.array([(0, 0), (right, 0), (right, bottom), (0, bottom), (0, 0)], dtype=np.float64)
    along = np.linspace(0, 1, BORDER_POINTS, endpoint=False)[:, None]
    sides = [a + along * (b - a) for a, b in pairwise(corners)]
    return np.concatenate([*sides, corners[:1]])


def _draw_distortion(axes: Any, camera: Camera, name: str) -> None:
    """Length of the way that undistorting moves each raw pixel, its direction, and the outline."""
    raw = _grid(camera, CONTOURS)
    moved, valid = undistort_points(camera, raw)
    length = np.ma.masked_where(~valid, np.hypot(*np.moveaxis(moved - raw, -1, 0)))
    if length.count() and length.max() > 1e-6:
        filled = axes.contourf(raw[..., 0], raw[..., 1], length, levels=10, cmap=plotting.MAP)
        beside = axes.inset_axes((1.03, 0, 0.035, 1))
        axes.figure.colorbar(filled, cax=beside, label="moved by undistorting (px)")
        factor = _draw_arrows(axes, camera)
        axes.set_title(f"{name}: distortion, arrows {factor}")
    else:
        axes.set_title(f"{name}: no distortion")
    if not valid.all():
        axes.contourf(
            raw[..., 0], raw[..., 1], ~valid, levels=[0.5, 1.5], colors="none", hatches=["xxx"]
        )
        axes.plot([], [], ls="none", marker="x", color="black", label="cannot be undistorted")
    outline, _ = undistort_points(camera, _border(camera))
    outline[(np.abs(outline) > FARTHEST * max(camera.image_size)).any(axis=1)] = np.nan
    axes.plot(*_border(camera).T, color="black", lw=1.2, label="raw image")
    axes.plot(*outline.T, color=plotting.COLOURS[1], lw=1.6, ls="--", label="undistorted image")
    axes.use_sticky_edges = False
    axes.margins(0.03)
    axes.set(xlabel="x (px)", ylabel="y (px)", aspect="equal")
    axes.invert_yaxis()
    _mark_principal_point(axes, camera)


def _draw_arrows(axes: Any, camera: Camera) -> str:
    """Arrows from raw to undistorted pixels, drawn longer or shorter; says by how much."""
    step = np.array(camera.image_size) / ARROWS
    raw = (np.stack(np.meshgrid(*map(np.arange, ARROWS)), axis=-1) + 0.5) * step - 0.5
    way = undistort_points(camera, raw)[0] - raw
    largest = float(np.nanmax(np.hypot(way[..., 0], way[..., 1]), initial=0.0))
    ideal = 0.9 * step.min() / largest if largest else 1.0
    power = 10.0 ** np.floor(np.log10(ideal))
    factor = float(power * max(n for n in (1, 2, 5) if n * power <= ideal * (1 + 1e-9)))
    way *= factor
    axes.quiver(
        *np.moveaxis(raw, -1, 0),
        *np.moveaxis(way, -1, 0),
        angles="xy",
        scale_units="xy",
        scale=1,
        color="white",
        width=0.007,
    )
    return "to scale" if factor == 1 else f"x {factor:g}"


def _mark_principal_point(axes: Any, camera: Camera) -> None:
    """A cross, or an arrow at the image's border towards a point outside."""
    x, y = camera.matrix[:2, 2]
    width, height = camera.image_size
    colour = plotting.COLOURS[4]
    if 0 <= x < width and 0 <= y < height:
        axes.plot(x, y, "+", ls="none", color=colour, ms=13, mew=2.5, label="principal point")
        return
    near = np.clip([x, y], 0, [width - 1, height - 1])
    inward = near + (np.array([width, height]) / 2 - near) * 0.2
    axes.annotate(
        f"principal point at {_short(x)}, {_short(y)}",
        xy=near,
        xytext=inward,
        color="black",
        fontsize=8,
        ha="left" if x < 0 else "right" if x >= width else "center",
        arrowprops={"arrowstyle": "-|>", "color": colour, "lw": 2},
        bbox={"boxstyle": "round", "fc": colour, "ec": "none", "alpha": 0.9},
    )


def _short(pixel: float) -> str:
    return f"{pixel:.0f}" if abs(pixel) < 1e6 else f"{pixel:.1e}"


def _draw_rig(axes: Any, members: list[tuple[Camera, str, str]], *, stated: bool) -> None:
    """Cameras as pyramids with their view of the board, all in mm of one frame."""
    frame = "stated to be common" if stated else members[0][0].frame_id or "without a name"
    for number, (camera, name, colour) in enumerate(members):
        centre = camera.centre()
        corners = _view_corners(camera)
        foot = _on_board(centre, corners)
        depth = FRUSTUM * (
            np.linalg.norm(foot.mean(axis=0) - centre) if foot is not None else 100.0
        )
        tips = centre + corners * depth
        for a, b in zip(tips, np.roll(tips, -1, axis=0), strict=True):
            axes.plot(*np.array([a, b]).T, color=colour, lw=1.2)
            axes.plot(*np.array([centre, a]).T, color=colour, lw=1.2)
        if foot is not None:
            axes.plot(*np.vstack([foot, foot[:1]]).T, color=colour, lw=1.5)
            for corner in foot:
                axes.plot(*np.array([centre, corner]).T, color=colour, lw=0.5, alpha=0.5)
        label = name if number < PANELS else None
        axes.plot(*centre[:, None], "o", color=colour, ms=4, label=label)
    if len(members) > PANELS:
        axes.plot([], [], ls="none", label=f"and {len(members) - PANELS} more")
    axes.plot([0], [0], [0], "k+", ms=8)
    _level(axes, np.array([camera.centre() for camera, _, _ in members]))
    axes.set(xlabel="x (mm)", ylabel="y (mm)")
    axes.set_zlabel("z (mm)", labelpad=9)
    size = 10 if len(members) <= PANELS // 2 else 6.5
    axes.legend(loc="upper left", frameon=False, fontsize=size)
    axes.set_title(f"frame: {frame}")


def _view_corners(camera: Camera) -> Array:
    """(4, 3) unit rays of the corners of the undistorted image, world frame."""
    assert camera.rotation is not None
    pixels = np.column_stack([_border(camera)[:-1:BORDER_POINTS], np.ones(4)])
    rays = np.linalg.solve(camera.matrix, pixels.T).T @ camera.rotation
    return np.asarray(rays / np.linalg.norm(rays, axis=1, keepdims=True), dtype=np.float64)


def _on_board(centre: Array, rays: Array) -> Array | None:
    """(4, 3) where the rays meet z = 0, or None where one does not."""
    with np.errstate(divide="ignore", invalid="ignore"):
        reach = -centre[2] / rays[:, 2]
    if not (np.isfinite(reach) & (reach > 0)).all():
        return None
    return np.asarray(centre + reach[:, None] * rays, dtype=np.float64)


def _level(axes: Any, centres: Array) -> None:
    """Equal scales, the board's plane drawn, and the side of the cameras upwards."""
    from matplotlib.ticker import MaxNLocator

    limits = np.array([axes.get_xlim(), axes.get_ylim(), axes.get_zlim()])
    middle, half = limits.mean(axis=1), (limits[:, 1] - limits[:, 0]).max() / 2
    x, y = (np.array([m - half, m + half]) for m in middle[:2])
    axes.plot_surface(*np.meshgrid(x, y), np.zeros((2, 2)), color="0.5", alpha=0.15)
    axes.set(xlim=x, ylim=y, zlim=(middle[2] - half, middle[2] + half))
    axes.set_box_aspect((1, 1, 1), zoom=0.88)
    for axis in (axes.xaxis, axes.yaxis, axes.zaxis):
        axis.set_major_locator(MaxNLocator(4))
    if centres[:, 2].mean() < 0:
        axes.invert_zaxis()
        axes.invert_yaxis()
    axes.view_init(elev=22, azim=-55)
