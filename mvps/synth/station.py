"""A rig with a part before it, set up once: part, looks, views, sensor and exposures.

Whatever specimens follow, the cameras and the exposures stay, as they do on a line.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mvps.calib import Camera, published_cameras, read_cameras
from mvps.calib.geometry import pose, unproject
from mvps.calib.transforms import resize_camera
from mvps.errors import InputError
from mvps.lights import LightRig, read_lights
from mvps.lights.checks import check_lights
from mvps.synth.dataset_plan import DatasetOptions
from mvps.synth.defects import KINDS
from mvps.synth.mesh import Mesh
from mvps.synth.parts import Part
from mvps.synth.placing import Jitter
from mvps.synth.renderer import Renderer
from mvps.synth.renderer_light import lamp_rows
from mvps.synth.sensor import Sensor
from mvps.synth.shot import Exposure, ShotSettings, meter
from mvps.synth.subjects import find_part
from mvps.synth.views import (
    FIVE,
    FRAME,
    View,
    camera_in_world,
    five_views,
    ring,
    share_inside,
)
from mvps.yaml_nodes import did_you_mean

READ_NOISE_E = 6.0
# Of the lens of pictures with noise. Diffraction alone spreads light by 0.42 wavelengths times the
# f-number (Gauss fitted to Airy): 0.54 px at f/5.6 on pixels of 2.4 um, at f/8 on those of 3.45 um.
PSF_PX = 0.55
VIGNETTING = 0.1  # corners get 7.5% less, every light of a view alike, so normals keep their angles
METER_SIDE = 160  # px, the longest side of the pictures that set an exposure
METER_SAMPLES = 4


@dataclass(frozen=True, eq=False)
class Station:
    """A part before the rig.

    Attributes
    ----------
    name : what its pictures are called after
    part : in its own frame, upright
    views : cameras and lights
    settings : of every shot
    exposures : by the name of the view
    warnings : what checking the mesh and the views found, one line each
    """

    name: str
    part: Part
    views: tuple[View, ...]
    settings: ShotSettings
    exposures: Mapping[str, Exposure]
    warnings: tuple[str, ...] = ()


def make_sensor(
    bits: int,
    *,
    noise: bool,
    full_well: float,
    black_level: float = 0.0,
    psf_px: float | None = None,
    vignetting: float | None = None,
) -> Sensor:
    """The camera of the rig; without noise it counts endless electrons behind a perfect lens.

    Parameters
    ----------
    psf_px, vignetting : of the lens; None is that of the rig with noise, and 0 without
    """
    lens = (PSF_PX, VIGNETTING) if noise else (0.0, 0.0)
    return Sensor(
        bits=bits,
        full_well_e=full_well if noise else math.inf,
        read_noise_e=READ_NOISE_E if noise else 0.0,
        black_level_dn=black_level,
        psf_px=lens[0] if psf_px is None else psf_px,
        vignetting=lens[1] if vignetting is None else vignetting,
    )


@lru_cache(maxsize=4)
def station_of(category: str, options: DatasetOptions) -> Station:
    """The station of one category of a data set, its exposures not set yet.

    Raises
    ------
    InputError
        An unknown part, a mesh that cannot be rendered, or lights that cannot be used.
    """
    subject = find_part(category)
    lights = lights_of(options.lights, options.light_file)
    if lights.positions is not None and options.normals == "solved":
        what = "holds near lights, whose normals need a distance"
        raise InputError(options.light_file, what, "take --normals truth, or solve --raw stacks")
    views = views_of(subject.part, FIVE[: options.views], (options.width, options.height), lights)
    sensor = make_sensor(
        options.bits,
        noise=options.noise,
        full_well=options.full_well,
        psf_px=options.psf,
        vignetting=options.vignetting,
    )
    settings = ShotSettings(options.samples, sensor, interreflection=options.interreflection)
    warnings = (*subject.warnings, *below_horizon(views))
    return Station(subject.name, subject.part, views, settings, {}, warnings)


def with_exposures(station: Station, renderers: Iterable[Renderer]) -> Station:
    """The station with exposures under which the part is not too bright in any of several poses."""
    settings = replace(station.settings, samples=METER_SAMPLES)
    found: dict[str, Exposure] = {}
    for renderer in renderers:
        for view in station.views:
            each = meter(renderer, _small(view), settings)
            least = found.get(view.name, each)
            found[view.name] = Exposure(
                min(each.stack, least.stack), min(each.picture, least.picture)
            )
    return replace(station, exposures=found)


def check_kinds(part: Part, wanted: Sequence[str] = ()) -> tuple[str, ...]:
    """Kinds of defects that suit a part, of those that are wanted (all when none are named).

    Raises
    ------
    InputError
        There is no such kind.
    """
    for kind in wanted:
        if kind not in KINDS:
            raise InputError("--defects", f"unknown kind {kind!r}", did_you_mean(kind, KINDS))
    return tuple(kind for kind in (wanted or KINDS) if kind != "bent_pin" or part.pins)


def lights_of(count: int, file: str) -> LightRig:
    """The lights of a file, or a ring of a number of them.

    Raises
    ------
    InputError
        The file cannot be read, or no normals can be solved under its lights.
    """
    if not file:
        return ring(count)
    rig = read_lights(Path(file))
    fault = next((f for f in check_lights(rig, where=file) if f.level == "error"), None)
    if fault is not None:
        raise InputError("--lights", fault.message, "mvps lights check says more")
    return rig


def views_of(
    part: Part, names: Sequence[str], size: tuple[int, int] | None, lights: LightRig
) -> tuple[View, ...]:
    """Views by their names: of the five, the published cameras, or of a calibration file.

    Parameters
    ----------
    names : "five", names of the five, names of published cameras, or paths
    size : (width, height); None is 512x512 for the five and the camera's own for others
    """
    views: list[View] = []
    low, high = part.mesh.vertices.min(axis=0), part.mesh.vertices.max(axis=0)
    span = float(np.linalg.norm(high - low)) + 2 * Jitter().shift_mm
    five = five_views(
        span, size or (512, 512), lights=lights, centre_height_mm=float(high[2] - low[2]) / 2
    )
    own = {view.name: view for view in five}
    for name in names:
        if name == "five":
            views += five
        elif name in own:
            views.append(own[name])
        else:
            views += _camera_views(name, size, lights)
    repeated = {view.name for view in views if sum(v.name == view.name for v in views) > 1}
    if repeated or not views:
        what = f"names the view {min(repeated)!r} twice" if repeated else "names no view"
        raise InputError("--views", what, "e.g. five")
    return tuple(views)


def aim(views: Sequence[View]) -> tuple[float, float]:
    """Where on the plate (x, y in mm) the part is to stand, so that all views look at it.

    The views of the rig in software look at the origin; others are asked what the middle of their
    picture shows of the plate.
    """
    foreign = [view.camera for view in views if view.camera.frame_id != FRAME]
    if not foreign:
        return 0.0, 0.0
    places = []
    for camera in foreign:
        width, height = camera.image_size
        rays, _ = unproject(camera, np.array([[(width - 1) / 2, (height - 1) / 2]]))
        rotation, _ = pose(camera)
        ray, centre = rays[0] @ rotation, camera.centre()
        if ray[2] < 0:
            places.append(centre[:2] - centre[2] / ray[2] * ray[:2])
    if not places:
        raise InputError("--views", "no camera looks at the plate", "check the calibration")
    x, y = np.mean(places, axis=0)
    return float(x), float(y)


def _camera_views(name: str, size: tuple[int, int] | None, lights: LightRig) -> list[View]:
    published = published_cameras()
    path = published.get(name, Path(name))
    if not path.exists():
        known = (*FIVE, "five", *published)
        raise InputError("--views", f"{name!r} is no view and no file", did_you_mean(name, known))
    found = []
    for number, camera in enumerate(read_cameras(path), 1):
        label = name if name in published else camera.name or f"{path.stem}_{number}"
        placed = replace(camera_in_world(camera), name=label)
        found.append(View(label, placed if size is None else _resized(placed, size), lights))
    return found


def _resized(camera: Camera, size: tuple[int, int]) -> Camera:
    """The camera for pictures of another size and the same shape."""
    width, height = camera.image_size
    fitting = size[0], max(round(size[0] * height / width), 1)
    if abs(fitting[1] - size[1]) > 1:
        what = f"{size[0]}x{size[1]} has another shape than {camera.name}, {width}x{height}"
        raise InputError("--size", what, f"{fitting[0]}x{fitting[1]} fits")
    return resize_camera(camera, size)


def cut_off(views: Sequence[View], part: Mesh) -> tuple[str, ...]:
    """A line for each view whose picture does not hold the whole part."""
    lines = []
    for view in views:
        share = share_inside(view.camera, part.vertices)
        if share < 1:
            lines.append(
                f"view {view.name}: {1 - share:.0%} of the part's corners lie outside the picture; "
                "take a smaller part or another camera"
            )
    return tuple(lines)


def below_horizon(views: Sequence[View], *, plate: bool = True) -> tuple[str, ...]:
    """A line where lights stand behind what a camera sees, and one where the plate hides them.

    Parameters
    ----------
    plate : there is one, so that lamps below it light nothing
    """
    behind = {view.name: _numbers(view.lights.directions[:, 2] <= 0) for view in views}
    world = {view.name: lamp_rows(view.lights, view.camera)[:, 2] for view in views if plate}
    below = {name: _numbers(height <= 0) for name, height in world.items()}
    lines = []
    for found, what in (
        (behind, "behind the part as the camera sees it (z <= 0; check the convention)"),
        (below, "below the plate, which light nothing"),
    ):
        named = "; ".join(f"{name} {numbers}" for name, numbers in found.items() if numbers)
        if named:
            lines.append(f"lights {what}: {named}")
    return tuple(lines)


def _numbers(chosen: NDArray[np.bool_]) -> str:
    """``L02, L05`` of lamps (K,)."""
    return ", ".join(f"L{number:02d}" for number in np.flatnonzero(chosen) + 1)


def _small(view: View) -> View:
    """The same view in a picture small enough to set an exposure by."""
    width, height = view.camera.image_size
    share = METER_SIDE / max(width, height)
    if share >= 1:
        return view
    size = (max(1, round(width * share)), max(1, round(height * share)))
    return replace(view, camera=resize_camera(view.camera, size, allow_aspect=True))
