"""``mvps calib convert``: camera calibrations from one format to another."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mvps.cli.normals import named_path

_HELP = """Convert camera calibrations to another format.

Read, whatever the file is called: the rig's YAML, mvps YAML, OpenCV YAML and XML, ROS camera_info,
COLMAP text, nerfstudio transforms.json and Kalibr camchain. What a format cannot hold is named and
nothing is written, unless --allow-loss. Files that exist stay, unless --overwrite; the input always
does.

[bold]Examples[/bold]

  mvps calib convert cam1.yml --to colmap sparse/

  mvps calib convert cam1.yml --to opencv cam1.xml

  mvps calib convert cam1.yml --to kalibr camchain.yaml --refit --allow-loss

  mvps calib convert camchain.yaml --to ros cam1.yaml --name cam1

Exit codes: 0 written, 2 your input, or something would be lost.
"""


def register(app: typer.Typer) -> None:
    """Add the command to the group."""
    app.command("convert", help=_HELP, short_help="To another format.")(convert)


def convert(
    files: Annotated[
        list[Path],
        typer.Argument(help="Calibration files.", show_default=False, parser=named_path),
    ],
    target: Annotated[
        Path, typer.Argument(help="File or folder.", show_default=False, parser=named_path)
    ],
    to: Annotated[
        str,
        typer.Option(
            help="mvps, rig, opencv, ros, colmap, nerfstudio or kalibr.", show_default=False
        ),
    ],
    name: Annotated[str | None, typer.Option(help="Only the camera of this name.")] = None,
    distortion_direction: Annotated[
        str | None,
        typer.Option(help="undistorted_to_distorted (OpenCV's) or distorted_to_undistorted."),
    ] = None,
    refit: Annotated[
        bool, typer.Option("--refit", help="Fit the distortion that the format holds.")
    ] = False,
    allow_loss: Annotated[
        bool, typer.Option("--allow-loss", help="Write without what the format cannot hold.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace files.")] = False,
    json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    """Convert, then say what was written, lost and assumed."""
    from mvps import console
    from mvps.calib.formats.convert import convert as run

    conversion = run(
        files,
        target,
        to,
        name=name,
        direction=distortion_direction,
        refit=refit,
        allow_loss=allow_loss,
        overwrite=overwrite,
    )
    for warning in conversion.warnings:
        console.warn(warning)
    for loss in conversion.lost:
        console.warn(f"lost: {loss}")
    for cost in conversion.refits:
        console.say(str(cost))
    if json:
        console.print_json(conversion.as_dict())
        return
    for path in conversion.written:
        console.stdout().print(str(path), soft_wrap=True)
