"""The sensor against its own formulas: noise of photons and reading, steps, clipping, fall-off."""

from __future__ import annotations

import math

import numpy as np
import pytest

from mvps.errors import InputError
from mvps.synth.sensor import Sensor, expose, exposure_for, fall_off, radiance_of


@pytest.mark.parametrize(("bits", "kind"), [(8, np.uint8), (12, np.uint16), (16, np.uint16)])
def test_without_noise_the_inverse_is_exact_to_half_a_number(bits: int, kind: type) -> None:
    sensor = Sensor(bits, black_level_dn=10, gain=2.0, vignetting=0.4, exposure=0.3)
    radiance = np.random.default_rng(1).uniform(0, 1.6, (40, 50, 3)).astype(np.float32)
    pixels = expose(radiance, sensor)
    assert pixels.dtype == kind and pixels.max() <= 2**bits - 1 and pixels.min() >= 10
    apart = np.abs(radiance_of(pixels, sensor) - radiance) * fall_off(radiance.shape, 0.4)
    # Float32 adds a little to the rounding of 16 bits.
    assert apart.max() * sensor.scale < 0.5 + 2e-2


def test_noise_has_the_variance_of_photons_and_of_reading() -> None:
    """Variance in electrons: the signal's own number plus the square of the read noise."""
    sensor = Sensor(
        16, full_well_e=5000, read_noise_e=8, black_level_dn=500, gain=1.5, exposure=0.4
    )
    rng = np.random.default_rng(2)
    for radiance in (0.02, 0.5, 1.2):
        pixels = expose(np.full((300, 300), radiance, np.float32), sensor, rng)
        electrons = (pixels - 500.0) / (65535 - 500) / 1.5 * 5000
        mean = radiance * 0.4 * 5000
        variance = mean + 64 + (5000 / 1.5 / 65035) ** 2 / 12
        # 90,000 pixels know a mean to deviation / 300 and a variance to 0.5%: four of these.
        assert electrons.mean() == pytest.approx(mean, abs=4 * math.sqrt(variance) / 300)
        assert electrons.var() == pytest.approx(variance, rel=0.02)


def test_the_full_well_clips_before_the_largest_number_where_gain_is_low() -> None:
    bright = np.full((4, 4), 9.0, np.float32)
    assert (expose(bright, Sensor(12, gain=0.5)) == round(4095 * 0.5)).all()
    assert (expose(bright, Sensor(12, gain=2.0)) == 4095).all()


def test_an_infinite_full_well_has_no_noise() -> None:
    sensor = Sensor(16, full_well_e=math.inf, read_noise_e=0.0)
    radiance = np.linspace(0, 1, 64, dtype=np.float32).reshape(8, 8)
    noisy = expose(radiance, sensor, np.random.default_rng(0))
    assert np.array_equal(noisy, expose(radiance, sensor))
    assert np.array_equal(noisy, np.rint(radiance * 65535).astype(np.uint16))


def test_vignetting_is_one_in_the_middle_and_a_quarter_in_the_corners_at_full_strength() -> None:
    factor = fall_off((41, 61), 1.0)
    assert factor[20, 30] == 1.0
    assert factor[0, 0] == pytest.approx(0.25)  # cos^4 of 45 degrees
    assert fall_off((41, 61, 3), 0.2)[-1, -1, 0] == pytest.approx(0.85)


def test_one_exposure_serves_all_lights_of_a_view() -> None:
    stack = np.linspace(0, 4, 10_000, dtype=np.float32).reshape(4, 50, 50)
    assert np.percentile(stack, 99.7) * exposure_for(stack) == pytest.approx(0.85)
    assert exposure_for(np.zeros((2, 3, 3))) == 1.0


def test_a_seed_gives_the_same_noise() -> None:
    radiance = np.full((20, 20), 0.3, np.float32)
    a, b, c = (expose(radiance, Sensor(), np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert a.tobytes() == b.tobytes() != c.tobytes()


@pytest.mark.parametrize(
    "wrong",
    [
        {"bits": 10},
        {"black_level_dn": -1},
        {"bits": 8, "black_level_dn": 255},
        {"gain": 0},
        {"exposure": math.nan},
        {"full_well_e": -5},
        {"read_noise_e": -1},
        {"vignetting": 1.5},
    ],
)
def test_senseless_sensors_are_refused(wrong: dict) -> None:
    with pytest.raises(InputError, match="sensor"):
        Sensor(**wrong)
