"""``mvps normals``: raw multi-light photographs to normal maps."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

_HELP = """Solve every stack under RAW and write its maps under OUT, mirroring the tree.

A stack is a folder of images, one a light, with a light description in it or above it:
DiLiGenT text files, an RTI .lp file, or a rig.yml for many samples and views.

[bold]Examples[/bold]

  mvps normals raw out                      every stack, with the defaults

  mvps normals raw out --dry-run            the plan and the checks, nothing else

  mvps normals raw out --bits 12 --align left --dark dark.tif --flat 'flat/L{light:02d}.tif'

  mvps normals raw out --solver auto        shadows and highlights left out where they are

  mvps normals raw out --roi 0,0,1024,768 --format png16 --quality

  mvps normals raw out --camera cam1.yml --undistort --frame board --board-up

  mvps normals raw out --camera cam1.yml --distance-mm 280   lights near the part

  mvps normals raw out --flatten plane      flat parts without the rig's bend

Exit codes: 0 all done, 1 some stacks failed, 2 your input, 130 interrupted.
"""

_CAPTURE, _CAMERA, _NEAR, _CORRECT, _SOLVE, _WRITE, _RUN = (
    "Capture",
    "Camera",
    "Near lights",
    "Corrections",
    "Solving",
    "Writing",
    "Running",
)


def named_path(text: str) -> Path:
    """A path that was really named: an unset shell variable must not mean the current folder."""
    if not text.strip():
        raise typer.BadParameter("the name is empty")
    return Path(text)


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("normals", help=_HELP, short_help="Photographs to normal maps.")(normals)


def normals(
    context: typer.Context,
    raw: Annotated[
        Path,
        typer.Argument(help="Folder with the captures.", show_default=False, parser=named_path),
    ],
    out: Annotated[
        Path, typer.Argument(help="Folder for the maps.", show_default=False, parser=named_path)
    ],
    lights: Annotated[
        Path | None,
        typer.Option(
            help="Light file for every stack.", parser=named_path, rich_help_panel=_CAPTURE
        ),
    ] = None,
    lights_convention: Annotated[
        str | None,
        typer.Option(
            help="Signs of the light file: opengl, directx or opencv.", rich_help_panel=_CAPTURE
        ),
    ] = None,
    bits: Annotated[
        int | None,
        typer.Option(
            help="Significant bits of a 16-bit sample: 10, 12, 14.", rich_help_panel=_CAPTURE
        ),
    ] = None,
    align: Annotated[
        str | None,
        typer.Option(help="Where those bits stand: right or left.", rich_help_panel=_CAPTURE),
    ] = None,
    bayer: Annotated[
        str | None,
        typer.Option(help="Colour mosaic: rggb, bggr, grbg or gbrg.", rich_help_panel=_CAPTURE),
    ] = None,
    raw_packing: Annotated[
        str | None,
        typer.Option(
            help="Headerless images: mono12packed, mono12p, u8, u16le or u16be.",
            rich_help_panel=_CAPTURE,
        ),
    ] = None,
    raw_size: Annotated[
        str | None,
        typer.Option(help="Their size, as 5472x3648.", rich_help_panel=_CAPTURE),
    ] = None,
    raw_offset: Annotated[
        int, typer.Option(help="Bytes before their first sample.", rich_help_panel=_CAPTURE)
    ] = 0,
    roi: Annotated[
        str | None, typer.Option(help="Solve x,y,w,h raw pixels only.", rich_help_panel=_CAPTURE)
    ] = None,
    bin: Annotated[
        int, typer.Option(help="Average squares of N x N raw pixels.", rich_help_panel=_CAPTURE)
    ] = 1,
    max_pixels: Annotated[
        int | None,
        typer.Option(help="Refuse larger images before decoding.", rich_help_panel=_CAPTURE),
    ] = None,
    camera: Annotated[
        Path | None,
        typer.Option(
            help="Calibration file for every stack.", parser=named_path, rich_help_panel=_CAMERA
        ),
    ] = None,
    camera_name: Annotated[
        str | None,
        typer.Option(help="Which camera of a file with several.", rich_help_panel=_CAMERA),
    ] = None,
    camera_crop: Annotated[
        str | None,
        typer.Option(
            help="The images show x,y,w,h of the calibrated pixels.", rich_help_panel=_CAMERA
        ),
    ] = None,
    camera_bin: Annotated[
        int,
        typer.Option(help="They were then binned N x N in the camera.", rich_help_panel=_CAMERA),
    ] = 1,
    camera_scale: Annotated[
        bool,
        typer.Option("--camera-scale", help="They were then scaled.", rich_help_panel=_CAMERA),
    ] = False,
    undistort: Annotated[
        bool,
        typer.Option(
            "--undistort", help="Write maps in undistorted pixels.", rich_help_panel=_CAMERA
        ),
    ] = False,
    frame: Annotated[
        str,
        typer.Option(help="Frame of the normals: camera or board.", rich_help_panel=_CAMERA),
    ] = "camera",
    board_up: Annotated[
        bool,
        typer.Option(
            "--board-up",
            help="Turn the board's frame so that z points to the camera.",
            rich_help_panel=_CAMERA,
        ),
    ] = False,
    near: Annotated[
        str,
        typer.Option(
            help="Lights with positions: auto (near once the part's place is stated), off, plane, "
            "surface (its depth is found too) or depth.",
            rich_help_panel=_NEAR,
        ),
    ] = "auto",
    distance_mm: Annotated[
        float | None,
        typer.Option(
            help="From the camera (the positions' origin) to the part.", rich_help_panel=_NEAR
        ),
    ] = None,
    plane: Annotated[
        str,
        typer.Option(
            help="How the part lies: TILT,AZIMUTH in degrees, or board: as the camera's board.",
            rich_help_panel=_NEAR,
        ),
    ] = "",
    depth: Annotated[
        Path | None,
        typer.Option(help="Depth map of the raw pixels in mm, float32.", rich_help_panel=_NEAR),
    ] = None,
    mm_per_px: Annotated[
        float | None,
        typer.Option(help="Scale of raw pixels without a camera.", rich_help_panel=_NEAR),
    ] = None,
    near_intensities: Annotated[
        str | None,
        typer.Option(
            help="Intensities are those of the lamps (lamp, the default), or at the part "
            "(reference).",
            rich_help_panel=_NEAR,
        ),
    ] = None,
    refine_distance: Annotated[
        bool,
        typer.Option(
            "--refine-distance",
            help="Move the part to the distance at which the photographs agree best.",
            rich_help_panel=_NEAR,
        ),
    ] = False,
    response: Annotated[
        str | None,
        typer.Option(
            help="Curve to undo: linear, srgb, gamma=2.2 or a file.", rich_help_panel=_CORRECT
        ),
    ] = None,
    mask: Annotated[
        Path | None,
        typer.Option(
            help="Image, non-zero where wanted.", parser=named_path, rich_help_panel=_CORRECT
        ),
    ] = None,
    dark: Annotated[
        Path | None,
        typer.Option(
            help="Frame with the shutter closed.", parser=named_path, rich_help_panel=_CORRECT
        ),
    ] = None,
    ambient: Annotated[
        Path | None,
        typer.Option(
            help="Frame with the lights off.", parser=named_path, rich_help_panel=_CORRECT
        ),
    ] = None,
    flat: Annotated[
        str | None,
        typer.Option(
            help="White target under each light; {light} stands for its number.",
            rich_help_panel=_CORRECT,
        ),
    ] = None,
    saturation: Annotated[
        float | None,
        typer.Option(
            help="Fraction of full scale at which a sample is unusable.", rich_help_panel=_CORRECT
        ),
    ] = None,
    black: Annotated[
        float | None,
        typer.Option(help="The same at the dark end.", rich_help_panel=_CORRECT),
    ] = None,
    grey: Annotated[
        str,
        typer.Option(
            help="Grey from RGB: luminance, matlab (clamped) or channels (RGB albedo).",
            rich_help_panel=_SOLVE,
        ),
    ] = "luminance",
    solver: Annotated[
        str,
        typer.Option(
            help="ls, gated (no shadows), trimmed, irls (no highlights either) or auto.",
            rich_help_panel=_SOLVE,
        ),
    ] = "ls",
    loss: Annotated[
        str,
        typer.Option(help="Of irls: cauchy, huber, tukey or l1.", rich_help_panel=_SOLVE),
    ] = "cauchy",
    iterations: Annotated[
        int, typer.Option(help="Of irls: reweighted solves.", rich_help_panel=_SOLVE)
    ] = 5,
    trim: Annotated[
        str,
        typer.Option(
            help="Of trimmed: shares LOW,HIGH left out of the ranks.", rich_help_panel=_SOLVE
        ),
    ] = "0.3,0.4",
    device: Annotated[
        str,
        typer.Option(help="auto, cpu, numpy, reference, cuda or cuda:1.", rich_help_panel=_SOLVE),
    ] = "auto",
    format: Annotated[
        str,
        typer.Option(
            help="Normal map: tiff, zstd, f32, png16, png8, jxl8, exr or npy.",
            rich_help_panel=_WRITE,
        ),
    ] = "tiff",
    albedo: Annotated[
        str, typer.Option(help="Albedo map: f32, u16 or none.", rich_help_panel=_WRITE)
    ] = "f32",
    convention: Annotated[
        str,
        typer.Option(
            help="Signs of the normals: opengl, directx (y down) or opencv (y down, z away).",
            rich_help_panel=_WRITE,
        ),
    ] = "opengl",
    flatten: Annotated[
        str,
        typer.Option(
            help="Take the rig's bend off flat parts: plane, quadratic (in the slopes), tilt, or a "
            "flat target's map, or a run's folder with one a view.",
            rich_help_panel=_WRITE,
        ),
    ] = "",
    keep_tilt: Annotated[
        bool,
        typer.Option(
            "--keep-tilt",
            help="Of a fitted bend, leave the tilt at the centre.",
            rich_help_panel=_WRITE,
        ),
    ] = False,
    smooth: Annotated[
        int,
        typer.Option(
            help="Medians over cells of N x N pixels stand for the flat target.",
            rich_help_panel=_WRITE,
        ),
    ] = 0,
    quality: Annotated[
        bool,
        typer.Option(
            "--quality", help="Also write quality.tif, quality.png.", rich_help_panel=_WRITE
        ),
    ] = False,
    preview: Annotated[
        bool, typer.Option(help="Write preview.png.", rich_help_panel=_WRITE)
    ] = True,
    picture: Annotated[
        bool,
        typer.Option(
            help="Copy a stack's colour picture beside its maps, for detectors.",
            rich_help_panel=_WRITE,
        ),
    ] = True,
    depth_map: Annotated[
        bool,
        typer.Option(
            "--depth-map/--no-depth-map",
            help="Write depth.tif where the depth of a part is found.",
            rich_help_panel=_NEAR,
        ),
    ] = True,
    workers: Annotated[
        int, typer.Option(help="Stacks at the same time; 0: one a core.", rich_help_panel=_RUN)
    ] = 0,
    latency: Annotated[
        bool,
        typer.Option(
            "--latency", help="One stack at a time, each done soonest.", rich_help_panel=_RUN
        ),
    ] = False,
    overwrite: Annotated[
        bool,
        typer.Option(
            "--overwrite/--resume",
            help="Solve again, or skip, what is done and unchanged.",
            rich_help_panel=_RUN,
        ),
    ] = False,
    shard: Annotated[
        str | None,
        typer.Option(help="Solve part i of n, as 2/8, on one of n machines.", rich_help_panel=_RUN),
    ] = None,
    report: Annotated[
        bool,
        typer.Option("--report", help="Also write report.html, a page.", rich_help_panel=_WRITE),
    ] = False,
    light_check: Annotated[
        bool,
        typer.Option(
            "--light-check/--no-light-check",
            help="Ask the first images whether these are the right lights.",
            rich_help_panel=_RUN,
        ),
    ] = True,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Print plan and checks, then stop.", rich_help_panel=_RUN),
    ] = False,
    json: Annotated[
        bool, typer.Option("--json", help="One JSON document on stdout.", rich_help_panel=_RUN)
    ] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Say more.", rich_help_panel=_RUN)
    ] = False,
) -> None:
    """Parse the words, plan, run, report."""
    from mvps.cli.normals_run import Words, execute

    words = Words(**{name: value for name, value in locals().items() if name in Words.names()})
    raise typer.Exit(execute(words, debug=bool(context.obj and context.obj["debug"])))
