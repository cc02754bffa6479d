"""``mvps flatten``: normal maps without the bend that an imperfect rig gives them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mvps.cli.normals import named_path

_HELP = """Take the low-frequency bend of a rig off normal maps of nominally flat parts.

MAPS is one normal map or what mvps normals wrote. Either a polynomial is fitted to the slopes of
each map, by least squares that relief does not bend, and subtracted (--degree), or the map of a
flat target is divided out (--reference). Results go to another folder; stack.json beside each
says what was removed. A tilt is part of the bend, so that a flat face is level afterwards;
--keep-tilt is for cameras that look at it aslant.

[bold]Examples[/bold]

  mvps flatten out --out flat --degree 1 --keep-tilt

  mvps flatten out/part_01/top/normals.tif --out flat --degree 0

  mvps flatten out --out flat --reference out_target --smooth 64

Exit codes: 0 all done, 1 some maps failed, 2 your input.
"""


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("flatten", help=_HELP, short_help="Normals without a rig's bend.")(flatten)


def flatten(
    maps: Annotated[
        Path,
        typer.Argument(
            help="A normal map, or a run's folder.", show_default=False, parser=named_path
        ),
    ],
    out: Annotated[
        Path, typer.Option(help="Folder for the results.", show_default=False, parser=named_path)
    ],
    degree: Annotated[
        int | None, typer.Option(help="0 a tilt, 1 a plane in the slopes, 2 a quadratic.")
    ] = None,
    keep_tilt: Annotated[
        bool, typer.Option("--keep-tilt", help="Leave the tilt at the centre of the map.")
    ] = False,
    reference: Annotated[
        Path | None,
        typer.Option(
            help="Map of a flat target, or a run's folder with one a view.", parser=named_path
        ),
    ] = None,
    smooth: Annotated[
        int, typer.Option(help="Medians over cells of N x N pixels stand for the reference.")
    ] = 0,
    json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    """Flatten every map, then say what was removed."""
    from mvps import console
    from mvps.pipeline.flatten import FlattenOptions, flatten_maps

    options = FlattenOptions(degree, keep_tilt, reference, smooth)
    results = []
    for result in flatten_maps(maps, out, options):
        results.append(result)
        if result.error:
            console.error(result.error)
            continue
        if result.warning:
            console.warn(result.warning)
        if not json:
            mean, most = (result.figures[f"removed_{name}_deg"] for name in ("mean", "max"))
            line = f"{result.target}: {mean:.3f} degrees removed on average, {most:.3f} at most"
            console.stdout().print(line, soft_wrap=True)
    failed = sum(bool(result.error) for result in results)
    if json:
        console.print_json({"out": str(out), "results": [r.as_dict() for r in results]})
    else:
        console.say(f"{len(results) - failed} flattened, {failed} failed")
    if failed:
        raise typer.Exit(1 if failed < len(results) else 2)
