"""One view as the rig takes it: a raw stack, a diffuse picture, and the truth beside them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mvps.stereo.problem import LUMINANCE
from mvps.synth.renderer import Renderer
from mvps.synth.sensor import Sensor, expose, exposure_for
from mvps.synth.truth import Truth
from mvps.synth.views import View

WHITE_AT, SHARE = 0.85, 99.4  # of full scale: where that percentage of the samples of a stack end
PICTURE_AT = 0.75  # of full scale, linear: the same for the diffuse picture
PICTURE_BITS = 12  # of the camera that takes the diffuse picture


@dataclass(frozen=True)
class Exposure:
    """What radiance is multiplied by: one factor for all lights of a view, one for its picture."""

    stack: float
    picture: float


@dataclass(frozen=True)
class ShotSettings:
    """How views are rendered and exposed.

    Attributes
    ----------
    samples : rays a pixel
    sensor : of the raw stacks, but for the exposure
    colour : raw stacks in RGB, not grey
    interreflection : one bounce between surfaces
    """

    samples: int
    sensor: Sensor
    colour: bool = False
    interreflection: bool = False


@dataclass(frozen=True, eq=False)
class Shot:
    """Raw (K, H, W) or (K, H, W, 3), picture (H, W, 3) uint8 in sRGB, and the truth."""

    raw: NDArray[Any]
    picture: NDArray[np.uint8]
    truth: Truth


def take(
    renderer: Renderer,
    view: View,
    settings: ShotSettings,
    *,
    exposure: Exposure,
    truth: Truth,
    rng: np.random.Generator,
) -> Shot:
    """Render and expose one view, whose truth is known already."""
    stack = stack_radiance(renderer, view, settings)
    sensor = replace(settings.sensor, exposure=exposure.stack)
    raw = np.stack([expose(each, sensor, rng) for each in stack])
    eye = replace(settings.sensor, bits=PICTURE_BITS, exposure=exposure.picture)
    picture = expose(renderer.diffuse(view, settings.samples), eye, rng)
    return Shot(raw, encode(picture, eye), truth)


def stack_radiance(renderer: Renderer, view: View, settings: ShotSettings) -> NDArray[np.float32]:
    """Linear radiance (K, H, W[, 3]) of a view under each light."""
    radiance = renderer.light_images(
        view, samples=settings.samples, interreflection=settings.interreflection
    )
    return radiance if settings.colour else radiance @ np.array(LUMINANCE, np.float32)


def meter(renderer: Renderer, view: View, settings: ShotSettings) -> Exposure:
    """The exposure that a person would set for this view of this part, and then leave."""
    stack = stack_radiance(renderer, view, settings)
    picture = renderer.diffuse(view, settings.samples)
    return Exposure(exposure_for(stack, WHITE_AT, SHARE), exposure_for(picture, PICTURE_AT))


def encode(pixels: NDArray[Any], sensor: Sensor) -> NDArray[np.uint8]:
    """Linear samples of a sensor as 8 bits of sRGB (IEC 61966-2-1)."""
    black = np.float32(sensor.black_level_dn)
    linear = np.clip((pixels.astype(np.float32) - black) / (sensor.white - black), 0, 1)
    bent = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * np.power(linear, 1 / 2.4) - 0.055)
    return np.asarray((255 * bent).round(), np.uint8)
