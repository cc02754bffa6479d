"""``mvps lights flat``: intensities and flat fields from photographs of a white target."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mvps.cli.normals import named_path

if TYPE_CHECKING:
    from mvps.pipeline.flatwriter import FlatResult
    from mvps.pipeline.whitetarget import Progress

_HELP = """Measure intensities and flat fields from TARGET, a white target under each light.

The target is matt, plane, fills the frame, and is photographed once under each light with the
settings of the captures. With --lights, the foreshortening l.n of the target is taken out and
OUT/lights.json holds these lights with their intensities; without, OUT/light_intensities.txt holds
the bare levels. Flat fields go to OUT/flat/L01.tif and on, float32 with mean 1, linear and without
dark signal: mvps normals uses them as they are. A frame called dark or ambient in TARGET is
subtracted.

[bold]Examples[/bold]

  mvps lights flat white out --lights lights/top.lp --dark dark.tif --plot fields.png

  mvps normals raw maps --lights out/lights.json --flat 'out/flat/L{light:02d}.tif' --dark dark.tif

Exit codes: 0 written, 2 your input.
"""


def register(app: typer.Typer) -> None:
    """Add the command to the group."""
    app.command("flat", help=_HELP, short_help="Intensities and flat fields.")(flat)


def flat(
    target: Annotated[
        Path,
        typer.Argument(
            help="Folder with one photograph a light.", show_default=False, parser=named_path
        ),
    ],
    out: Annotated[
        Path, typer.Argument(help="Folder to write.", show_default=False, parser=named_path)
    ],
    lights: Annotated[Path | None, typer.Option(help="Light file with the directions.")] = None,
    lights_convention: Annotated[
        str | None, typer.Option(help="Signs of the light file: opengl, directx or opencv.")
    ] = None,
    target_normal: Annotated[
        str, typer.Option(help="Normal of the target: x right, y up, z to the camera.")
    ] = "0,0,1",
    low_pass: Annotated[
        str,
        typer.Option(help="polynomial=DEGREE, gaussian=PERCENT of the longer side, or none."),
    ] = "polynomial=4",
    dark: Annotated[Path | None, typer.Option(help="Frame with the shutter closed.")] = None,
    ambient: Annotated[Path | None, typer.Option(help="Frame with the lights off.")] = None,
    response: Annotated[
        str, typer.Option(help="Curve to undo: linear, srgb, gamma=2.2 or a file.")
    ] = "linear",
    bits: Annotated[
        int | None, typer.Option(help="Significant bits of a 16-bit sample: 10, 12, 14.")
    ] = None,
    align: Annotated[
        str | None, typer.Option(help="Where those bits stand: right or left.")
    ] = None,
    bayer: Annotated[
        str | None, typer.Option(help="Colour mosaic: rggb, bggr, grbg or gbrg.")
    ] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw the fields into this picture.")] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace what an earlier run wrote.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    """Measure, write, and print one table."""
    from mvps import console
    from mvps.images import SampleFormat
    from mvps.lights import read_lights
    from mvps.lights.fields import parse_low_pass
    from mvps.lights.intensity import parse_normal
    from mvps.pipeline.flatwriter import measure_flats
    from mvps.pipeline.whitetarget import check_response, find_target
    from mvps.plotting import check_plot_path

    if plot is not None:
        check_plot_path(plot)
    check_response(response, bayer)
    rig = None if lights is None else read_lights(lights, convention=lights_convention)
    samples = SampleFormat(bits, align)  # type: ignore[arg-type]  # it refuses other words
    smoothing, normal = parse_low_pass(low_pass), parse_normal(target_normal)
    photographs, remarks = find_target(
        target, rig, dark=dark, ambient=ambient, response=response, samples=samples, bayer=bayer
    )
    with _progress() as progress:
        result = measure_flats(
            photographs,
            out,
            rig=rig,
            normal=normal,
            low_pass=smoothing,
            overwrite=overwrite,
            progress=progress,
        )
    if json:
        console.print_json(result.as_dict())
    else:
        console.stdout().print(_table(result))
    if photographs.offset is not None:
        console.say(f"subtracted: {photographs.offset.path}")
    for finding in (*remarks, *result.findings):
        console.warn(finding.message)
    if plot is not None:
        _draw(result, plot)
        console.say(f"picture: {plot}")
    console.say(f"written: {result.lights}; flat fields: --flat '{result.pattern}'")


@contextmanager
def _progress() -> Iterator[Progress]:
    """A bar on a terminal, silence elsewhere."""
    from rich.progress import Progress as Bar

    from mvps import console

    terminal = console.stderr()
    with Bar(console=terminal, disable=not terminal.is_terminal, transient=True) as bar:
        task = bar.add_task("white target")
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _draw(result: FlatResult, plot: Path) -> None:
    from mvps.lights.field_plot import plot_fields

    strengths = result.intensities.reshape(len(result.flats), -1).mean(axis=1)
    labels = [
        f"{k}: {flat.image.stem}, e {strength:.2f}"
        for k, (flat, strength) in enumerate(zip(result.flats, strengths, strict=True), start=1)
    ]
    plot_fields([flat.thumb for flat in result.flats], labels, plot)


def _table(result: FlatResult) -> Any:
    from rich.table import Table
    from rich.text import Text

    table = Table(title="White target", title_justify="left")
    table.add_column("light", justify="right")
    table.add_column("image")
    names = ("level", "l.n", "intensity", "field", "misfit", "clipped")
    for name in names:
        table.add_column(name, justify="right", no_wrap=True)
    rows = zip(result.flats, result.intensities.tolist(), strict=True)
    for number, (flat, value) in enumerate(rows, start=1):
        values = value if isinstance(value, list) else [value]
        table.add_row(
            str(number),
            Text(flat.image.name),
            " ".join(f"{100 * level:.1f}%" for level in flat.levels),
            "-" if flat.facing is None else f"{flat.facing:.3f}",
            " ".join(f"{number:.4f}" for number in values),
            f"{flat.lowest:.2f}..{flat.highest:.2f}",
            "-" if flat.residual is None else f"{100 * flat.residual:.2f}%",
            f"{100 * flat.saturated:.2g}%",
        )
    return table
