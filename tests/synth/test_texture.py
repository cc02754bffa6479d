"""Noise: its mean and deviation, its derivative, its period, and that it is smooth."""

from __future__ import annotations

import numpy as np
import pytest

from mvps.synth.renderer_ops import NumpyOps
from mvps.synth.renderer_surface import GRADIENT
from mvps.synth.texture import CELLS, TURN, lattice, noise

OPS = NumpyOps()
TABLE = OPS.table(lattice())


def _points(count: int, seed: int = 4) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-30, 30, (3, count))


def test_noise_has_mean_nought_and_deviation_one() -> None:
    value, gradient = noise(OPS, TABLE, _points(200_000))
    assert abs(value.mean()) < 0.02
    assert value.std() == pytest.approx(1.0, abs=0.03)
    # A tilt by relief / GRADIENT of the gradient then has the deviation that a grain states.
    assert np.abs(gradient.std(axis=1) / GRADIENT - 1).max() < 0.02


def test_the_gradient_is_the_derivative() -> None:
    points = _points(5000)
    _, gradient = noise(OPS, TABLE, points)
    for axis in range(3):
        step = np.zeros((3, 1))
        step[axis] = 1e-4
        slope = (noise(OPS, TABLE, points + step)[0] - noise(OPS, TABLE, points - step)[0]) / 2e-4
        assert np.abs(slope - gradient[axis]).max() < 5e-3 * gradient.std()


def test_noise_has_no_seams_and_repeats_only_beyond_its_block() -> None:
    """Along a line of 40 grains, no step is larger than the steepest slope allows."""
    line = np.linspace(-20, 20, 40_001)
    value, gradient = noise(OPS, TABLE, np.outer([0.5, 0.6, 0.62], line))
    assert np.abs(np.diff(value)).max() < 1e-3 * np.abs(gradient).sum(axis=0).max() * 1.1
    turned = np.array(TURN)
    assert np.abs(turned @ turned.T - np.eye(3)).max() < 1e-6
    again, _ = noise(OPS, TABLE, np.outer([0.5, 0.6, 0.62], line) + CELLS / 2)
    assert abs(np.corrcoef(value, again)[0, 1]) < 0.3


def test_noise_is_the_same_on_every_machine() -> None:
    """The first numbers of the lattice, as PCG64 with seed 20 gives them everywhere."""
    expected = np.sqrt(12.0) * (np.random.Generator(np.random.PCG64(20)).random(4) - 0.5)
    assert np.allclose(lattice()[:4], expected)
    assert lattice().std() == pytest.approx(1.0, abs=0.01)
