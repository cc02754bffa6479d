"""The sensor against its own formulas: noise of photons and reading, steps, clipping, fall-off."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from mvps.errors import InputError
from mvps.synth.sensor import Sensor, expose, exposure_for, fall_off, radiance_of, spread


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


def test_a_point_spreads_as_a_gaussian_and_loses_no_light() -> None:
    """Moments of the picture of one point: no shift, the deviation asked for, its whole light."""
    point = np.zeros((41, 41), np.float32)
    point[20, 20] = 1.0
    y, x = np.mgrid[:41, :41] - 20
    # Taken at whole pixels, a Gauss of 0.55 has 6% less variance, one of 1 or more all of it.
    for sigma, least in ((0.55, 0.93), (1.0, 0.99), (2.5, 0.99)):
        image = spread(point, sigma).astype(np.float64)
        assert image.sum() == pytest.approx(1.0, abs=1e-5)
        assert (image * x).sum() == pytest.approx(0, abs=1e-6)
        for axis in (x, y):
            assert least < (image * axis * axis).sum() / sigma**2 <= 1.0 + 1e-4


def test_the_point_spread_is_that_of_scipy_with_mirrored_borders() -> None:
    filters = pytest.importorskip("scipy.ndimage")
    radiance = np.random.default_rng(4).uniform(0, 1, (37, 29, 3)).astype(np.float32)
    expected = filters.gaussian_filter(radiance, (0.7, 0.7, 0), mode="reflect", truncate=4.0)
    assert np.abs(spread(radiance, 0.7) - expected).max() < 1e-6
    flat = np.full((9, 9), 0.4, np.float32)
    assert np.allclose(spread(flat, 0.55), 0.4, atol=1e-6)
    assert spread(radiance, 0.0) is radiance


def test_light_spreads_before_it_is_counted() -> None:
    """Shot noise is that of the blurred light, and no neighbours share it."""
    half = np.zeros((200, 200), np.float32)
    half[:, 100:] = 1.0
    sensor = Sensor(16, full_well_e=1000, read_noise_e=0, psf_px=1.0)
    share = expose(half, sensor, np.random.default_rng(5)) / 65535
    still = expose(half, replace(sensor, full_well_e=math.inf)) / 65535
    assert still[0, 99] == pytest.approx(spread(half, 1.0)[0, 99], abs=1e-4)
    assert share[:, 99].var() == pytest.approx(still[0, 99] / 1000, rel=0.35)
    apart = share - still
    # 200 pairs of neighbours: a correlation of none within three deviations.
    assert abs(np.corrcoef(apart[:, 101], apart[:, 102])[0, 1]) < 3 / math.sqrt(200)


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
        {"psf_px": -0.1},
        {"psf_px": math.nan},
        {"psf_px": 40.0},
    ],
)
def test_senseless_sensors_are_refused(wrong: dict) -> None:
    with pytest.raises(InputError, match="sensor"):
        Sensor(**wrong)
