"""``mvps calib undistort``: photographs and normal maps without the distortion of their lens."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mvps.cli.normals import named_path

_HELP = """Undistort the images of one camera into a folder.

Size and camera matrix stay; camera.yml beside the results is the camera that fits them. Normal maps
that mvps wrote are known as such: their vectors are interpolated, made unit vectors again and keep
their frame. Pixels that look beyond the source, or at an invalid neighbour, are zero.

[bold]Examples[/bold]

  mvps calib undistort cam1.yml raw/*.tif undistorted/

  mvps calib undistort cam1.yml out/part_01/top/normals.tif undistorted/

  mvps calib undistort cam1.yml mask.png undistorted/ --nearest --format png

Exit codes: 0 all done, 1 some files failed, 2 your input.
"""


def register(app: typer.Typer) -> None:
    """Add the command to the group."""
    app.command("undistort", help=_HELP, short_help="Images without distortion.")(undistort)


def undistort(
    camera: Annotated[
        Path, typer.Argument(help="Calibration file.", show_default=False, parser=named_path)
    ],
    images: Annotated[
        list[Path],
        typer.Argument(help="Photographs or normal maps.", show_default=False, parser=named_path),
    ],
    out: Annotated[
        Path, typer.Argument(help="Folder for the results.", show_default=False, parser=named_path)
    ],
    camera_name: Annotated[
        str | None, typer.Option(help="Which camera of a file with several.")
    ] = None,
    camera_crop: Annotated[
        str | None, typer.Option(help="The images show x,y,w,h of the calibrated pixels.")
    ] = None,
    camera_bin: Annotated[int, typer.Option(help="They were then binned N x N in the camera.")] = 1,
    camera_scale: Annotated[
        bool, typer.Option("--camera-scale", help="They were then scaled.")
    ] = False,
    normals: Annotated[bool, typer.Option("--normals", help="Every file is a normal map.")] = False,
    nearest: Annotated[
        bool, typer.Option("--nearest", help="Do not interpolate: masks and labels.")
    ] = False,
    format: Annotated[str, typer.Option(help="tiff or png.")] = "tiff",
    json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    """Undistort every file, then say what was written."""
    from mvps import console
    from mvps.calib import read_camera
    from mvps.calib.fit import CameraFit, parse_crop
    from mvps.pipeline.undistort import CAMERA_NAME, UndistortOptions, undistort_files

    crop = None if camera_crop is None else parse_crop(camera_crop)
    fit = CameraFit(crop, camera_bin, camera_scale)
    options = UndistortOptions(format=format, normals=normals, nearest=nearest, fit=fit)
    results = []
    for result in undistort_files(read_camera(camera, camera_name), images, out, options):
        results.append(result)
        if result.error:
            console.error(result.error)
        elif not json:
            console.stdout().print(f"{result.target}", soft_wrap=True)
    failed = sum(bool(result.error) for result in results)
    if json:
        console.print_json({"out": str(out), "results": [r.as_dict() for r in results]})
    else:
        done = len(results) - failed
        beside = f"; their camera is {out / CAMERA_NAME}" if done else ""
        console.say(f"{done} undistorted, {failed} failed{beside}")
    if failed:
        raise typer.Exit(1 if failed < len(results) else 2)
