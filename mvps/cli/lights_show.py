"""``mvps lights show``: the lights of a file in a table, in figures and in a picture."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mvps.cli.normals import named_path

if TYPE_CHECKING:
    from mvps.lights import LightRig

_HELP = """Show the lights of FILE: where they stand, how strong they are, what is odd about them.

FILE is a DiLiGenT table or its folder, a .lp, a relight .dome, a near_ps light.mat, a list of
angles, or our JSON or YAML; its content decides. Azimuth turns counter-clockwise from the right of
the image; elevation rises from the image plane.

[bold]Examples[/bold]

  mvps lights show lights/top.lp

  mvps lights show lights/top.lp --plot lights.png

Exit codes: 0 shown, 2 your input.
"""
_NAME = 12  # characters of a name before it wraps


def register(app: typer.Typer) -> None:
    """Add the command to the group."""
    app.command("show", help=_HELP, short_help="The lights of a file, in figures.")(show)


def show(
    file: Annotated[
        Path, typer.Argument(help="Light file.", show_default=False, parser=named_path)
    ],
    lights_convention: Annotated[
        str | None, typer.Option(help="Signs of the light file: opengl, directx or opencv.")
    ] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw the lights into this picture.")] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    """Print one table, the figures below it, and the warnings."""
    from mvps import console
    from mvps.lights.checks import check_lights
    from mvps.lights.describe import describe
    from mvps.lights.formats import light_format_of, read_lights
    from mvps.plotting import check_plot_path

    if plot is not None:
        check_plot_path(plot)
    rig = read_lights(file, convention=lights_convention)
    findings = check_lights(rig)
    figures = describe(rig)
    title = light_format_of(Path(rig.source)).title
    if json:
        head = {"file": str(file), "format": title}
        found = [asdict(finding) for finding in findings]
        console.print_json(head | figures | {"findings": found})
    else:
        _print_table(_table(rig, figures, f"{file}: {len(rig)} lights ({title})"))
        console.stdout().print(_summary(figures), soft_wrap=True)
    for note in rig.notes:
        console.warn(note)
    for finding in findings:
        (console.error if finding.level == "error" else console.warn)(finding.message)
    if plot is not None:
        from mvps.lights.plot import plot_lights

        plot_lights(rig, plot, title=file.name)
        console.say(f"picture: {plot}")


def _table(rig: LightRig, figures: dict[str, Any], title: str) -> Any:
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text(title), title_justify="left")
    columns = ["row", "azimuth °", "elevation °", "intensity"]
    near = [key for key in ("position_mm", "axis", "mu") if figures["lights"][0][key] is not None]
    for column in (*columns, *(key.replace("_mm", " (mm)") for key in near)):
        table.add_column(column, justify="right", no_wrap=True)
    if rig.names:
        table.add_column("name", overflow="fold")
    for row in figures["lights"]:
        angles = f"{row['azimuth_degrees']:.2f}", f"{row['elevation_degrees']:.2f}"
        cells = [str(row["row"]), *angles, _numbers(row["intensity"], ".4g")]
        cells += [_numbers(row[key], ".3g" if key == "axis" else ".5g") for key in near]
        table.add_row(*cells, *([Text(row["name"])] if rig.names else []))
    return table


def _print_table(table: Any) -> None:
    """Whole figures, also where the terminal is narrower than they are: it breaks the lines."""
    from mvps import console

    texts = [[column.header, *column.cells] for column in table.columns if column.no_wrap]
    figures = sum(max(map(len, column)) + 3 for column in texts) + 1
    names = 0 if len(texts) == len(table.columns) else _NAME + 3
    out = console.stdout()
    out.width = max(out.width, figures + names)
    out.print(table)


def _summary(figures: dict[str, Any]) -> str:
    condition, noise = figures["condition_number"], figures["normal_noise_degrees"]
    if condition is None or noise is None:
        return "condition number: infinite, the lights fix no normal"
    return (
        f"condition number {condition:.3g} (1 is ideal, 50 too much); a facing normal is off by "
        f"{noise:.2g} degrees (standard deviation) per 1% image noise"
    )


def _numbers(value: float | list[float], style: str) -> str:
    values = value if isinstance(value, list) else [value]
    return " ".join(format(number, style) for number in values)
