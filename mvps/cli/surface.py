"""``mvps surface``: normals to height, curvature and mesh."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from mvps.cli.normals import named_path

_HELP = """Integrate the normal map MAP and write its height under OUT.

MAP is a normal map (TIFF, PNG, EXR, NPY, MAT) or a folder that mvps normals wrote. OUT gets
height.tif (float32), preview.png and surface.json. Lengths are in mm with --mm-per-px or --camera,
else in pixels.

[bold]Examples[/bold]

  mvps surface out/part part --mm-per-px 0.014

  mvps surface normals.tif part --mask mask.png --camera cam.yml --distance 250

  mvps surface out/part part --method bilateral --mesh part.glb --faces 50000

  mvps surface out/part part --curvature --gradients --png

Methods: dct (full frames, fast), frankot (full frames that repeat), sparse (any mask), bilateral
(steps are kept). auto takes dct where every pixel is valid, else sparse.

Exit codes: 0 done, 2 your input.
"""


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("surface", help=_HELP, short_help="Normals to height, curvature and mesh.")(surface)


def surface(
    map: Annotated[
        Path, typer.Argument(help="Normal map or folder.", show_default=False, parser=named_path)
    ],
    out: Annotated[
        Path, typer.Argument(help="Folder for results.", show_default=False, parser=named_path)
    ],
    mask: Annotated[Path | None, typer.Option(help="Image, non-zero where wanted.")] = None,
    mm_per_px: Annotated[float | None, typer.Option(help="Size of a pixel in mm.")] = None,
    camera: Annotated[
        Path | None, typer.Option(help="Calibration file: a perspective view.")
    ] = None,
    camera_name: Annotated[
        str | None, typer.Option(help="Which camera of a file with several.")
    ] = None,
    distance: Annotated[
        float | None,
        typer.Option(help="Depth of the surface in mm; by default the calibration board's."),
    ] = None,
    method: Annotated[str, typer.Option(help="auto, dct, frankot, sparse or bilateral.")] = "auto",
    mesh: Annotated[
        Path | None, typer.Option(help="Also write this mesh: .ply, .obj or .glb.")
    ] = None,
    faces: Annotated[int, typer.Option(help="Its triangles at most.")] = 200_000,
    curvature: Annotated[
        bool, typer.Option("--curvature", help="Also write curvatures and shape index.")
    ] = False,
    gradients: Annotated[
        bool, typer.Option("--gradients", help="Also write slopes as 8-bit pictures.")
    ] = False,
    png: Annotated[
        bool, typer.Option("--png", help="Also write the height as a 16-bit PNG.")
    ] = False,
    threads: Annotated[int, typer.Option(help="Threads; 0: one a core.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    """Integrate one map and print what came out."""
    from mvps import console
    from mvps.surface import SurfaceOptions, run_surface

    options = SurfaceOptions(
        mask=mask,
        mm_per_px=mm_per_px,
        camera=camera,
        camera_name=camera_name,
        distance=distance,
        method=method,
        mesh=mesh,
        faces=faces,
        curvature=curvature,
        gradients=gradients,
        png=png,
        threads=threads,
    )
    record = run_surface(map, out, options, _Told())
    if json:
        console.print_json(record)
    else:
        console.stdout().print(_summary(record), soft_wrap=True)
    for warning in record["warnings"]:
        console.warn(warning)
    console.say(f"written to {out}")


class _Told:
    """A line now and then while a solve takes long."""

    def __init__(self) -> None:
        self._spoken = time.perf_counter()

    def __call__(self, what: str, count: int, left: float) -> None:
        from mvps import console
        from mvps.cli.progress import LINE_EVERY

        if time.perf_counter() - self._spoken >= LINE_EVERY:
            self._spoken = time.perf_counter()
            console.say(f"{what} {count}, {left:.1e} left")


def _summary(record: dict[str, Any]) -> str:
    figures, regions, unit = record["figures"], record["regions"], record["unit"]
    size, path = record["size"], record["inputs"][0]["path"]
    lines = [
        f"{path}: {size['width']} x {size['height']}, {record['valid']:,} valid",
        f"method: {record['method']} ({record['method_reason']})",
        f"height: {record['height_range']:.4g} {unit} from lowest to highest, "
        f"{record['projection']}, {record['unit_per_px']:.4g} {unit} per px",
        f"slopes fit to {figures['slope_residual_rms']:.2g} (root mean square)",
        f"solved in {figures['seconds']:.1f} s on {figures['threads']} threads",
    ]
    if record["unit"] == "px":
        lines.append("no scale: lengths are in pixels; add --mm-per-px or --camera")
    if regions["unobservable"]:
        lines.append(f"regions: {regions['regions']}, see regions.png")
    if mesh := record["scales"].get("mesh"):
        lines.append(f"mesh: {mesh['path']}, {mesh['faces']:,} triangles, in {mesh['unit']}")
    return "\n".join(lines)
