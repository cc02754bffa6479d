"""``mvps detect evaluate``: figures of anomaly maps that any program wrote."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mvps.cli.dataset_options import (
    Category,
    Images,
    Labels,
    Layout,
    Lists,
    Pattern,
    read_options,
)
from mvps.cli.normals import named_path

if TYPE_CHECKING:
    from mvps.detect.evaluation import Evaluation

_HELP = """Score the anomaly maps in MAPS, whoever wrote them, against the test images of DATA.

A map lies where its colour image lies in DATA, or at CATEGORY/SAMPLE/VIEW, and ends in .npy, .tif
or .png. Masks are brought to the size of the map. The score of an image is the mean of the highest
1% of its map, or a column of --scores.

[bold]Examples[/bold]

  mvps detect evaluate maps set

  mvps detect evaluate run/scores/set/maps set --json

  mvps detect evaluate maps mine --pattern "{split}/{defect}/{sample}.png"

  mvps detect evaluate maps set --scores images.csv --out figures.json

Exit codes: 0 done, 2 your input.
"""


def register(app: typer.Typer) -> None:
    """Add the command to the group."""
    app.command("evaluate", help=_HELP, short_help="Figures of maps of any program.")(evaluate)


def evaluate(
    maps: Annotated[
        Path, typer.Argument(help="Folder of the maps.", parser=named_path, metavar="MAPS")
    ],
    data: Annotated[
        Path, typer.Argument(help="Folder of the data set.", parser=named_path, metavar="DATA")
    ],
    layout: Layout = None,
    category: Category = None,
    pattern: Pattern = None,
    lists: Lists = "",
    images: Images = "",
    labels: Labels = None,
    scores: Annotated[
        Path | None,
        typer.Option(help="Table of image scores: category,sample,view,score.", parser=named_path),
    ] = None,
    limit: Annotated[
        float, typer.Option(help="False-positive rate at which AUPRO ends.", min=1e-3, max=1.0)
    ] = 0.3,
    out: Annotated[Path | None, typer.Option(help="JSON to write.", parser=named_path)] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    """Evaluate and print the table."""
    from mvps import console
    from mvps.cli.synth_progress import TaskProgress
    from mvps.datasets import read_dataset
    from mvps.detect.evaluate_maps import evaluate_maps, read_image_scores, write_figures
    from mvps.files import make_place

    if out is not None:
        make_place(out)
    options = read_options(category, pattern, lists, images, labels)
    dataset = read_dataset(data, layout, options)
    count = sum(record.split == "test" for record in dataset.records)
    with TaskProgress(count, "maps") as bar:
        found = evaluate_maps(
            dataset,
            maps,
            scores=read_image_scores(scores) if scores else None,
            limit=limit,
            progress=bar.advance,
        )
    if out is not None:
        write_figures(found, out)
    if json:
        console.print_json(found.to_json())
    else:
        _print(found)


def _print(found: Evaluation) -> None:
    """The table by category, with the mean."""
    from rich.table import Table

    from mvps import console

    mean = found.mean()
    table = Table("category", *mean, title="Test images", title_justify="left")
    for name, figures in {**found.figures(), "mean": mean}.items():
        table.add_row(name, *(f"{figures.get(metric, float('nan')):.4f}" for metric in mean))
    console.stdout().print(table)
    console.say(f"AUPRO up to a false-positive rate of {found.limit:g}; {found.rule}")
