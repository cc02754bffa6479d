"""``mvps evaluate dataset``: a table of angular errors, object by object and solver by solver."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mvps.cli.normals import named_path

if TYPE_CHECKING:
    from mvps.capture import Fault
    from mvps.pipeline.dataset import ObjectErrors
    from mvps.stereo.tables import ErrorTable

_HELP = """Solve every object of a data set with every solver and print a table as papers do.

DIR holds objects as DiLiGenT ships them (photographs, light_directions.txt, light_intensities.txt,
mask.png and Normal_gt.mat or normal.txt), or whatever mvps normals recognises, with --truth. Means
of the angular error in degrees over the pixels whose true normal is known; --json adds median, 95th
percentile and the share below 5 degrees. Beside ours stand the benchmark's own maps where the data
set holds them, and figures that were published for its objects.

[bold]Examples[/bold]

  mvps evaluate dataset DiLiGenT/pmsData --grey matlab --latex table.tex

  mvps evaluate dataset DiLiGenT/pmsData --objects 'pot*' --solver ls --solver irls:huber

  mvps evaluate dataset capture --truth capture/truth --json

Nothing is kept between runs: one that was interrupted starts again.

Exit codes: 0 all done, 1 some objects failed, 2 your input.
"""


def register(app: typer.Typer) -> None:
    """Add the command to the group."""
    app.command("dataset", help=_HELP, short_help="Table over a data set.")(dataset)


def dataset(
    folder: Annotated[
        Path,
        typer.Argument(metavar="DIR", help="Data set.", show_default=False, parser=named_path),
    ],
    solver: Annotated[
        list[str] | None,
        typer.Option(
            help="ls, gated, irls[:LOSS], trimmed[:LOW,HIGH] or auto; repeat it. All by default."
        ),
    ] = None,
    objects: Annotated[
        list[str] | None, typer.Option(help="Name or glob of an object; repeat it.")
    ] = None,
    truth: Annotated[
        Path | None,
        typer.Option(help="True normals: a folder that mirrors DIR, or a map.", parser=named_path),
    ] = None,
    truth_convention: Annotated[
        str | None, typer.Option(help="Signs of the truth: opengl, directx or opencv.")
    ] = None,
    grey: Annotated[
        str, typer.Option(help="RGB as one number: luminance, matlab (the benchmark) or channels.")
    ] = "luminance",
    device: Annotated[str, typer.Option(help="auto, cpu, numpy, cuda or cuda:1.")] = "auto",
    csv: Annotated[
        Path | None, typer.Option(help="Write the table as CSV.", parser=named_path)
    ] = None,
    markdown: Annotated[
        Path | None, typer.Option(help="Write the table as Markdown.", parser=named_path)
    ] = None,
    latex: Annotated[
        Path | None,
        typer.Option(help="Write the table as LaTeX for booktabs.", parser=named_path),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    """Judge every object, print the table and write it where asked to."""
    from mvps import console
    from mvps.pipeline.dataset import DatasetOptions, evaluate_dataset
    from mvps.pipeline.options import RunOptions
    from mvps.stereo.solvers import SOLVERS
    from mvps.stereo.tables import TableFiles

    files = TableFiles(csv, markdown, latex)
    options = DatasetOptions(
        solvers=tuple(solver or SOLVERS),
        objects=tuple(objects or ()),
        truth=truth,
        truth_convention=truth_convention,
        run=RunOptions(device=device, grey=grey, preview=False),
    )
    found = evaluate_dataset(folder, options, _say)
    for fault in found.faults:
        console.error(fault.message)
    for warning in found.warnings:
        console.warn(warning)
    if json:
        console.print_json(found.as_dict())
    if found.objects:
        table = found.table()
        if not json:
            _print(table)
        for path in files.write(table):
            console.say(f"table: {path}")
    if found.faults:
        raise typer.Exit(1 if found.objects else 2)


def _say(number: int, count: int, result: ObjectErrors | Fault) -> None:
    """One line for each object that is done; faults have a line of their own at the end."""
    from mvps import console
    from mvps.cli.progress import clock_text
    from mvps.pipeline.dataset import ObjectErrors

    if isinstance(result, ObjectErrors):
        errors = ", ".join(f"{name} {e.summary.mean:.2f}" for name, e in result.solvers.items())
        took = clock_text(result.seconds)
        console.say(f"{number}/{count} {result.name}: {errors} degrees in {took}")
    else:
        console.say(f"{number}/{count} {result.stack}: failed")


def _print(table: ErrorTable) -> None:
    from rich.table import Table
    from rich.text import Text

    from mvps import console
    from mvps.stereo.tables import format_error

    columns = [table.header, *((row.method, *map(format_error, row.cells)) for row in table.rows)]
    wide = sum(max(map(len, column)) + 3 for column in zip(*columns, strict=True)) + 1
    upright = wide > console.stdout().width
    lines = list(zip(*columns, strict=True)) if upright else columns
    shown = Table(title="Mean angular error in degrees", title_justify="left")
    for place, title in enumerate(lines[0]):
        shown.add_column(Text(title), justify="right" if place else "left")
    for line in lines[1:]:
        shown.add_row(*map(Text, line))
    console.stdout().print(shown)
    for note in table.notes:
        console.stdout().print(note, soft_wrap=True)
