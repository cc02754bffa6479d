"""``mvps synth dataset``: sound and defective parts in several views, with masks and truth."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mvps.cli.normals import named_path
from mvps.cli.synth_words import lights_word, names_of, size_of

if TYPE_CHECKING:
    from mvps.synth.dataset import DatasetSummary

_HELP = """Render a data set of sound and defective parts under OUT.

The tree is that of Real-IAD D3 with a tag for the view: OUT/CATEGORY/OK and NG/DEFECT, a folder a
specimen, a diffuse RGB picture and a normal map a view, a mask for defective ones, and
OUT/CATEGORY.json with the lists for training (sound parts alone) and testing. OUT/contact.png shows
some of it, OUT/dataset.yml holds the options. Run the same command again to go on where it stopped.

[bold]Examples[/bold]

  mvps synth dataset set --categories all

  mvps synth dataset set --categories jst_header,rj45_jack --normal 50 --defective 30 --size 512

  mvps synth dataset set --categories jst_header --defects scratch,dent --raw 4 --truth --seed 7

  mvps synth dataset again --config set/dataset.yml

With --raw, every stack is there as the camera saw it: mvps normals set/raw/CATEGORY out

Exit codes: 0 all done, 1 some failed or a picture is badly exposed, 2 your input, 130 interrupted.
"""

_WHAT, _RIG, _WRITE, _RUN = "What", "Rig", "Writing", "Running"


def register(app: typer.Typer) -> None:
    """Add the command to the group."""
    app.command("dataset", help=_HELP, short_help="Sound and defective parts.")(dataset)


def dataset(
    context: typer.Context,
    out: Annotated[
        Path, typer.Argument(help="Folder to write.", show_default=False, parser=named_path)
    ],
    categories: Annotated[
        str | None,
        typer.Option(
            help="Parts of the catalogue (mvps synth parts), or all.",
            show_default=False,
            rich_help_panel=_WHAT,
        ),
    ] = None,
    normal: Annotated[
        int | None,
        typer.Option(help="Sound specimens a category. (50)", rich_help_panel=_WHAT),
    ] = None,
    defective: Annotated[
        int | None,
        typer.Option(help="Defective specimens a category. (30)", rich_help_panel=_WHAT),
    ] = None,
    test_normal: Annotated[
        int | None,
        typer.Option(
            help="Sound specimens kept for testing. (three in ten)", rich_help_panel=_WHAT
        ),
    ] = None,
    defects: Annotated[
        str | None,
        typer.Option(help="Kinds of defects. (all that suit)", rich_help_panel=_WHAT),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Of everything random. (0)", rich_help_panel=_WHAT)
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(
            help="Options from a file, as OUT/dataset.yml; words here go before it.",
            parser=named_path,
            rich_help_panel=_WHAT,
        ),
    ] = None,
    views: Annotated[
        int | None,
        typer.Option(help="How many of top, front, back, left, right. (5)", rich_help_panel=_RIG),
    ] = None,
    size: Annotated[
        str | None, typer.Option(help="Of a picture: 512 or 640x480. (512)", rich_help_panel=_RIG)
    ] = None,
    lights: Annotated[
        str | None,
        typer.Option(help="Number of lights a view, or a light file. (4)", rich_help_panel=_RIG),
    ] = None,
    samples: Annotated[
        int | None, typer.Option(help="Rays a pixel. (16)", rich_help_panel=_RIG)
    ] = None,
    bits: Annotated[
        int | None, typer.Option(help="Of the sensor: 8, 12 or 16. (12)", rich_help_panel=_RIG)
    ] = None,
    noise: Annotated[
        bool | None,
        typer.Option("--noise/--no-noise", help="Shot and read noise.", rich_help_panel=_RIG),
    ] = None,
    full_well: Annotated[
        float | None,
        typer.Option(
            help="Electrons at full scale; averaging N frames takes N times. (10500)",
            rich_help_panel=_RIG,
        ),
    ] = None,
    psf: Annotated[
        float | None,
        typer.Option(
            help="Point spread of the lens, deviation in pixels. (0.55; 0 without noise)",
            rich_help_panel=_RIG,
        ),
    ] = None,
    vignetting: Annotated[
        float | None,
        typer.Option(
            help="Strength of the fall-off to the corners, 0 to 0.9. (0.1; 0 without noise)",
            rich_help_panel=_RIG,
        ),
    ] = None,
    interreflection: Annotated[
        bool | None,
        typer.Option(
            "--interreflection/--direct",
            help="Light between surfaces as well.",
            rich_help_panel=_RIG,
        ),
    ] = None,
    ground: Annotated[
        str | None,
        typer.Option(help="plate, or plain: without its grain. (plate)", rich_help_panel=_RIG),
    ] = None,
    normals: Annotated[
        str | None,
        typer.Option(
            help="solved from the noisy stack, or truth. (solved)", rich_help_panel=_WRITE
        ),
    ] = None,
    solver: Annotated[
        str | None,
        typer.Option(
            help="Of those: ls, gated (no shadows), trimmed, irls or auto. (ls)",
            rich_help_panel=_WRITE,
        ),
    ] = None,
    picture_format: Annotated[
        str | None,
        typer.Option(help="png, or jpg for smaller files. (png)", rich_help_panel=_WRITE),
    ] = None,
    normals_format: Annotated[
        str | None,
        typer.Option(help="png (8 bit), png16 or tif. (png)", rich_help_panel=_WRITE),
    ] = None,
    raw: Annotated[
        int | None,
        typer.Option(
            help="Specimens a category whose raw stacks are kept; -1: all. (0)",
            rich_help_panel=_WRITE,
        ),
    ] = None,
    raw_format: Annotated[
        str | None,
        typer.Option(help="tif, or zstd for smaller TIFF. (tif)", rich_help_panel=_WRITE),
    ] = None,
    truth: Annotated[
        bool | None,
        typer.Option(
            "--truth/--no-truth",
            help="Keep true normals, depth, height, albedo and masks.",
            rich_help_panel=_WRITE,
        ),
    ] = None,
    contact: Annotated[
        bool, typer.Option(help="Write OUT/contact.png.", rich_help_panel=_WRITE)
    ] = True,
    workers: Annotated[
        int, typer.Option(help="Specimens at the same time; 0: one a core.", rich_help_panel=_RUN)
    ] = 0,
    json: Annotated[
        bool, typer.Option("--json", help="One JSON document on stdout.", rich_help_panel=_RUN)
    ] = False,
) -> None:
    """Parse the words, render, report."""
    from mvps.synth.dataset_plan import DatasetOptions, options_of, read_settings

    words: dict[str, Any] = {
        key: value
        for key, value in locals().items()
        if key in DatasetOptions.__dataclass_fields__ and value is not None
    }
    for key in ("categories", "defects"):
        if key in words:
            words[key] = names_of(words[key])
    if size is not None:
        words["width"], words["height"] = size_of(size)
    if lights is not None:
        words.pop("lights")
        count, light_file = lights_word(lights)
        words |= {"light_file": light_file} if light_file else {"lights": count}
    options = options_of(words) if config is None else read_settings(config, words)
    debug = bool(context.obj and context.obj["debug"])
    raise typer.Exit(_run(out, options, workers=workers, contact=contact, json=json, debug=debug))


def _run(out: Path, options: Any, *, workers: int, contact: bool, json: bool, debug: bool) -> int:
    """Plan, render, say what came of it; the exit code."""
    import time

    from mvps import console
    from mvps.cli.progress import clock_text
    from mvps.cli.synth_progress import TaskProgress
    from mvps.synth.dataset import plan_dataset, write_dataset

    started = time.perf_counter()
    plan = plan_dataset(out, options, workers)
    for warning in plan.warnings:
        console.warn(warning)
    views = options.views * len(plan.todo)
    before = len(plan.jobs) - len(plan.todo)
    rest = f", {before} done before" if before else ""
    console.say(
        f"{len(plan.todo)} specimens of {views} views at {options.width}x{options.height} "
        f"on {plan.workers} workers{rest}"
    )
    try:
        with TaskProgress(len(plan.todo), "specimens") as progress:
            summary = write_dataset(plan, progress.advance, contact=contact)
    except KeyboardInterrupt:
        console.error("interrupted; what is done is complete, the same command does the rest")
        return 130
    seconds = time.perf_counter() - started
    for line in (*summary.failures, *summary.faults):
        console.error(line)
    if json:
        console.print_json(summary.as_dict() | {"seconds": round(seconds, 3)})
    else:
        console.stdout().print(_table(summary))
    took = clock_text(seconds)
    each = f", {clock_text(seconds / summary.rendered)} each" if summary.rendered else ""
    console.say(f"{summary.rendered} rendered in {took}{each}; {summary.size_bytes / 1e6:.1f} MB")
    if contact and not summary.failures:
        console.say(f"data set: {out}; look at {out / 'contact.png'}")
    return 1 if summary.failures or summary.faults else 0


def _table(summary: DatasetSummary) -> Any:
    from rich.table import Table
    from rich.text import Text

    table = Table(title="Specimens", title_justify="left")
    names = ("category", "train", "test OK", "test NG", "pictures", "with a defect", "area px")
    for name in names:
        table.add_column(name, justify="left" if name == "category" else "right")
    for row in summary.rows:
        low, middle, high = row["area_px"] or (0, 0, 0)
        table.add_row(
            Text(row["category"]),
            str(row["train"]),
            str(row["test_normal"]),
            str(row["test_defective"]),
            str(row["pictures"]),
            str(row["views_with_defect"]),
            f"{low} / {middle} / {high}",
        )
    table.caption = "area px: smallest, middle and largest mask in a view that shows the defect"
    return table
