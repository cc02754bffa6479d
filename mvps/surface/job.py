"""One run of `mvps surface`: from a normal map on disk to a folder of results and their record."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import mvps
from mvps.calib import Camera
from mvps.errors import InputError
from mvps.files import digest_file, write_json
from mvps.machine import cores
from mvps.surface.curvature import curvature, slope_pictures
from mvps.surface.export import (
    write_curvature,
    write_height,
    write_height_png,
    write_pictures,
    write_preview,
    write_regions,
)
from mvps.surface.integrate import HIDDEN_STEPS, METHODS, Progress, Surface, integrate
from mvps.surface.mesh import DEFAULT_FACES, check_mesh, surface_mesh, write_mesh
from mvps.surface.relief import Relief, orthographic_relief, perspective_relief
from mvps.surface.slopes import Slopes, orthographic_slopes, perspective_slopes
from mvps.surface.source import NormalMap, load_camera, load_map

SURFACE_RECORD = "surface.json"
SCHEMA = 1


@dataclass(frozen=True)
class SurfaceOptions:
    """What is wanted of a run.

    Attributes
    ----------
    mask : image, non-zero where a height is wanted
    mm_per_px : scale of an orthographic view
    camera, camera_name, distance : calibration file, which one in it, mm to the surface
    method : a name of `METHODS`
    mesh, faces : file beside the folder or in it, and its triangles at most
    curvature, gradients, png : whether these maps are written as well
    threads : 0 for one a core
    """

    mask: Path | None = None
    mm_per_px: float | None = None
    camera: Path | None = None
    camera_name: str | None = None
    distance: float | None = None
    method: str = "auto"
    mesh: Path | None = None
    faces: int = DEFAULT_FACES
    curvature: bool = False
    gradients: bool = False
    png: bool = False
    threads: int = 0


@dataclass
class _Run:
    """What one run has made so far."""

    found: NormalMap
    surface: Surface
    relief: Relief
    files: list[str]
    scales: dict[str, Any]


def run_surface(
    path: Path, out: Path, options: SurfaceOptions, progress: Progress | None = None
) -> dict[str, Any]:
    """Integrate a normal map and write what is wanted; returns what surface.json holds.

    Raises
    ------
    InputError
        The map, the mask, the camera or an option is at fault.
    MissingExtraError
        A package of the extra `surface` is not installed.
    """
    _check(options)
    times = [time.perf_counter()]
    found = load_map(path, options.mask)
    slopes, camera = _slopes(found, options)
    times.append(time.perf_counter())
    surface = integrate(
        slopes, options.method, threads=options.threads or cores(), progress=progress
    )
    times.append(time.perf_counter())
    run = _Run(found, surface, _relief(surface, camera, options), [], {})
    out.mkdir(parents=True, exist_ok=True)
    _write_maps(out, run, options)
    if options.mesh is not None:
        run.scales["mesh"] = _write_mesh(options.mesh, options.faces, run)
    times.append(time.perf_counter())
    record = _record(run, options)
    seconds = np.diff(times).round(3).tolist()
    record["timings"] = dict(zip(("read", "solve", "write"), seconds, strict=True))
    write_json(out / SURFACE_RECORD, record)
    return record


def _check(options: SurfaceOptions) -> None:
    if options.method not in METHODS:
        what = f"unknown method {options.method!r}"
        raise InputError("--method", what, "use " + ", ".join(METHODS))
    if options.camera is not None and options.mm_per_px is not None:
        raise InputError("--mm-per-px", "a camera states the scale already", "give one of the two")
    if options.camera is None and (options.distance is not None or options.camera_name):
        raise InputError("--distance, --camera-name", "need a camera", "add --camera FILE")
    if options.mesh is not None:
        check_mesh(options.mesh, options.faces)


def _slopes(found: NormalMap, options: SurfaceOptions) -> tuple[Slopes, Camera | None]:
    if options.camera is None:
        return orthographic_slopes(found.normals, found.valid), None
    camera = load_camera(options.camera, found, options.camera_name)
    return perspective_slopes(found.normals, camera, found.valid), camera


def _relief(surface: Surface, camera: Camera | None, options: SurfaceOptions) -> Relief:
    if camera is None:
        return orthographic_relief(surface.height, options.mm_per_px)
    return perspective_relief(surface.height, camera, surface.slopes.focal, options.distance)


def _write_maps(out: Path, run: _Run, options: SurfaceOptions) -> None:
    """Height, preview and what else is wanted."""
    surface, relief = run.surface, run.relief
    write_height(out / "height.tif", relief)
    write_preview(out / "preview.png", relief, surface.slopes)
    run.files += ["height.tif", "preview.png"]
    if options.png:
        run.scales["height.png"] = write_height_png(out / "height.png", relief)
        run.files.append("height.png")
    if surface.regions.unobservable:
        write_regions(out / "regions.png", surface.regions.labels)
        run.files.append("regions.png")
    if options.gradients:
        pictures, limit = slope_pictures(surface.slopes)
        run.scales["slope_limit"] = limit
        run.files += write_pictures(out, pictures, {"slope_limit": limit})
    if options.curvature:
        position = None if relief.camera is None else relief.position()
        found = run.found
        maps = curvature(found.normals, found.valid, scale=relief.scale, position=position)
        run.files += write_curvature(out, maps, relief.unit)


def _write_mesh(path: Path, faces: int, run: _Run) -> dict[str, Any]:
    mesh = surface_mesh(run.relief, run.surface.regions.labels, faces=faces)
    return {
        "path": str(path),
        "vertices": len(mesh.vertices),
        "faces": len(mesh.faces),
        "every_nth_pixel": mesh.step,
        "unit": write_mesh(path, mesh, run.relief.unit),
    }


def _record(run: _Run, options: SurfaceOptions) -> dict[str, Any]:
    found, surface, relief = run.found, run.surface, run.relief
    height, width = surface.height.shape
    notes = [] if relief.unit == "mm" else ["no scale was given: lengths are in pixels"]
    if found.frame != "camera":
        notes.append(f"heights are along z of the frame of the {found.frame}")
    return {
        "schema": SCHEMA,
        "mvps": mvps.__version__,
        "inputs": _inputs(found, options),
        "convention": "x right, y up, z towards the camera; heights grow towards the camera",
        "size": {"width": width, "height": height},
        "valid": int(np.count_nonzero(surface.slopes.valid)),
        "steep": int(np.count_nonzero(surface.slopes.steep)),
        "method": surface.method,
        "method_reason": surface.reason,
        **relief.as_dict(),
        "figures": surface.figures | {"peak_memory_bytes": peak_memory()},
        "regions": surface.regions.as_dict(),
        "files": run.files,
        "scales": run.scales,
        "warnings": list(surface.warnings),
        "notes": [*notes, HIDDEN_STEPS],
    }


def _inputs(found: NormalMap, options: SurfaceOptions) -> list[dict[str, Any]]:
    paths = {"normals": found.path, "mask": options.mask, "camera": options.camera}
    return [
        {
            "role": role,
            "path": str(path),
            "bytes": path.stat().st_size,
            "digest": digest_file(path),
        }
        for role, path in paths.items()
        if path is not None
    ]


def peak_memory() -> int | None:
    """Largest resident bytes of this process so far; None where the system does not tell."""
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
