"""Planning a rig: what angular error to expect, and how clearly a defect stands out of the noise.

Each rig is rendered, exposed and solved as a real one would be (Woodham 1980), with lights whose
directions are known only so well, and compared with the truth over the part.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mvps.errors import InputError
from mvps.lights import LightRig, from_directions
from mvps.stereo import solve
from mvps.stereo.evaluate import angular_error, known
from mvps.synth.layout import rng_for
from mvps.synth.renderer import Renderer
from mvps.synth.sensor import Sensor, expose, exposure_for, spread
from mvps.synth.shot import SHARE, WHITE_AT, ShotSettings, stack_radiance
from mvps.synth.views import View, ring

TRIALS = 10  # sets of lights in which each is wrong anew
FEWEST_PIXELS = 20  # of a defect whose visibility is stated

Normals = NDArray[np.float32]


@dataclass(frozen=True)
class SweepOptions:
    """What is tried.

    Attributes
    ----------
    lights : numbers of lights in the ring
    elevations : degrees of the lights above the plane of the picture; 90 is along the axis
    light_errors : degrees by which the directions are wrong (root mean square)
    solver : as ``mvps normals`` takes it
    """

    lights: tuple[int, ...] = (3, 4, 6, 8, 12)
    elevations: tuple[float, ...] = (30.0, 45.0, 60.0)
    light_errors: tuple[float, ...] = (0.0, 0.5, 1.0, 2.0)
    solver: str = "ls"
    seed: int = 0

    def __post_init__(self) -> None:
        for option, values, low, high in (
            ("--lights", self.lights, 3, 128),
            ("--elevation", self.elevations, 5, 85),
            ("--light-error", self.light_errors, 0, 20),
        ):
            if not values or len(set(values)) < len(values):
                raise InputError(option, "names nothing, or something twice")
            for value in values:
                if not low <= value <= high:
                    raise InputError(option, f"{value:g} is outside {low} to {high}")


@dataclass(frozen=True)
class SweepRow:
    """What one rig gives.

    Attributes
    ----------
    lights, elevation, light_error : the rig, degrees
    mean, median, p95 : angular error over the part, degrees
    noise : root mean square angle by which sensor noise turns normals of the part, degrees
    contrast : root mean square angle between normals with and without the defect, over its mask,
        free of noise, degrees; None without a defect
    visibility : contrast over the noise in the same mask; 1 is a defect as strong as the noise of
        one pixel
    """

    lights: int
    elevation: float
    light_error: float
    mean: float
    median: float
    p95: float
    noise: float
    contrast: float | None = None
    visibility: float | None = None

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        rounded = {k: round(v, 4) if isinstance(v, float) else v for k, v in asdict(self).items()}
        return rounded


@dataclass(frozen=True, eq=False)
class SweepScene:
    """What is looked at: a view, the sound part, and the part with a defect and its mask (H, W)."""

    view: View
    sound: Renderer
    settings: ShotSettings
    damaged: Renderer | None = None
    mask: NDArray[np.bool_] | None = None


def rigs_of(options: SweepOptions) -> Iterator[tuple[int, float]]:
    """Numbers and elevations of lights, in the order of the table."""
    for elevation in options.elevations:
        for count in options.lights:
            yield count, elevation


def sweep(
    scene: SweepScene, options: SweepOptions, progress: Callable[[], None] = lambda: None
) -> tuple[SweepRow, ...]:
    """A row for each number, elevation and error of lights.

    Parameters
    ----------
    progress : called after every rig, see `rigs_of`

    Raises
    ------
    InputError
        The camera does not see the part.
    """
    truth = scene.sound.truth(scene.view)
    rows: list[SweepRow] = []
    for count, elevation in rigs_of(options):
        rig = ring(count, slant_deg=90 - elevation)
        rows += _rows(scene, options, rig, elevation, truth.normals * truth.part[..., None])
        progress()
    return tuple(rows)


def wrong_lights(rig: LightRig, degrees: float, rng: np.random.Generator) -> LightRig:
    """The rig with every direction turned, at random, by ``degrees`` root mean square."""
    if not degrees:
        return rig
    push = rng.normal(0, math.radians(degrees) / math.sqrt(2), (len(rig), 3))
    directions = rig.directions
    push -= directions * (push * directions).sum(axis=1, keepdims=True)
    # What is left has two components across the direction, of that deviation each.
    length = np.linalg.norm(push, axis=1, keepdims=True)
    turned = directions * np.cos(length) + push * np.sinc(length / math.pi)
    return from_directions(turned, rig.intensities)


@dataclass(frozen=True, eq=False)
class _Photographs:
    """Stacks (K, H, W) of one rig, 1 at full scale: without noise and with, sound and damaged."""

    still: NDArray[np.float32]
    noisy: NDArray[np.float32]
    marred: NDArray[np.float32] | None = None
    marred_noisy: NDArray[np.float32] | None = None


@dataclass(frozen=True)
class _Trial:
    """One set of lights: errors over the part, and the figures of a row, all in degrees."""

    errors: NDArray[np.float32]
    noise: float
    contrast: float = 0.0
    blur: float = 0.0


def _rows(
    scene: SweepScene,
    options: SweepOptions,
    rig: LightRig,
    elevation: float,
    truth: Normals,
) -> Iterator[SweepRow]:
    words = (options.seed, len(rig), elevation)
    taken = _photograph(scene, rig, rng_for(*words, "photograph"))
    for error in options.light_errors:
        rigs = [
            wrong_lights(rig, error, rng_for(*words, error, trial))
            for trial in range(TRIALS if error else 1)
        ]
        trials = [_try(scene, options.solver, taken, lights, truth) for lights in rigs]
        errors = np.concatenate([trial.errors for trial in trials])
        contrast = float(np.mean([trial.contrast for trial in trials]))
        blur = float(np.mean([trial.blur for trial in trials]))
        yield SweepRow(
            lights=len(rig),
            elevation=elevation,
            light_error=error,
            mean=float(errors.mean()),
            median=float(np.median(errors)),
            p95=float(np.percentile(errors, 95)),
            noise=float(np.mean([trial.noise for trial in trials])),
            contrast=contrast if taken.marred is not None else None,
            visibility=contrast / blur if blur > 0 else None,
        )


def _photograph(scene: SweepScene, rig: LightRig, rng: np.random.Generator) -> _Photographs:
    """What the camera sees under a rig; one exposure for the sound part and the damaged one."""
    view = replace(scene.view, lights=rig)
    sound = stack_radiance(scene.sound, view, scene.settings)
    gain = exposure_for(sound, WHITE_AT, SHARE)
    sensor = replace(scene.settings.sensor, exposure=gain)
    still, noisy = _still(sound, sensor), _photographed(sound, sensor, rng)
    if scene.damaged is None:
        return _Photographs(still, noisy)
    marred = stack_radiance(scene.damaged, view, scene.settings)
    return _Photographs(still, noisy, _still(marred, sensor), _photographed(marred, sensor, rng))


def _try(
    scene: SweepScene, solver: str, taken: _Photographs, lights: LightRig, truth: Normals
) -> _Trial:
    """Solve with lights as they are believed to be."""

    def solved(stack: NDArray[np.float32]) -> Normals:
        normals: Normals = solve(stack, lights, solver=solver, device="cpu").normals
        return normals

    still, noisy = solved(taken.still), solved(taken.noisy)
    errors = _finite(angular_error(noisy, truth))
    noise = _rms(angular_error(noisy, still, known(truth)))
    if taken.marred is None or taken.marred_noisy is None:
        return _Trial(errors, noise)
    marred, marred_noisy = solved(taken.marred), solved(taken.marred_noisy)
    contrast = _rms(angular_error(marred, still, scene.mask))
    return _Trial(errors, noise, contrast, _rms(angular_error(marred_noisy, marred, scene.mask)))


def _still(radiance: NDArray[np.float32], sensor: Sensor) -> NDArray[np.float32]:
    """What the same lens gives a sensor without noise or steps, 1 at full scale."""
    arriving = np.stack([spread(each, sensor.psf_px) for each in radiance])
    return np.asarray(np.minimum(arriving * sensor.exposure, 1), np.float32)


def _photographed(
    radiance: NDArray[np.float32], sensor: Sensor, rng: np.random.Generator
) -> NDArray[np.float32]:
    """What the sensor makes of a stack, 1 at full scale."""
    black = np.float32(sensor.black_level_dn)
    raw = np.stack([expose(each, sensor, rng) for each in radiance]).astype(np.float32)
    return np.asarray((raw - black) / np.float32(sensor.white - black), np.float32)


def _finite(values: NDArray[np.float32]) -> NDArray[np.float32]:
    return values[np.isfinite(values)]


def _rms(error: NDArray[np.float32]) -> float:
    inside = _finite(error).astype(np.float64)
    return math.sqrt(float((inside**2).mean())) if inside.size else 0.0
