"""A camera's lens and sensor: photons to digital numbers, and back.

The linear model of EMVA 1288 (release 4.0): shot noise of Poisson, read noise of Gauss, black
level, gain, and a quantiser. The point spread is Gaussian; vignetting follows the cos^4 law in a
chosen strength.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mvps.errors import InputError

BITS = (8, 12, 16)
MAX_PSF_PX = 8.0
PSF_REACH = 4.0  # deviations of the point spread; 6e-5 of the light falls beyond


@dataclass(frozen=True)
class Sensor:
    """What makes digital numbers of radiance.

    Attributes
    ----------
    bits : 8, 12 (in 16-bit containers, white at 4095) or 16
    full_well_e : electrons at full scale with gain 1; infinite for no noise at all
    read_noise_e : electrons, standard deviation
    black_level_dn : digital number of darkness
    gain : what electrons are multiplied by before they are digitised; full scale is then reached
        at full_well_e / gain
    psf_px : deviation of the lens's Gaussian point spread, pixels; 0 for none
    vignetting : 0 to 1, the share of cos^4 fall-off: corners get 1 - 0.75 of it
    exposure : radiance 1 fills this share of the full well
    """

    bits: int = 16
    full_well_e: float = 10_000.0
    read_noise_e: float = 2.5
    black_level_dn: float = 0.0
    gain: float = 1.0
    psf_px: float = 0.0
    vignetting: float = 0.0
    exposure: float = 1.0

    def __post_init__(self) -> None:
        if self.bits not in BITS:
            raise InputError("sensor", f"{self.bits} bits", "use 8, 12 or 16")
        if not 0 <= self.black_level_dn < self.white:
            what = f"a black level of {self.black_level_dn:g} is not in 0 to {self.white:g}"
            raise InputError("sensor", what)
        positive = (self.full_well_e, self.gain, self.exposure)
        if not all(value > 0 for value in positive) or not math.isfinite(self.gain * self.exposure):
            raise InputError("sensor", "full well, gain and exposure are positive numbers")
        if not self.read_noise_e >= 0 or not 0 <= self.vignetting <= 1:
            raise InputError("sensor", "read noise is not negative, vignetting lies in 0 to 1")
        if not 0 <= self.psf_px <= MAX_PSF_PX:
            what = f"a point spread of {self.psf_px:g} px is not in 0 to {MAX_PSF_PX:g}"
            raise InputError("sensor", what)

    @property
    def white(self) -> float:
        """Largest digital number."""
        return 2.0**self.bits - 1

    @property
    def scale(self) -> float:
        """Digital numbers above black that radiance 1 gives, where there is no vignetting."""
        return (self.white - self.black_level_dn) * self.gain * self.exposure


def expose(
    radiance: NDArray[Any], sensor: Sensor, rng: np.random.Generator | None = None
) -> NDArray[Any]:
    """Photograph of radiance.

    Parameters
    ----------
    radiance : (H, W) or (H, W, 3), linear, not negative
    rng : of shot and read noise; None for neither

    Returns
    -------
    pixels : same shape, uint8 or uint16: round(black + scale * fall-off * radiance + noise) of the
        radiance after the point spread, clipped to 0 and white; the full well clips before that
    """
    arriving = spread(radiance, sensor.psf_px)
    share = arriving * np.float32(sensor.exposure) * fall_off(radiance.shape, sensor.vignetting)
    if rng is not None and math.isfinite(sensor.full_well_e):
        electrons = rng.poisson(share * sensor.full_well_e).astype(np.float32)
        electrons += rng.standard_normal(radiance.shape, np.float32) * sensor.read_noise_e
        share = electrons / np.float32(sensor.full_well_e)
    share = np.minimum(share, 1.0) * sensor.gain
    numbers = sensor.black_level_dn + (sensor.white - sensor.black_level_dn) * share
    kind = np.uint8 if sensor.bits == 8 else np.uint16
    return np.asarray(np.clip(np.rint(numbers), 0, sensor.white)).astype(kind)


def radiance_of(pixels: NDArray[Any], sensor: Sensor) -> NDArray[np.float32]:
    """Inverse of :func:`expose`: exact to half a digital number where nothing is clipped.

    Exposure, black level and fall-off are inverted; the point spread is not.
    """
    share = (pixels.astype(np.float64) - sensor.black_level_dn) / sensor.scale
    return np.asarray(share / fall_off(pixels.shape, sensor.vignetting), np.float32)


def exposure_for(images: NDArray[Any], level: float = 0.85, percent: float = 99.7) -> float:
    """Exposure that puts the given percentile of a whole stack at ``level`` of full scale.

    One factor for all lights of a view, so that their ratios stay; 1 for a stack that is black.
    """
    bright = float(np.percentile(images, percent))
    return level / bright if bright > 0 else 1.0


def spread(radiance: NDArray[Any], psf_px: float) -> NDArray[Any]:
    """Radiance (H, W) or (H, W, 3) float32 after a point spread, mirrored at the borders."""
    if not psf_px:
        return radiance
    import cv2

    side = 2 * math.ceil(PSF_REACH * psf_px) + 1
    light = np.ascontiguousarray(radiance, np.float32)
    blurred = cv2.GaussianBlur(light, (side, side), psf_px, borderType=cv2.BORDER_REFLECT)
    return np.asarray(blurred)


def fall_off(shape: tuple[int, ...], strength: float) -> NDArray[np.float32]:
    """Vignetting of images (H, W[, C]), broadcastable to them: 1 in the middle.

    1 - strength + strength * cos^4 of an angle that grows to 45 degrees in the corners.
    """
    height, width = shape[:2]
    if not strength:
        return np.ones((1,) * len(shape), np.float32)
    y = np.arange(height) - (height - 1) / 2
    x = np.arange(width) - (width - 1) / 2
    square = (y * y)[:, None] + x * x
    cosine2 = 1 / (1 + square / max(float(square.max()), 1e-12))
    factor = (1 - strength + strength * cosine2**2).astype(np.float32)
    return factor.reshape(height, width, *(1,) * (len(shape) - 2))
