"""The compiled core at the size of the rig's cameras: every pixel beside the float64 definition."""

from __future__ import annotations

import numpy as np
import pytest
from rendered import make_rig

from mvps.stereo import StripOut, get_backend, prepare
from mvps.stereo.reference import ReferenceBackend

HEIGHT, WIDTH = 3648, 5472
BAND = 152  # rows rendered and judged at a time


def render_band(directions: np.ndarray, y0: int, rows: int, out: np.ndarray) -> None:
    """A plate of hemispherical bumps with a stained albedo: shaded, shadowed, noisy, 16 bit."""
    rng = np.random.default_rng(y0)
    y, x = np.mgrid[y0 : y0 + rows, 0:WIDTH].astype(np.float32)
    u, v = (x % 300) / 130 - 1.15, (y % 300) / 130 - 1.15
    inside = u * u + v * v < 0.8
    nx, ny = np.where(inside, u, 0.05 * np.sin(x / 40)), np.where(inside, -v, 0.05)
    nz = np.sqrt(1 - nx * nx - ny * ny)
    albedo = 30000 * (1 + 0.6 * np.sin(x / 170) * np.cos(y / 230))
    noise = rng.normal(0, 60, (rows, WIDTH)).astype(np.float32)
    for k, (lx, ly, lz) in enumerate(directions.astype(np.float32)):
        shade = np.maximum(lx * nx + ly * ny + lz * nz, 0) * albedo + np.roll(noise, 7 * k, axis=1)
        out[k] = np.clip(shade, 0, 65535)


def judge(rig, samples: np.ndarray, rows_a_band: int, tolerance: float) -> None:
    """One call of the core for the whole stack, then band by band beside the definition."""
    white = float(np.iinfo(samples.dtype).max)
    problem = prepare(rig, channels=1, dtype=samples.dtype, white=white)
    flat = samples.reshape(len(samples), -1)
    out = StripOut.empty(flat.shape[1], problem, quality=False)
    get_backend("cpu").solve_strip(problem, flat, None, out)
    step = rows_a_band * WIDTH
    right = StripOut.empty(step, problem, quality=False)
    for start in range(0, flat.shape[1], step):
        ReferenceBackend().solve_strip(problem, flat[:, start : start + step], None, right)
        part = out.part(start, start + step)
        np.testing.assert_array_equal(part.valid, right.valid)
        assert np.abs(part.normals - right.normals).max() < tolerance
        assert np.abs(part.albedo - right.albedo).max() < tolerance


@pytest.fixture(scope="module")
def stack():
    rig = make_rig(16, 1, np.random.default_rng(0))
    samples = np.empty((16, HEIGHT, WIDTH), np.uint16)
    for y0 in range(0, HEIGHT, BAND):
        render_band(rig.directions, y0, BAND, samples[:, y0 : y0 + BAND])
    return rig, samples


@pytest.mark.slow
@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("lights", [4, 8, 16])
def test_twenty_megapixels_agree_within_two_millionths(stack, lights, bits):
    rig, samples = stack
    samples = samples[:lights]
    if bits == 8:
        samples = (samples >> 8).astype(np.uint8)
    judge(rig.select(range(lights)), samples, BAND, 2e-6)


def test_ninety_six_lights_agree_within_ten_millionths():
    rig = make_rig(96, 1, np.random.default_rng(0))
    samples = np.empty((96, 40, WIDTH), np.uint16)
    render_band(rig.directions, 1000, 40, samples)
    judge(rig, samples, 40, 1e-5)
