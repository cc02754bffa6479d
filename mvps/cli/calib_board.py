"""``mvps calib board``: calibrate cameras anew from photographs of a board."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mvps.cli.normals import named_path

if TYPE_CHECKING:
    from mvps.calib.board import Board
    from mvps.calib.board_result import Recalibration
    from mvps.calib.board_views import ViewSet

_HELP = """Calibrate a camera from many photographs of a board; several folders make a rig.

Each folder holds the photographs of one camera, with focus, zoom and aperture locked. Photographs
of several cameras that were taken at one time have the same file name: from those, the poses of the
cameras to one another are found. 12 to 20 views, the board tilted by 20 to 45 degrees to all sides
and seen in every corner of the image, are usual.

--squares counts the squares of a ChArUco board, and the inner corners of a chessboard.

[bold]Examples[/bold]

  mvps calib board views --squares 11x8 --square-mm 2.0 --marker-mm 1.5 --out cam.yml

  mvps calib board views --board chess --squares 9x6 --square-mm 5 --report report.png

  mvps calib board cam1 cam2 cam3 --squares 11x8 --square-mm 2 --out rig.yml

  mvps calib board views --squares 11x8 --square-mm 2 --out sparse --format colmap

  mvps calib board --squares 11x8 --square-mm 20 --print board.pdf

Exit codes: 0 calibrated, 2 your input.
"""

_BOARD, _MODEL, _WRITE = "Board", "Model", "Writing"


def register(app: typer.Typer) -> None:
    """Add the command to the group."""
    app.command("board", help=_HELP, short_help="Calibrate from photographs of a board.")(board)


def board(
    squares: Annotated[
        str,
        typer.Option(help="Columns and rows, as 11x8.", show_default=False, rich_help_panel=_BOARD),
    ],
    square_mm: Annotated[
        float,
        typer.Option(help="Side of a square.", show_default=False, rich_help_panel=_BOARD),
    ],
    folders: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Folders of photographs, one a camera.", show_default=False, parser=named_path
        ),
    ] = None,
    kind: Annotated[
        str, typer.Option("--board", help="charuco or chess.", rich_help_panel=_BOARD)
    ] = "charuco",
    marker_mm: Annotated[
        float | None,
        typer.Option(help="Side of a marker; else 3/4 of a square.", rich_help_panel=_BOARD),
    ] = None,
    dictionary: Annotated[
        str, typer.Option(help="Markers, by OpenCV's name.", rich_help_panel=_BOARD)
    ] = "DICT_4X4_100",
    legacy_pattern: Annotated[
        bool,
        typer.Option(
            "--legacy-pattern",
            help="A board of OpenCV before 4.6 with an even number of rows.",
            rich_help_panel=_BOARD,
        ),
    ] = False,
    print_to: Annotated[
        Path | None,
        typer.Option(
            "--print",
            help="Write the board itself, to scale, and stop: .pdf, .png or .svg.",
            parser=named_path,
            rich_help_panel=_BOARD,
        ),
    ] = None,
    coefficients: Annotated[
        int,
        typer.Option(help="Of distortion: 0, 2, 4, 5, 8 or 12.", rich_help_panel=_MODEL),
    ] = 5,
    fix_principal_point: Annotated[
        bool,
        typer.Option(
            "--fix-principal-point", help="In the middle of the image.", rich_help_panel=_MODEL
        ),
    ] = False,
    fix_aspect: Annotated[
        bool, typer.Option("--fix-aspect", help="Square pixels.", rich_help_panel=_MODEL)
    ] = False,
    world: Annotated[
        str | None,
        typer.Option(
            help="View whose board is the world frame, or 'camera'; else the first view.",
            rich_help_panel=_MODEL,
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="File or folder for the cameras.", parser=named_path, rich_help_panel=_WRITE
        ),
    ] = None,
    format: Annotated[
        str,
        typer.Option(
            help="mvps, rig, opencv, ros, colmap, nerfstudio or kalibr.", rich_help_panel=_WRITE
        ),
    ] = "mvps",
    allow_loss: Annotated[
        bool,
        typer.Option(
            "--allow-loss",
            help="Write without what the format cannot hold.",
            rich_help_panel=_WRITE,
        ),
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace files.", rich_help_panel=_WRITE)
    ] = False,
    report: Annotated[
        Path | None,
        typer.Option(
            help="Draw the calibration: .png, .svg or .pdf.",
            parser=named_path,
            rich_help_panel=_WRITE,
        ),
    ] = None,
    json: Annotated[
        bool,
        typer.Option("--json", help="One JSON document on stdout.", rich_help_panel=_WRITE),
    ] = False,
) -> None:
    """Find corners, calibrate, print, write."""
    from mvps import console
    from mvps.calib.board import make_board, parse_squares
    from mvps.calib.board_result import (
        check_report,
        check_target,
        recalibrate,
        write_recalibration,
    )
    from mvps.calib.board_solve import Model
    from mvps.errors import InputError

    target = make_board(
        kind,
        *parse_squares(squares),
        square_mm,
        marker_mm=marker_mm,
        dictionary=dictionary,
        legacy=legacy_pattern,
    )
    if print_to is not None:
        from mvps.calib.board_print import print_board

        print_board(target, print_to, overwrite=overwrite)
        console.say(f"written: {print_to}; print it at 100% and measure a square")
        return
    if not folders:
        raise InputError("mvps calib board", "no folder of photographs", "name one for each camera")
    model = Model(coefficients, fix_principal_point, fix_aspect)
    if report is not None:
        check_report(report, out, overwrite=overwrite)
    if out is not None:
        check_target(out, format, overwrite=overwrite)
    result = recalibrate(target, _views(folders, target), model, world=world)
    written: list[Path] = []
    if not json:
        _print(result)
    for finding in result.findings:
        console.warn(finding.message)
    if out is not None:
        written += write_recalibration(
            result, out, format, allow_loss=allow_loss, overwrite=overwrite
        )
    if report is not None:
        from mvps.calib.board_report import plot_calibrations

        plot_calibrations(result.calibrations, report)
        written.append(report)
    if json:
        console.print_json({**result.as_dict(), "written": [str(path) for path in written]})
    for path in written:
        console.say(f"written: {path}")


def _views(folders: Sequence[Path], board: Board) -> list[ViewSet]:
    """Corners in all images, behind a bar on a terminal."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    from mvps import console
    from mvps.calib.board_views import image_folders, read_views

    opened = image_folders(folders)
    bar = Progress(
        TextColumn("finding corners"),
        BarColumn(bar_width=None),
        MofNCompleteColumn(),
        console=console.stderr(),
        disable=not console.stderr().is_terminal,
        transient=True,
        expand=True,
    )
    with bar:
        task = bar.add_task("", total=sum(len(folder.images) for folder in opened))
        return [read_views(folder, board, advance=lambda: bar.advance(task)) for folder in opened]


