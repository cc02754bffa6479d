"""``mvps detect ablate``: the rows of the paper's ablation over seeds, from one cache."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

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
from mvps.cli.detect_cache import size_of
from mvps.cli.detect_train import blocks_of
from mvps.cli.normals import named_path

if TYPE_CHECKING:
    from mvps.detect.ablation import Ablation, Row
    from mvps.detect.tables import Table

_HELP = """Train and score every row of the ablation with every seed: RGB only, NV only,
concatenation, UCP without L_p, full; and PatchCore on RGB, on NV and on both as the floor. All
share one cache of features. Each is a run of its own under OUT/runs; the tables are
OUT/ablation.csv, .md, .tex and .json, by kind and by size of the defects too. Table 4 of the paper
follows them, as published.

The same command goes on after an interruption.

[bold]Examples[/bold]

  mvps detect ablate set ablation

  mvps detect ablate set ablation --size 224 --steps 300 --rows rgb,full,patchcore-both

Exit codes: 0 done, 2 your input, 130 interrupted (run it again).
"""


def register(app: typer.Typer) -> None:
    """Add the command to the group."""
    app.command("ablate", help=_HELP, short_help="The paper's ablation over seeds.")(ablate)


def ablate(
    data: Annotated[
        Path, typer.Argument(help="Folder of the data set.", parser=named_path, metavar="DATA")
    ],
    out: Annotated[
        Path, typer.Argument(help="Folder of runs and tables.", parser=named_path, metavar="OUT")
    ],
    layout: Layout = None,
    category: Category = None,
    pattern: Pattern = None,
    lists: Lists = "",
    images: Images = "",
    labels: Labels = None,
    seeds: Annotated[int, typer.Option(help="Number of seeds, from 0.", min=1, max=1000)] = 3,
    rows: Annotated[
        str | None,
        typer.Option(
            help="Of rgb, nv, concat, no-lp, full, patchcore-rgb, patchcore-nv, patchcore-both.",
            show_default="all",
        ),
    ] = None,
    encoder: Annotated[str | None, typer.Option(help="As for mvps detect train.")] = None,
    layers: Annotated[
        str | None, typer.Option(help="Blocks to read.", show_default="2 to 9")
    ] = None,
    size: Annotated[int, typer.Option(help="Side in px of the encoder's image.")] = 392,
    crop: Annotated[bool, typer.Option("--crop/--no-crop", help="Keep the centre, or all.")] = True,
    steps: Annotated[int, typer.Option(help="Of each training, at most.")] = 5000,
    epochs: Annotated[int, typer.Option(help="Of each training, at most.")] = 200,
    batch: Annotated[int, typer.Option(help="Images a step.")] = 16,
    by_place: Annotated[
        bool, typer.Option("--by-place", help="As for mvps detect train, in every row.")
    ] = False,
    precision: Annotated[str, typer.Option(help="auto, 32, bf16 or 16.")] = "auto",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    cache_budget: Annotated[str, typer.Option(help="Of all kept features.")] = "50GiB",
    json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    """Ablate and print the table."""
    from mvps import console
    from mvps.cli.train_progress import TrainProgress
    from mvps.datasets import read_dataset
    from mvps.detect.ablation import ROWS, TABLE, rows_of
    from mvps.detect.ablation import ablate as run_ablation
    from mvps.detect.cache import FeatureCache, default_folder
    from mvps.detect.encoder import DEFAULT_ENCODER, DEFAULT_LAYERS
    from mvps.detect.published import AS_PUBLISHED, ablation_table
    from mvps.detect.recipe import Recipe
    from mvps.detect.run_settings import RunSettings

    options = read_options(category, pattern, lists, images, labels)
    dataset = read_dataset(data, layout, options)
    settings = RunSettings(
        encoder=encoder or DEFAULT_ENCODER,
        layers=blocks_of(layers) if layers else DEFAULT_LAYERS,
        resize=round(size * 448 / 392) if crop else size,
        crop=size,
        recipe=Recipe(batch=batch),
        steps=steps,
        epochs=epochs,
        by_place=by_place,
        precision=precision,
    )

    def begin(row: Row, seed: int) -> None:
        console.say(f"{row.title}, seed {seed}")

    with TrainProgress() as bar:
        made = run_ablation(
            dataset,
            settings,
            out,
            seeds=range(seeds),
            rows=rows_of(rows) if rows else ROWS,
            cache=FeatureCache(default_folder(), size_of(cache_budget)),
            device=device,
            watch=lambda event: None if event.plan is not None else bar.show(event),
            begin=begin,
        )
    path = out / f"{TABLE}.md"
    if json:
        published = {AS_PUBLISHED: ablation_table().to_json()}
        console.print_json({"tables": str(path), "parts": list(made.parts), **published})
        return
    _print(made)
    console.stdout().print(str(path), markup=False, soft_wrap=True)


def _print(made: Ablation) -> None:
    """The table of all views, then the paper's, then what each training took."""
    from mvps import console
    from mvps.detect.ablation import table_of
    from mvps.detect.published import ablation_table

    paper = ablation_table()
    console.stdout().print(_grid(table_of(made, "all")))
    console.stdout().print(_grid(paper, title=paper.title))
    for note in (paper.note, *paper.footnotes):
        console.say(note)
    for trial in made.trials:
        fit = trial.fit.get("all", {})
        if "last" in fit:
            last = fit["last"].get("held_out", fit["last"]["total"])
            console.say(
                f"{trial.row.title}, seed {trial.seed}: {fit['steps']} steps, best at "
                f"{fit['best_step']}, loss {fit['first']['total']:.4f} to {last:.4f}"
            )


def _grid(table: Table, title: str | None = None) -> Any:
    from rich.table import Table as Grid

    grid = Grid(*table.columns, title=title, title_justify="left")
    for row in table.texts():
        grid.add_row(*row)
    return grid
