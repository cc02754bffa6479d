"""``mvps lights sphere``: the lamps of a rig from photographs of balls."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mvps.cli.normals import named_path

if TYPE_CHECKING:
    from mvps.lights.sphere import ProbeOptions
    from mvps.lights.sphere_ellipse import Ellipse
    from mvps.lights.sphere_rig import Probe

_HELP = """Measure lamps with mirror balls, or matt ones (--diffuse).

PROBE holds one photograph of the ball a lamp, in the order of the lamps, and if possible one named
ref.* with the room lit, in which the outline shows. Several balls: several in each photograph
(--ball each, or --count N), or a folder each.

With --camera the perspective model is exact; with --radius-mm and two balls or more, lamps get
positions in mm from the camera's centre. Without a camera the view is taken for parallel, and what
that may cost is stated for a field of view of at most --fov degrees.

[bold]Examples[/bold]

  mvps lights sphere probe/ --out lights.yml --picture probe.png

  mvps lights sphere probe/ --camera calib/top.yml --radius-mm 12.7 --count 2 --out lights.yml

  mvps lights sphere left/ right/ --ball 536,478,421 --ball 472,465,417 --json

Exit codes: 0 measured, 1 a lamp was not found, 2 your input.
"""

Paths = Annotated[
    list[Path],
    typer.Argument(help="Folders with photographs.", show_default=False, parser=named_path),
]


def register(app: typer.Typer) -> None:
    """Add the command to the group."""
    app.command("sphere", help=_HELP, short_help="Lamps from photographs of balls.")(sphere)


def sphere(
    probe: Paths,
    radius_mm: Annotated[
        float | None, typer.Option(min=1e-3, help="Radius of every ball, mm.", show_default=False)
    ] = None,
    camera: Annotated[
        Path | None, typer.Option(help="Calibration of the camera, any format.")
    ] = None,
    camera_name: Annotated[
        str | None, typer.Option(help="Which camera of a file with several.")
    ] = None,
    ball: Annotated[
        list[str] | None,
        typer.Option(
            help="Outline x,y,r or x,y,major,minor,angle in px from the top left; repeat."
        ),
    ] = None,
    circles: Annotated[
        Path | None, typer.Option(help="File with an outline a line, as --ball.")
    ] = None,
    refine: Annotated[
        bool, typer.Option("--refine", help="Move the given outlines to the edges near them.")
    ] = False,
    count: Annotated[int, typer.Option(min=1, max=50, help="Balls to find in a folder.")] = 1,
    reference: Annotated[
        str | None, typer.Option(help="Photograph to find the balls in; ref.* by default.")
    ] = None,
    diffuse: Annotated[
        bool, typer.Option("--diffuse", help="Matt balls: directions and intensities by shading.")
    ] = False,
    highlight: Annotated[str, typer.Option(help="auto, centroid or median.")] = "auto",
    noise_px: Annotated[
        float | None,
        typer.Option(min=1e-6, help="Deviation of edges and highlights; estimated by default."),
    ] = None,
    fov: Annotated[
        float, typer.Option(min=0.1, max=170, help="Most of an unknown camera's diagonal, degrees.")
    ] = 40.0,
    response: Annotated[
        str, typer.Option(help="Curve to undo: linear, srgb or a file.")
    ] = "linear",
    white: Annotated[
        float | None, typer.Option(min=1e-6, help="Value of a saturated sample; by depth.")
    ] = None,
    positions: Annotated[
        bool, typer.Option("--positions", help="Fail where positions cannot be measured.")
    ] = False,
    out: Annotated[Path | None, typer.Option(help="Light file to write: .yml or .json.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace --out.")] = False,
    picture: Annotated[
        Path | None, typer.Option(help="Picture of what was found: .png, .svg or .pdf.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    """Measure, print one table, write what is asked for."""
    from mvps.images.response import parse_response
    from mvps.lights.sphere import ProbeOptions
    from mvps.lights.sphere_report import check_targets

    check_targets(out, picture, overwrite=overwrite)
    options = ProbeOptions(
        camera=_camera(camera, camera_name),
        radius_mm=radius_mm,
        noise_px=noise_px,
        view_degrees=fov,
        method=_method(highlight),
        response=parse_response(response),
        white=white,
        reference=reference,
        count=count,
        refine=refine,
    )
    found = _measure(probe, _outlines(ball, circles), options, positions, diffuse)
    _show(found, out, picture, json)


def _camera(path: Path | None, name: str | None) -> Any:
    from mvps.calib import read_camera

    return None if path is None else read_camera(path, name)


def _method(word: str) -> Any:
    from mvps.errors import InputError
    from mvps.lights.highlight import METHODS

    if word not in METHODS:
        raise InputError("--highlight", f"unknown method {word!r}", "use " + ", ".join(METHODS))
    return word


def _outlines(balls: list[str] | None, circles: Path | None) -> list[Ellipse]:
    from mvps.lights.sphere_input import parse_ball, read_circles

    return [*map(parse_ball, balls or ()), *(read_circles(circles) if circles else ())]


def _measure(
    folders: list[Path],
    given: list[Ellipse],
    options: ProbeOptions,
    positions: bool,
    diffuse: bool,
) -> Probe:
    from mvps.lights import sphere_rig
    from mvps.lights.sphere import load_balls

    balls = load_balls(folders, given, options)
    if positions:
        sphere_rig.require_positions(balls, options)
    measure = sphere_rig.diffuse_probe if diffuse else sphere_rig.mirror_probe
    return measure(balls, options)


def _show(probe: Probe, out: Path | None, picture: Path | None, json: bool) -> None:
    from mvps import console
    from mvps.lights.sphere_report import as_dict, draw_probe, write_probe

    if json:
        console.print_json(as_dict(probe))
    else:
        console.stdout().print(_balls(probe))
        console.stdout().print(_table(probe))
    for finding in probe.findings:
        (console.error if finding.level == "error" else console.warn)(finding.message)
    if picture is not None:
        draw_probe(probe, picture)
        console.say(f"picture: {picture}")
    if probe.rig is None:
        raise typer.Exit(1)
    if out is not None:
        write_probe(probe, out)
        console.say(f"written: {out}")


def _balls(probe: Probe) -> Any:
    from rich.table import Table

    table = Table(title="Balls", title_justify="left")
    table.add_column("ball")
    for name in ("centre px", "semi-axes px", "residual px", "seen", "model"):
        table.add_column(name, justify="right", no_wrap=True)
    for seen in probe.balls:
        outline = seen.ball.outline
        x, y = outline.ellipse.centre
        major, minor = outline.ellipse.semi_axes
        found = len(outline.points) > 0
        table.add_row(
            seen.ball.name,
            f"{x:.2f} {y:.2f}",
            f"{major:.2f} {minor:.2f}",
            f"{outline.sigma:.2f}" if found else "given",
            f"{outline.coverage:.0%}" if found else "given",
            "orthographic" if seen.ball.cone is None else "perspective",
        )
    return table


def _table(probe: Probe) -> Any:
    import numpy as np
    from rich.table import Table

    from mvps.lights.sphere_report import largest

    condition = "" if probe.rig is None else f", condition number {probe.rig.condition():.2f}"
    table = Table(title=f"{len(probe.names)} lights{condition}", title_justify="left")
    table.add_column("")
    table.add_column("image", no_wrap=True)
    columns = ["x", "y", "z", "±°"]
    sigmas = largest([seen.sigmas for seen in probe.balls])
    bounds = largest([seen.bounds for seen in probe.balls if seen.bounds is not None])
    columns += ["model ±°"] if len(bounds) else []
    columns += ["apart°"] if len(probe.balls) > 1 else []
    columns += ["intensity"] if probe.shadings else []
    columns += ["position mm", "± mm", "miss mm"] if probe.positions else []
    for name in columns:
        table.add_column(name, justify="right", no_wrap=True)
    for k, name in enumerate(probe.names):
        rig = probe.rig
        row = ["-"] * 3 if rig is None else [f"{value:.4f}" for value in rig.directions[k]]
        row.append(_figure(sigmas[k]))
        row += [_figure(bounds[k])] if len(bounds) else []
        row += [_figure(probe.agreement[k])] if len(probe.balls) > 1 else []
        if probe.shadings:
            strength = "-" if rig is None else _row(np.atleast_1d(rig.intensities[k]))
            row.append(strength)
        if probe.positions is not None:
            point = " ".join(f"{value:.2f}" for value in probe.positions.points[k])
            deviation = np.sqrt(np.trace(probe.positions.covariances[k]))
            row += [point, _figure(deviation), _figure(probe.positions.misses[k])]
        table.add_row(str(k + 1), name, *row)
    return table


def _row(values: Any) -> str:
    return " ".join(f"{value:.3f}" for value in values)


def _figure(value: float) -> str:
    return f"{value:.2f}" if math.isfinite(value) else "-"
