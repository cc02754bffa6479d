"""Tables of cameras for a terminal: figures side by side, matrices in aligned rows, the rig."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mvps.calib.describe import CameraDescription
    from mvps.calib.rig_table import RigTable

    Named = tuple[str, CameraDescription]

_LABEL, _COLUMN = 33, 18  # characters of the first column and of each camera


def _numbers(values: Sequence[float] | None, pattern: str, between: str = ", ") -> str:
    return "-" if values is None else between.join(format(value, pattern) for value in values)


def _number(value: float | None, pattern: str) -> str:
    return _numbers(None if value is None else (value,), pattern)


def _distortion(c: CameraDescription) -> str:
    used = [f"{name} {value:.6g}" for name, value in c.distortion.items() if value]
    return "\n".join(used) or "none"


def _standing(name: str, pattern: str) -> Callable[[CameraDescription], str]:
    def cell(c: CameraDescription) -> str:
        value = getattr(c.standing, name) if c.standing else None
        many = isinstance(value, tuple)
        return _numbers(value, pattern, " ") if many else _number(value, pattern)

    return cell


_ROWS: tuple[tuple[str, Callable[[CameraDescription], str]], ...] = (
    ("format", lambda c: c.format),
    ("image size (px)", lambda c: _numbers(c.image_size_px, "d", " x ")),
    ("focal length x, y (px)", lambda c: _numbers(c.focal_px, ".1f")),
    ("focal length x, y (mm)", lambda c: _numbers(c.focal_mm, ".2f")),
    ("field of view x, y, diag. (deg)", lambda c: _numbers(c.field_of_view_deg, ".2f")),
    ("principal point (px)", lambda c: _numbers(c.principal_point_px, ".1f")),
    ("  off the image centre (px)", lambda c: _numbers(c.principal_offset_px, "+.1f")),
    ("  in % of width, height", lambda c: _numbers(c.principal_offset_percent, "+.1f")),
    ("pixel aspect fx/fy", lambda c: f"{c.pixel_aspect:.4f}"),
    ("skew (px)", lambda c: f"{c.skew:.3g}"),
    ("distortion", _distortion),
    (
        "  polynomial, max / mean (px)",
        lambda c: f"{c.displacement_forward_max_px:.1f} / {c.displacement_forward_mean_px:.1f}",
    ),
    (
        "  undistorting, max / mean (px)",
        lambda c: f"{c.displacement_undistort_max_px:.1f} / {c.displacement_undistort_mean_px:.1f}",
    ),
    ("  smallest determinant", lambda c: f"{c.smallest_determinant:.3f}"),
    ("  direction", lambda c: c.distortion_direction.replace("_to_", "\nto ")),
    ("centre in the board frame (mm)", _standing("centre_mm", ".1f")),
    ("tilt of the view (deg)", _standing("tilt_deg", ".1f")),
    ("azimuth of the camera (deg)", _standing("azimuth_deg", ".1f")),
    ("distance to the board (mm)", _standing("distance_mm", ".1f")),
    ("um per px along board x, y", lambda c: _numbers(c.um_per_px, ".1f")),
    ("H against K[r1 r2 t]/tz", lambda c: _number(c.homography_residual, ".0e")),
    ("frame", lambda c: _plain(c.frame_id) or "-"),
)


def figure_tables(cameras: Sequence[Named], width: int) -> Iterator[Any]:
    """Tables with as many cameras side by side as ``width`` characters hold."""
    from rich.table import Table
    from rich.text import Text

    together = max(1, (width - _LABEL - 4) // (_COLUMN + 3))
    for start in range(0, len(cameras), together):
        part = cameras[start : start + together]
        table = Table(title="Cameras", title_justify="left")
        table.add_column("figure", no_wrap=True)
        for name, _ in part:
            table.add_column(Text(_plain(name)), justify="right", overflow="fold")
        for label, cell in _ROWS:
            cells = [cell(figures) for _, figures in part]
            if any(text not in {"-", ""} for text in cells):
                table.add_row(label, *map(Text, cells))
        yield table


def matrices(name: str, figures: CameraDescription) -> str:
    """K, [R t] and H below each other, columns aligned."""
    lines = [f"{_plain(name)}: {_plain(figures.file)}", f"  sha256 {figures.sha256}"]
    if figures.header:
        header = "; ".join(f"{key} {value}" for key, value in figures.header.items())
        lines.append(f"  header: {_plain(header)}")
    lines += _block("K (px)", figures.matrix)
    if figures.rotation is not None and figures.translation_mm is not None:
        posed = zip(figures.rotation, figures.translation_mm, strict=True)
        lines += _block("[R t], board to camera (t in mm)", [(*row, t) for row, t in posed])
    if figures.homography is not None:
        lines += _block("H, board mm to undistorted px", figures.homography)
    return "\n".join(lines) + "\n"


def rig(table: RigTable) -> Any:
    """Figures of the pairs that share a frame, or a line that none does."""
    from rich.table import Table
    from rich.text import Text

    if not table.pairs:
        return "Rig: no common frame, so no baselines and angles (--common-frame states one)."
    stated = ", frame stated by --common-frame" if table.common_frame == "stated" else ""
    shown = Table(title=f"Rig{stated}", title_justify="left")
    for title in ("camera", "and"):
        shown.add_column(title)
    for title in ("baseline (mm)", "optical axes (deg)", "centre rays (deg)"):
        shown.add_column(title, justify="right")
    for pair in table.pairs:
        figures = (f"{pair.baseline_mm:.2f}", f"{pair.axes_deg:.2f}", f"{pair.views_deg:.2f}")
        shown.add_row(Text(_plain(pair.first)), Text(_plain(pair.second)), *figures)
    return shown


def _plain(text: str) -> str:
    """Text of a file without anything that a terminal would take for a command."""
    return text if text.isprintable() else ascii(text)


def _block(title: str, rows: Sequence[Sequence[float]]) -> list[str]:
    """Rows of a matrix with the numbers of each column right-aligned."""
    cells = [[f"{value:.7g}" for value in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    pairs = [zip(row, widths, strict=True) for row in cells]
    return [f"  {title}"] + ["    " + "  ".join(c.rjust(w) for c, w in row) for row in pairs]
