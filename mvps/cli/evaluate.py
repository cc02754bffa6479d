"""``mvps evaluate``: how far results are from the truth."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from mvps.stereo.comparison import Comparison

_HELP = """Angular error of normal maps against ground truth, in degrees.

OUT is what mvps normals wrote (one stack or a tree of them), or one normal map. TRUTH is a normal
map (TIFF, PNG, EXR, NPY, MAT) or a folder that mirrors OUT. Beside each map goes error.png.

[bold]Examples[/bold]

  mvps evaluate normals out --truth truth/

  mvps evaluate normals out/ball --truth Normal_gt.mat --mask mask.png
"""

evaluate_app = typer.Typer(
    name="evaluate", help="Compare results with ground truth.", no_args_is_help=True
)


def register(app: typer.Typer) -> None:
    """Add the command group to the application."""
    from mvps.cli import evaluate_dataset

    evaluate_app.command("normals", help=_HELP)(normals)
    evaluate_dataset.register(evaluate_app)
    app.add_typer(evaluate_app)


def normals(
    out: Annotated[Path, typer.Argument(help="Maps to judge.", show_default=False)],
    truth: Annotated[
        Path, typer.Option(help="Normal map, or a folder that mirrors OUT.", show_default=False)
    ],
    mask: Annotated[
        Path | None, typer.Option(help="Judge only where this image is not zero.")
    ] = None,
    truth_convention: Annotated[
        str | None, typer.Option(help="Signs of the truth: opengl, directx or opencv.")
    ] = None,
    limit: Annotated[
        float, typer.Option(help="Degrees at the upper end of the error map's colours.")
    ] = 20.0,
    json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    """Compare every map with its truth and print one table."""
    from mvps import console
    from mvps.stereo.comparison import compare_tree

    found, failures = compare_tree(
        out, truth, mask=mask, truth_convention=truth_convention, limit=limit
    )
    for failure in failures:
        console.error(failure)
    if json:
        console.print_json([comparison.as_dict() for comparison in found])
    elif found:
        console.stdout().print(_table(found))
        rest = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
        console.say(f"error map: {found[0].picture}{rest}")
    if failures:
        raise typer.Exit(1 if found else 2)


def _table(found: list[Comparison]) -> Any:
    from rich.table import Table
    from rich.text import Text

    table = Table(title="Angular error in degrees", title_justify="left")
    table.add_column("stack")
    for name in ("mean", "median", "p95", "max", "pixels", "missing"):
        table.add_column(name, justify="right")
    for comparison in found:
        summary = comparison.summary
        figures = (summary.mean, summary.median, summary.p95, summary.max)
        table.add_row(
            Text(comparison.name),
            *(f"{figure:.3f}" for figure in figures),
            f"{summary.count:,}",
            f"{summary.missing:,}",
        )
    return table
