"""One capture: a part before the rig, photographed once from every view, with the truth beside."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

import mvps
from mvps.errors import InputError
from mvps.files import make_folder, write_json
from mvps.synth.capture_files import write_rig, write_stack, write_truth
from mvps.synth.layout import TRUTH, rng_for, seed_for
from mvps.synth.placing import Placement
from mvps.synth.sample import check_shot
from mvps.synth.sensor import MAX_PSF_PX
from mvps.synth.shot import ShotSettings, take
from mvps.synth.specimen import Specimen, build_specimen, draw_defects
from mvps.synth.station import (
    Station,
    aim,
    below_horizon,
    check_kinds,
    cut_off,
    lights_of,
    make_sensor,
    views_of,
    with_exposures,
)
from mvps.synth.subjects import find_part
from mvps.synth.views import check_view

RECORD = "capture.json"


@dataclass(frozen=True)
class CaptureOptions:
    """Everything that makes a capture.

    Attributes
    ----------
    part : of the catalogue, a shape, or a mesh file
    views : "five", names of the five, "cam1" to "cam4", or calibration files
    lights, light_file : number of lights in a ring, or a file in its place
    width, height : of a picture, px; 0 for 512, or the camera's own
    samples : rays a pixel
    bits, noise, full_well, black_level, colour : of the sensor of the raw stacks
    psf, vignetting : of the lens; None is that of the rig with noise, and 0 without
    interreflection : one bounce between surfaces
    defects : kinds to put on the part
    material : preset for the whole part, or empty
    units : of a mesh file
    turn : degrees about the plumb line
    ground : a plate below the part
    seed : of everything random
    """

    part: str
    views: tuple[str, ...] = ("five",)
    lights: int = 4
    light_file: str = ""
    width: int = 0
    height: int = 0
    samples: int = 16
    bits: int = 12
    noise: bool = True
    full_well: float = 10_500.0
    black_level: float = 0.0
    psf: float | None = None
    vignetting: float | None = None
    colour: bool = False
    interreflection: bool = False
    defects: tuple[str, ...] = ()
    material: str = ""
    units: str = "auto"
    turn: float = 0.0
    ground: bool = True
    seed: int = 0

    @property
    def size(self) -> tuple[int, int] | None:
        """(width, height) px where one was asked for."""
        return (self.width, self.height) if self.width or self.height else None

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        return asdict(self) | {"views": list(self.views), "defects": list(self.defects)}


@dataclass(frozen=True, eq=False)
class CapturePlan:
    """A checked capture: nothing is written yet, every picture can be rendered."""

    out: Path
    options: CaptureOptions
    station: Station
    specimen: Specimen

    @property
    def warnings(self) -> tuple[str, ...]:
        """What checking found, one line each."""
        return self.station.warnings


@dataclass(frozen=True)
class Captured:
    """What was written: names of views, lights a view, and faults of exposure, one line each."""

    out: Path
    views: tuple[str, ...]
    lights: int
    defects: tuple[dict[str, Any], ...]
    faults: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        return {**vars(self), "out": str(self.out), "views": list(self.views)}


def plan_capture(out: Path, options: CaptureOptions) -> CapturePlan:
    """Check everything and build the scene.

    Raises
    ------
    InputError
        An unknown part, view, light, kind or material, a mesh that cannot be rendered, a defect
        that the part has no place for, a camera that does not see the part, or a folder that holds
        another capture.
    """
    _check_numbers(options)
    subject = find_part(options.part, units=options.units, material=options.material)
    if set(options.defects) - set(check_kinds(subject.part, options.defects)):
        raise InputError("--defect", f"{subject.name} has no pins to bend", "take another kind")
    _check_folder(out, options)
    views = views_of(
        subject.part, options.views, options.size, lights_of(options.lights, options.light_file)
    )
    sensor = make_sensor(
        options.bits,
        noise=options.noise,
        full_well=options.full_well,
        black_level=options.black_level,
        psf_px=options.psf,
        vignetting=options.vignetting,
    )
    settings = ShotSettings(options.samples, sensor, options.colour, options.interreflection)
    station = Station(subject.name, subject.part, views, settings, {}, subject.warnings)
    specimen = build_specimen(
        subject.part,
        Placement(rotation_deg=options.turn, shift_mm=aim(views)),
        draw_defects(subject.part, options.defects, rng_for(options.seed, "defects")),
        seed=seed_for(options.seed, subject.name),
        ground="plate" if options.ground else "none",
    )
    for view in views:
        check_view(view, specimen.renderer.scene.part)
    warnings = (
        *station.warnings,
        *below_horizon(views, plate=options.ground),
        *cut_off(views, specimen.renderer.scene.part),
    )
    return CapturePlan(out, options, replace(station, warnings=warnings), specimen)


def write_capture(plan: CapturePlan, progress: Callable[[], None] = lambda: None) -> Captured:
    """Render and write every view, then what made it.

    Parameters
    ----------
    progress : called after every view

    Raises
    ------
    MvpsError
        A file cannot be written.
    """
    out, options = plan.out, plan.options
    station = with_exposures(plan.station, [plan.specimen.renderer])
    make_folder(out)
    # From here on the folder is known as this capture's, should writing stop half-way.
    write_json(out / RECORD, {"options": options.as_dict(), "views": {}})
    write_rig(out, station.views, station.settings.sensor, sample=False)
    views: dict[str, Any] = {}
    for view in station.views:
        rng = rng_for(options.seed, "photograph", view.name)
        exposure = station.exposures[view.name]
        renderer = plan.specimen.renderer
        truth = renderer.truth(view)
        shot = take(renderer, view, station.settings, exposure=exposure, truth=truth, rng=rng)
        mask = plan.specimen.mask(view, options.samples) if options.defects else None
        write_stack(out / view.name, shot)
        write_truth(out / TRUTH / view.name, truth, mask)
        views[view.name] = {
            "exposure": {"stack": exposure.stack, "picture": exposure.picture},
            "part_pixels": int(truth.part.sum()),
            "mask_pixels": 0 if mask is None else int(np.count_nonzero(mask)),
            **check_shot(shot, station),
        }
        progress()
    defects = tuple(defect.as_dict() for defect in plan.specimen.defects)
    record = {
        "version": mvps.__version__,
        "options": options.as_dict(),
        "sensor": {
            key: value if math.isfinite(value) else None
            for key, value in asdict(station.settings.sensor).items()
        },
        "placement": plan.specimen.placement,
        "defects": list(defects),
        "views": views,
    }
    write_json(out / RECORD, record)
    faults = tuple(f"{name}: {fault}" for name, v in views.items() for fault in v["faults"])
    return Captured(out, tuple(views), len(station.views[0].lights), defects, faults)


def _check_numbers(options: CaptureOptions) -> None:
    sides = options.size or (512, 512)
    ranges = (
        ("--size", sides[0], 16, 8192),
        ("--size", sides[1], 16, 8192),
        ("--lights", 4 if options.light_file else options.lights, 3, 128),
        ("--samples", options.samples, 1, 4096),
        ("--full-well", options.full_well, 100, 1e9),
        ("--psf", options.psf or 0, 0, MAX_PSF_PX),
        ("--vignetting", options.vignetting or 0, 0, 0.9),
        ("--seed", options.seed, 0, 2**53),
    )
    for option, value, low, high in ranges:
        if not low <= value <= high:
            raise InputError(option, f"{value} is outside {low:.16g} to {high:.16g}")


def _check_folder(out: Path, options: CaptureOptions) -> None:
    """Refuse a folder of something else; one of the same capture is written again."""
    import json

    from mvps.files import read_text

    if out.exists() and not out.is_dir():
        raise InputError(out, "is a file", "name a folder")
    if not out.is_dir() or not any(out.iterdir()):
        return
    if not (out / RECORD).is_file():
        raise InputError(out, f"holds files, but no {RECORD}", "name an empty folder")
    try:
        before = json.loads(read_text(out / RECORD))["options"]
    except (ValueError, KeyError, TypeError):
        raise InputError(out / RECORD, "is not the record of a capture", "name another") from None
    ours = options.as_dict()
    if before != ours:
        key = next((key for key in ours if before.get(key) != ours[key]), "options")
        what = f"was rendered with {key} {before.get(key)!r}, not {ours[key]!r}"
        raise InputError(out, what, "name another folder")
