"""``mvps lights convert``: a light description in another format."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mvps.cli.normals import named_path

_HELP = """Write the lights of FILE to OUT in another format.

Formats: diligent (two tables; OUT may be a folder), lp, dome, near_ps, angles, json, yaml. What a
format cannot hold, as names or intensities, is said, and nothing is written without --allow-loss.

[bold]Examples[/bold]

  mvps lights convert lights/top.lp --to yaml lights/top.yml

  mvps lights convert lights/top.yml --to lp lights/top.lp --allow-loss --overwrite

Exit codes: 0 written, 2 your input.
"""


def register(app: typer.Typer) -> None:
    """Add the command to the group."""
    app.command("convert", help=_HELP, short_help="Another format for a light file.")(convert)


def convert(
    file: Annotated[
        Path, typer.Argument(help="Light file.", show_default=False, parser=named_path)
    ],
    out: Annotated[
        Path, typer.Argument(help="File to write.", show_default=False, parser=named_path)
    ],
    to: Annotated[str, typer.Option(help="Format to write.", show_default=False)],
    lights_convention: Annotated[
        str | None, typer.Option(help="Signs of FILE: opengl, directx or opencv.")
    ] = None,
    allow_loss: Annotated[
        bool, typer.Option("--allow-loss", help="Write although something is lost.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace OUT.")] = False,
    json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    """Read, write and say what was lost."""
    from mvps import console
    from mvps.lights.formats import convert_lights

    done = convert_lights(
        file,
        out,
        to,
        convention=lights_convention,
        allow_loss=allow_loss,
        overwrite=overwrite,
    )
    if json:
        files = [str(path) for path in done.files]
        console.print_json({"files": files, "lost": list(done.lost), "notes": list(done.notes)})
    for note in done.notes:
        console.warn(note)
    for lost in done.lost:
        console.warn(f"{out}: does not hold {lost}")
    for path in done.files:
        console.say(f"written: {path}")
