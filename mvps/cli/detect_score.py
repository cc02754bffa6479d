"""``mvps detect score``: anomaly maps, scores and verdicts of a data set."""

from __future__ import annotations

from collections.abc import Sequence
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
from mvps.cli.normals import named_path

if TYPE_CHECKING:
    from mvps.datasets import Record
    from mvps.detect.cache import FeatureCache
    from mvps.detect.run_folder import Run
    from mvps.detect.score_folder import ScoreFolder
    from mvps.detect.score_run import ScoreSettings

_HELP = """Score the test images of the data set in DATA with the trained run in RUN: an anomaly map
and a score a view, the highest of them a sample, and OK or NG for both.

The folder holds scores.csv (a row a view), samples.csv, scores.json (thresholds, metrics), maps and
overlays. The same command goes on after an interruption; with another --threshold it only judges
anew.

[bold]Examples[/bold]

  mvps detect score run set

  mvps detect score run set --overlays ng --threshold false-alarm:0.01

  mvps detect score run set --out scores --maps png16 --json

Exit codes: 0 scored, 1 the folder cannot be written, 2 your input, 130 interrupted (run it again).
"""
_DATA, _WHAT, _WHERE = "Data", "What is written", "Running"

Maps = Annotated[str, typer.Option(help="f16 (.npy), png16 (.png) or none.", rich_help_panel=_WHAT)]
Overlays = Annotated[
    str, typer.Option(help="Pictures of none, ng or all views.", rich_help_panel=_WHAT)
]
MapTop = Annotated[
    float | None,
    typer.Option(
        help="Score of white in png16; higher ones clip.",
        show_default="2, or 32 of a run --by-place",
        rich_help_panel=_WHAT,
    ),
]
RuleText = Annotated[
    str,
    typer.Option(
        "--threshold",
        help="stored, quantile:0.99, false-alarm:0.01, f1 or a number.",
        rich_help_panel=_WHAT,
    ),
]
Batch = Annotated[int, typer.Option(help="Images at once.", rich_help_panel=_WHERE)]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.", rich_help_panel=_WHERE)]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Drop other scores there.", rich_help_panel=_WHERE)
]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
RunFolder = Annotated[
    Path, typer.Argument(help="Folder of the run.", parser=named_path, metavar="RUN")
]


def register(app: typer.Typer) -> None:
    """Add the command to the group."""
    app.command("score", help=_HELP, short_help="Score a data set.")(score)


def score(
    folder: RunFolder,
    data: Annotated[
        Path, typer.Argument(help="Folder of the data set.", parser=named_path, metavar="DATA")
    ],
    out: Annotated[
        Path | None,
        typer.Option(help="Folder of the scores. [RUN/scores/DATA]", parser=named_path),
    ] = None,
    layout: Layout = None,
    category: Category = None,
    pattern: Pattern = None,
    lists: Lists = "",
    images: Images = "",
    labels: Labels = None,
    split: Annotated[
        str, typer.Option(help="train, validation, test or all.", rich_help_panel=_DATA)
    ] = "test",
    threshold: RuleText = "stored",
    maps: Maps = "f16",
    map_top: MapTop = None,
    overlays: Overlays = "none",
    batch: Batch = 8,
    device: Device = "auto",
    cache: Annotated[
        bool,
        typer.Option("--cache/--no-cache", help="Use kept features.", rich_help_panel=_WHERE),
    ] = True,
    overwrite: Overwrite = False,
    json: Json = False,
) -> None:
    """Read, score, print."""
    from mvps.datasets import read_dataset
    from mvps.datasets.stated import state_dataset
    from mvps.detect.cache import FeatureCache, default_folder
    from mvps.detect.run_folder import read_run
    from mvps.detect.score_run import ScoreSettings, of_split
    from mvps.detect.verdict import parse_rule

    rule = parse_rule(threshold)
    settings = ScoreSettings(maps, overlays, rule, batch, device, map_top=map_top)
    run = read_run(folder)
    options = read_options(category or run.settings.categories, pattern, lists, images, labels)
    dataset = read_dataset(data, layout, options)
    records = of_split(dataset.records, split)
    place = out or folder / "scores" / data.resolve().name
    kept = FeatureCache(default_folder()) if cache else None
    facts = state_dataset(dataset, options) | {"split": split}
    result = scored(run, records, place, settings, kept, overwrite=overwrite, data=facts)
    show(result, json=json)


def scored(
    run: Run,
    records: Sequence[Record],
    folder: Path,
    settings: ScoreSettings,
    cache: FeatureCache | None,
    **more: Any,
) -> ScoreFolder:
    """Score with a bar on the screen."""
    from mvps import console
    from mvps.cli.synth_progress import TaskProgress
    from mvps.detect.score_run import score_run

    console.say(f"{len(records):,} views with {run.folder}, into {folder}")
    with TaskProgress(len(records), "views") as bar:

        def advance(count: int) -> None:
            for _ in range(count):
                bar.advance()

        return score_run(run, records, folder, settings, cache=cache, progress=advance, **more)


def show(result: ScoreFolder, *, json: bool) -> None:
    """Print what was scored."""
    from mvps import console

    clipped = result.facts["maps"]["clipped"]
    if clipped:
        console.warn(
            f"{clipped:.2%} of the maps' pixels are clipped at --map-top; score again with a "
            "higher one, or --maps f16"
        )
    if json:
        rows = [
            {k: getattr(row, k) for k in ("category", "sample", "view", "score", "verdict", "map")}
            for row in result.rows
        ]
        samples = [vars(sample) for sample in result.samples]
        document = {"folder": str(result.folder), **result.facts, "views": rows, "samples": samples}
        console.print_json(document)
        return
    console.stdout().print(_table(result))
    console.stdout().print(str(result.folder), soft_wrap=True, highlight=False)


def _table(result: ScoreFolder) -> Any:
    from rich.table import Table
    from rich.text import Text

    from mvps.detect.score_folder import NG

    table = Table(title="Samples and views that are NG", title_justify="left")
    table.add_column("category", overflow="fold")
    for name in ("samples", "NG", "threshold", "views", "NG", "threshold"):
        table.add_column(name, justify="right")
    for category, units in result.facts["thresholds"].items():
        cells = []
        for unit, items in (("sample", result.samples), ("view", result.rows)):
            own = [one for one in items if one.category == category]
            ng = sum(one.verdict == NG for one in own)
            cells += [f"{len(own):,}", f"{ng:,}", f"{units[unit]['value']:.4g}"]
        table.add_row(Text(category), *cells)
    return table
