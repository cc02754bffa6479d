"""``mvps calib show``: every figure of a camera file, with units."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mvps.cli.normals import named_path

if TYPE_CHECKING:
    from mvps.calib.camera import Camera
    from mvps.calib.describe import CameraDescription
    from mvps.findings import Finding

_HELP = """Say what a camera file holds: every figure with its unit, and what to be wary of.

Several cameras, of one file or of many, are set side by side and get a table of the rig: baselines
and angles between those that share a world frame.

[bold]Examples[/bold]

  mvps calib show cam1.yml

  mvps calib show calib/*.yml --pixel-um 3.45 --plot cameras.png

  mvps calib show rig.yml --json

Exit codes: 0 shown, whatever it is worth (mvps calib check judges), 2 your input.
"""


def register(app: typer.Typer) -> None:
    """Add the command to the group."""
    app.command("show", help=_HELP, short_help="What is in a camera file?")(show)


def show(
    files: Annotated[
        list[Path],
        typer.Argument(help="Camera files.", show_default=False, parser=named_path),
    ],
    pixel_um: Annotated[
        float | None, typer.Option(help="Pixel pitch of the sensor, for the focal length in mm.")
    ] = None,
    common_frame: Annotated[
        bool,
        typer.Option("--common-frame", help="State that all poses are in one world frame."),
    ] = False,
    plot: Annotated[
        Path | None, typer.Option(help="Draw distortion and poses: .png, .svg or .pdf.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    """Read, describe, check and print."""
    from mvps import console
    from mvps.calib.checks import check_cameras, check_rig
    from mvps.calib.describe import describe_file
    from mvps.calib.rig_table import rig_table

    _check_options(pixel_um, plot)
    cameras: list[Camera] = []
    described: list[CameraDescription] = []
    findings: list[Finding] = []
    for path in files:
        found, figures = describe_file(path, pixel_um=pixel_um)
        cameras += found
        described += figures
        findings += check_cameras(found, figures[0].format)
    rig = rig_table(cameras, common_frame=common_frame) if len(cameras) > 1 else None
    if rig is not None and not common_frame:
        findings += check_rig(cameras)
    if plot is not None:
        from mvps.calib.plot import plot_cameras

        plot_cameras(cameras, plot, common_frame=common_frame)
        console.say(f"picture: {plot}")
    if json:
        console.print_json(
            {
                "cameras": [figures.as_dict() for figures in described],
                "rig": None if rig is None else rig.as_dict(),
                "findings": [vars(finding) for finding in findings],
            }
        )
    else:
        _print(described, rig, cameras)
    for finding in findings:
        (console.error if finding.level == "error" else console.warn)(finding.message)


def _check_options(pixel_um: float | None, plot: Path | None) -> None:
    import math

    from mvps.errors import InputError
    from mvps.plotting import check_plot_path

    if pixel_um is not None and not 0 < pixel_um < math.inf:
        raise InputError("--pixel-um", f"{pixel_um} is no pixel pitch", "e.g. 3.45")
    if plot is not None:
        check_plot_path(plot)


def _print(described: list[CameraDescription], rig: Any, cameras: list[Camera]) -> None:
    from mvps import console
    from mvps.calib.rig_table import camera_names
    from mvps.cli import calib_tables

    out = console.stdout()
    names = camera_names(cameras)
    pairs = list(zip(names, described, strict=True))
    for table in calib_tables.figure_tables(pairs, out.width):
        out.print(table)
    for name, figures in pairs:
        out.print(calib_tables.matrices(name, figures), soft_wrap=True)
    if rig is not None:
        out.print(calib_tables.rig(rig))
