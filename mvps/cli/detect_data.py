"""``mvps detect data``: what a data set holds, and what looks wrong in it."""

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
from mvps.cli.normals import named_path

if TYPE_CHECKING:
    from mvps.datasets.describe import Description

_HELP = """Show what the data set in DIR holds: categories, samples, views, splits, defects and how
large they are, which files are missing or cannot be read, what leaks from training to test.

The layout is recognised: Real-IAD, Real-IAD D3, Real-IAD-MVN, Eyecandies, MVTec 3D-AD, MVTec AD,
and what mvps normals and mvps synth dataset wrote. Any other one is described by --pattern, with
the places {category} {split} {label} {defect} {sample} {view} {modality}, and {_} for the rest.

Headers are read, pixels only of masks, and of those at most 5000; --deep decodes everything.

[bold]Examples[/bold]

  mvps detect data set

  mvps detect data set --category jst_eh --plot set.png

  mvps detect data mine --pattern "{category}/{split}/{defect}/{sample}_{view}_{modality}.png"

  mvps detect data mine --pattern "{split}/{defect}/{sample}.png" --pattern "mask=gt/{sample}.png"

Exit codes: 0 shown, 1 files are missing, unreadable or leak, 2 your input.
"""
_CHECKS = "Checks"


def register(app: typer.Typer) -> None:
    """Add the command to the group."""
    app.command("data", help=_HELP, short_help="What a data set holds.")(data)


def data(
    folder: Annotated[
        Path,
        typer.Argument(
            help="Folder of the data set.", show_default=False, parser=named_path, metavar="DIR"
        ),
    ],
    layout: Layout = None,
    category: Category = None,
    pattern: Pattern = None,
    lists: Lists = "",
    images: Images = "",
    labels: Labels = None,
    deep: Annotated[
        bool, typer.Option("--deep", help="Decode every image.", rich_help_panel=_CHECKS)
    ] = False,
    max_pixels: Annotated[
        int | None,
        typer.Option(help="Refuse larger images. [500000000]", min=1, rich_help_panel=_CHECKS),
    ] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw counts and areas here.")] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    """Read, check, print; 1 where an error was found."""
    from mvps import console
    from mvps.cli.synth_progress import TaskProgress
    from mvps.datasets import LAYOUTS, read_dataset
    from mvps.datasets.describe import describe
    from mvps.images import DEFAULT_MAX_PIXELS
    from mvps.plotting import check_plot_path

    if plot is not None:
        check_plot_path(plot)
    options = read_options(category, pattern, lists, images, labels)
    dataset = read_dataset(folder, layout, options)
    with TaskProgress(len(dataset.records), "images") as progress:
        description = describe(
            dataset,
            deep=deep,
            max_pixels=max_pixels or DEFAULT_MAX_PIXELS,
            progress=lambda _: progress.advance(),
        )
    if json:
        console.print_json(description.as_dict())
    else:
        _print(description, LAYOUTS[dataset.layout].title)
    for finding in description.findings:
        (console.error if finding.level == "error" else console.warn)(finding.message)
    if plot is not None:
        from mvps.datasets.plot import plot_dataset

        plot_dataset(description, plot)
        console.say(f"picture: {plot}")
    raise typer.Exit(int(any(finding.level == "error" for finding in description.findings)))


def _print(description: Description, title: str) -> None:
    from mvps import console

    dataset = description.dataset
    console.stdout().print(
        f"{dataset.root}: {title}; categories: {len(description.categories)}, "
        f"images: {len(dataset.records):,}",
        soft_wrap=True,
    )
    console.stdout().print(_counts_table(description))
    if description.marked:
        console.stdout().print(_areas_table(description))


def _counts_table(description: Description) -> Any:
    from rich.table import Table
    from rich.text import Text

    categories = description.categories
    validated = any("validation" in counts.splits for counts in categories)
    names = ["samples", "views", "train", *["valid"] * validated, "test OK", "test NG"]
    table = Table(title="Images", title_justify="left")
    table.add_column("category", overflow="fold", min_width=10)
    for name in (*names, "normals", "masks"):
        table.add_column(name.replace(" ", "\n"), justify="right")
    for counts in categories:
        parts = [sum(counts.splits.get("train", (0, 0)))]
        parts += [sum(counts.splits.get("validation", (0, 0)))] * validated
        parts += counts.splits.get("test", (0, 0))
        cells = (counts.samples, len(counts.views), *parts, counts.normals, counts.masks)
        table.add_row(Text(counts.category), *(f"{number:,}" for number in cells))
    return table


def _areas_table(description: Description) -> Any:
    from rich.table import Table
    from rich.text import Text

    from mvps.datasets.describe import area_table

    table = Table(title="Defects, as a share of the image", title_justify="left")
    table.add_column("defect", overflow="fold")
    for name in ("images", "smallest", "median", "largest"):
        table.add_column(name, justify="right")
    table.add_column("10^-4 to 1", no_wrap=True)
    for row in area_table(description.marked):
        low, _, middle, _, high = row["quartiles"]
        shares = (f"{share:.2%}" if share >= 1e-3 else f"{share:.3%}" for share in (low, middle))
        kind = Text(row["defect"] or "all")
        bars = _bars(row["histogram"])
        table.add_row(kind, f"{row['images']:,}", *shares, f"{high:.2%}", bars)
    measured = len(description.areas)
    if measured < description.masks:
        table.caption = f"of {measured:,} of {description.masks:,} masks; --deep measures all"
    return table


def _bars(histogram: list[int]) -> str:
    """A histogram in eighths of a character's height."""
    top = max(histogram)
    blocks = " ▁▂▃▄▅▆▇█"
    return "".join(blocks[-(-8 * count // top)] for count in histogram)
