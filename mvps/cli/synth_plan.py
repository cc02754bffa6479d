"""``mvps synth plan``: how many lights, where, and how well known, before anything is bought."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mvps.cli.normals import named_path
from mvps.cli.synth_words import numbers_of, size_of

if TYPE_CHECKING:
    from mvps.synth.plan import SweepRow

_HELP = """Render PART under one rig after another and say what accuracy to expect.

Every number of lights is tried at every elevation (above the plane of the picture; 90 is along the
optical axis), with directions known exactly and known badly. The table gives the angular error over
the part in degrees, the share of it that is sensor noise, and how a defect stands out: contrast is
the angle between normals with and without it, visible is contrast over noise in the same mask (1 is
a defect as strong as the noise of one pixel).

[bold]Examples[/bold]

  mvps synth plan jst_header

  mvps synth plan jst_header --lights 4,8 --elevation 30,45,60 --light-error 0,1 --plot plan.png

  mvps synth plan cap --material brushed_metal --defect dent --csv plan.csv

Exit codes: 0 done, 2 your input.
"""

_WHAT, _RIG, _WRITE = "What", "Rig", "Writing"


def register(app: typer.Typer) -> None:
    """Add the command to the group."""
    app.command("plan", help=_HELP, short_help="Expected accuracy of a rig.")(plan)


def plan(
    part: Annotated[str, typer.Argument(help="Part, shape or mesh file.", show_default=False)],
    lights: Annotated[
        str, typer.Option(help="Numbers of lights.", rich_help_panel=_RIG)
    ] = "3,4,6,8,12",
    elevation: Annotated[
        str, typer.Option(help="Degrees above the picture's plane.", rich_help_panel=_RIG)
    ] = "30,45,60",
    light_error: Annotated[
        str, typer.Option(help="Degrees by which directions are wrong.", rich_help_panel=_RIG)
    ] = "0,0.5,1,2",
    view: Annotated[
        str, typer.Option(help="top, front, back, left or right.", rich_help_panel=_RIG)
    ] = "top",
    size: Annotated[
        str, typer.Option(help="Of the picture: 256 or 320x240.", rich_help_panel=_RIG)
    ] = "256",
    samples: Annotated[int, typer.Option(help="Rays a pixel.", rich_help_panel=_RIG)] = 8,
    bits: Annotated[
        int, typer.Option(help="Of the sensor: 8, 12 or 16.", rich_help_panel=_RIG)
    ] = 12,
    noise: Annotated[
        bool,
        typer.Option("--noise/--no-noise", help="Shot and read noise.", rich_help_panel=_RIG),
    ] = True,
    full_well: Annotated[
        float, typer.Option(help="Electrons at full scale.", rich_help_panel=_RIG)
    ] = 10_500.0,
    solver: Annotated[
        str, typer.Option(help="ls, gated, trimmed, irls or auto.", rich_help_panel=_RIG)
    ] = "ls",
    interreflection: Annotated[
        bool,
        typer.Option(
            "--interreflection/--direct",
            help="Light between surfaces as well.",
            rich_help_panel=_RIG,
        ),
    ] = False,
    defect: Annotated[
        str, typer.Option(help="Kind of the defect, or none.", rich_help_panel=_WHAT)
    ] = "dent",
    material: Annotated[
        str, typer.Option(help="Of the whole part; its own by default.", rich_help_panel=_WHAT)
    ] = "",
    seed: Annotated[int, typer.Option(help="Of everything random.", rich_help_panel=_WHAT)] = 0,
    csv: Annotated[
        Path | None,
        typer.Option(help="Write the table as CSV.", parser=named_path, rich_help_panel=_WRITE),
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option(help="Write a plot (.png, .svg).", parser=named_path, rich_help_panel=_WRITE),
    ] = None,
    json: Annotated[
        bool, typer.Option("--json", help="One JSON document on stdout.", rich_help_panel=_WRITE)
    ] = False,
) -> None:
    """Parse the words, sweep, print."""
    from mvps import console
    from mvps.cli.synth_progress import TaskProgress
    from mvps.plotting import check_plot_path
    from mvps.synth.plan import SweepOptions, rigs_of, sweep
    from mvps.synth.plan_report import draw_plot, write_csv
    from mvps.synth.plan_scene import PlanSubject, plan_scene

    if plot is not None:
        check_plot_path(plot)
    counts = numbers_of("--lights", lights, 3, 128)
    options = SweepOptions(
        lights=tuple(int(count) for count in counts),
        elevations=numbers_of("--elevation", elevation, 5, 85),
        light_errors=numbers_of("--light-error", light_error, 0, 20),
        solver=solver,
        seed=seed,
    )
    subject = PlanSubject(
        part=part,
        view=view,
        size=size_of(size),
        samples=samples,
        bits=bits,
        noise=noise,
        full_well=full_well,
        interreflection=interreflection,
        defect="" if defect == "none" else defect,
        material=material,
        seed=seed,
    )
    made = plan_scene(subject)
    for warning in made.warnings:
        console.warn(warning)
    with TaskProgress(sum(1 for _ in rigs_of(options)), "rigs") as progress:
        rows = sweep(made.scene, options, progress.advance)
    if json:
        console.print_json(made.as_dict() | {"rows": [row.as_dict() for row in rows]})
    else:
        console.stdout().print(_table(rows))
        console.say(made.text)
    if csv is not None:
        write_csv(rows, csv)
        console.say(f"table: {csv}")
    if plot is not None:
        draw_plot(rows, plot, made.text)
        console.say(f"plot: {plot}")


def _table(rows: tuple[SweepRow, ...]) -> Any:
    from rich.table import Table

    table = Table(title="Expected angular error in degrees", title_justify="left")
    names = ("lights", "elev.", "off", "median", "mean", "95%", "noise")
    with_defect = any(row.contrast is not None for row in rows)
    for name in (*names, *(("contrast", "visible") if with_defect else ())):
        table.add_column(name, justify="right")
    for row in rows:
        figures = [row.median, row.mean, row.p95, row.noise]
        cells = [str(row.lights), f"{row.elevation:g}", f"{row.light_error:g}"]
        cells += [f"{figure:.2f}" for figure in figures]
        if with_defect:
            cells += ["-" if v is None else f"{v:.2f}" for v in (row.contrast, row.visibility)]
        table.add_row(*cells)
    return table