def _print(result: Recalibration) -> None:
    from mvps import console

    out = console.stdout()
    for figures in result.as_dict()["cameras"]:
        out.print(_parameter_table(figures))
        out.print(_view_table(figures))
        held = figures["held_out_px"]
        held_text = "not measured below 4 views" if held is None else f"{held:.3f} px"
        out.print(
            f"{figures['name']}: RMS error {figures['rms_px']:.3f} px, views left out {held_text}",
            soft_wrap=True,
        )
    if result.rig is not None:
        out.print(_pair_table(result))


def _parameter_table(figures: dict[str, Any]) -> Any:
    width, height = figures["image_size"]
    table = _table(f"{figures['name']}, {width}x{height}", "parameter", "value", "deviation")
    for name, entry in figures["parameters"].items():
        pixels = name[0] in "fc"
        value, deviation = entry["value"], entry["deviation"]
        shown = (
            (f"{value:.2f}", f"{deviation:.2g}") if pixels else (f"{value:.5f}", f"{deviation:.1g}")
        )
        table.add_row(f"{name} (px)" if pixels else name, *shown)
    return table


def _view_table(figures: dict[str, Any]) -> Any:
    columns = ("view", "corners", "error (px)", "tilt (deg)", "distance (mm)", "deviation (mm)")
    table = _table("", *columns)
    for view in figures["views"]:
        table.add_row(
            view["name"],
            str(view["corners"]),
            f"{view['rms_px']:.3f}",
            f"{view['tilt_deg']:.1f}",
            f"{view['distance_mm']:.2f}",
            f"{view['distance_deviation_mm']:.2g}",
        )
    return table


def _pair_table(result: Recalibration) -> Any:
    columns = ("cameras", "shared views", "baseline (mm)", "angle (deg)", "error (px)")
    table = _table("Rig", *columns)
    for pair in result.rig.pairs if result.rig else ():
        table.add_row(
            f"{pair.first} - {pair.second}",
            str(pair.views),
            f"{pair.baseline_mm:.3f}",
            f"{pair.angle_deg:.3f}",
            f"{pair.rms_px:.3f}",
        )
    return table


def _table(title: str, first: str, *others: str) -> Any:
    from rich.table import Table

    table = Table(title=title or None, title_justify="left")
    table.add_column(first)
    for name in others:
        table.add_column(name, justify="right")
    return table
