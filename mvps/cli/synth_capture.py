"""``mvps synth capture``: one part under every light of every view, with the truth beside."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mvps.cli.normals import named_path
from mvps.cli.synth_words import lights_word, names_of, size_of

_HELP = """Render one part as the rig would photograph it, and write a capture to OUT.

PART is a part of the catalogue (mvps synth parts), a procedural shape, or a mesh file in mm (PLY,
OBJ, STL, glTF, VRML 2). OUT gets a raw stack and a diffuse picture a view, rig.yml with cameras and
lights, and under OUT/truth the true normals, depth, height, albedo, shadow, highlight and part
masks. mvps normals OUT RESULT reads it as it is.

[bold]Examples[/bold]

  mvps synth capture jst_header shot

  mvps synth capture jst_header shot --defect scratch --defect dent --seed 3

  mvps synth capture bracket.stl shot --views cam1,cam2 --lights ring.lp --size 1024

  mvps synth capture cap shot --material lambertian --no-noise --views top

Then: mvps normals shot out, and mvps evaluate normals out --truth shot/truth

Exit codes: 0 written, 1 written, but a picture is badly exposed, 2 your input.
"""

_WHAT, _RIG, _RUN = "What", "Rig", "Running"


def register(app: typer.Typer) -> None:
    """Add the command to the group."""
    app.command("capture", help=_HELP, short_help="One part: raw stacks and truth.")(capture)


def capture(
    part: Annotated[str, typer.Argument(help="Part, shape or mesh file.", show_default=False)],
    out: Annotated[
        Path, typer.Argument(help="Folder to write.", show_default=False, parser=named_path)
    ],
    views: Annotated[
        str,
        typer.Option(
            help="five; some of top,front,back,left,right; cam1 to cam4; or a calibration file.",
            rich_help_panel=_RIG,
        ),
    ] = "five",
    lights: Annotated[
        str,
        typer.Option(
            help="Number of lights a view, or a light file in the camera's frame.",
            rich_help_panel=_RIG,
        ),
    ] = "4",
    size: Annotated[
        str | None,
        typer.Option(
            help="Of a picture: 512 or 640x480; by default 512, or the camera's.",
            rich_help_panel=_RIG,
        ),
    ] = None,
    samples: Annotated[int, typer.Option(help="Rays a pixel.", rich_help_panel=_RIG)] = 16,
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
    black_level: Annotated[
        float,
        typer.Option(
            help="Raw value of darkness; a dark frame is written too.", rich_help_panel=_RIG
        ),
    ] = 0.0,
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
            help="Strength of the fall-off to the corners, 0 to 0.9; they lose 3/4 of it. "
            "(0.1; 0 without noise)",
            rich_help_panel=_RIG,
        ),
    ] = None,
    colour: Annotated[
        bool,
        typer.Option("--colour/--grey", help="Raw stacks in RGB.", rich_help_panel=_RIG),
    ] = False,
    interreflection: Annotated[
        bool,
        typer.Option(
            "--interreflection/--direct",
            help="Light between surfaces as well.",
            rich_help_panel=_RIG,
        ),
    ] = False,
    defect: Annotated[
        list[str] | None,
        typer.Option(help="Kind of a defect to put on the part; repeat it.", rich_help_panel=_WHAT),
    ] = None,
    material: Annotated[
        str,
        typer.Option(
            help="Of the whole part: lambertian, plastic, brushed_metal, polished_metal, ceramic "
            "or rubber; its own by default.",
            rich_help_panel=_WHAT,
        ),
    ] = "",
    units: Annotated[
        str,
        typer.Option(
            help="Of a mesh file: mm, cm, m, um, inch; auto is mm, and metres in glTF.",
            rich_help_panel=_WHAT,
        ),
    ] = "auto",
    turn: Annotated[
        float, typer.Option(help="Degrees about the plumb line.", rich_help_panel=_WHAT)
    ] = 0.0,
    ground: Annotated[
        bool, typer.Option("--ground/--no-ground", help="A plate below.", rich_help_panel=_WHAT)
    ] = True,
    seed: Annotated[int, typer.Option(help="Of everything random.", rich_help_panel=_RUN)] = 0,
    json: Annotated[
        bool, typer.Option("--json", help="One JSON document on stdout.", rich_help_panel=_RUN)
    ] = False,
) -> None:
    """Parse the words, render, say where it lies."""
    import time

    from mvps import console
    from mvps.cli.progress import clock_text
    from mvps.cli.synth_progress import TaskProgress
    from mvps.synth.capture import CaptureOptions, plan_capture, write_capture

    width, height = (0, 0) if size is None else size_of(size)
    count, light_file = lights_word(lights)
    options = CaptureOptions(
        part=part,
        views=names_of(views),
        lights=count,
        light_file=light_file,
        width=width,
        height=height,
        samples=samples,
        bits=bits,
        noise=noise,
        full_well=full_well,
        black_level=black_level,
        psf=psf,
        vignetting=vignetting,
        colour=colour,
        interreflection=interreflection,
        defects=tuple(defect or ()),
        material=material,
        units=units,
        turn=turn,
        ground=ground,
        seed=seed,
    )
    started = time.perf_counter()
    plan = plan_capture(out, options)
    for warning in plan.warnings:
        console.warn(warning)
    with TaskProgress(len(plan.station.views), "views") as progress:
        done = write_capture(plan, progress.advance)
    for fault in done.faults:
        console.error(fault)
    if json:
        console.print_json(done.as_dict())
    seconds = clock_text(time.perf_counter() - started)
    console.say(f"{len(done.views)} views of {done.lights} lights in {seconds}: {out}")
    console.say(
        f"next: mvps normals {out} RESULT; mvps evaluate normals RESULT --truth {out}/truth"
    )
    raise typer.Exit(1 if done.faults else 0)
