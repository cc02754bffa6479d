"""Figures and picture of a list of lights."""

from __future__ import annotations

import numpy as np
import pytest
from scenes import ring

from mvps.errors import InputError
from mvps.lights import LightRig, from_directions
from mvps.lights.describe import describe, normal_noise
from mvps.lights.vectors import angles_from_directions, directions_from_angles


def test_the_noise_of_a_ring_is_that_of_its_geometry():
    # L'L of an even ring at slant s is diag(K/2 sin^2, K/2 sin^2, K cos^2), so that with equal
    # intensities C_xx + C_yy = 0.01^2 * 4 / (K sin^2 s).
    slant = np.radians(30)
    turn = np.arange(8) * np.pi / 4
    flat = np.sin(slant)
    lights = np.stack([flat * np.cos(turn), flat * np.sin(turn), np.full(8, np.cos(slant))], 1)

    expected = np.degrees(0.01 * 2 / (np.sqrt(8) * flat))

    assert normal_noise(from_directions(lights)) == pytest.approx(expected)


def test_the_noise_is_what_20000_noisy_pixels_show():
    rng = np.random.default_rng(3)
    strength = rng.uniform(0.4, 1.6, 7)
    rig = from_directions(ring(7), strength)
    albedo = 0.8
    signal = albedo * strength / strength.mean() * rig.directions[:, 2]

    noisy = signal + 0.01 * albedo * rng.standard_normal((20_000, 7))
    g = (noisy / (strength / strength.mean())) @ np.linalg.pinv(rig.directions).T
    angle = np.arctan2(np.hypot(g[:, 0], g[:, 1]), g[:, 2])

    # 20,000 pixels tell a standard deviation to 1/sqrt(2 * 20,000) = 0.5% and the two axes better.
    rms = np.degrees(np.sqrt(np.square(angle).mean()))
    assert normal_noise(rig) == pytest.approx(rms, rel=0.02)


def test_lights_in_one_plane_have_no_figures_of_noise():
    flat = from_directions([[0, 0, 1], [0.6, 0, 0.8], [-0.6, 0, 0.8]])

    assert normal_noise(flat) == np.inf
    assert describe(flat)["normal_noise_degrees"] is None


def test_a_description_holds_a_row_for_each_light():
    rig = LightRig(np.eye(3), np.ones(3), positions=9 * np.eye(3), names=("a", "b", "c"))

    rows = describe(rig)["lights"]

    assert [row["name"] for row in rows] == ["a", "b", "c"]
    assert (rows[1]["azimuth_degrees"], rows[2]["elevation_degrees"]) == (90, 90)
    assert rows[0]["position_mm"] == [9, 0, 0]
    assert rows[0]["axis"] is None


def test_angles_and_directions_go_both_ways_also_near_the_pole():
    rng = np.random.default_rng(0)
    unit = rng.normal(size=(1000, 3)) * [1e-6, 1e-6, 1]
    unit[500:] = rng.normal(size=(500, 3))
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)

    back = directions_from_angles(angles_from_directions(unit))

    assert back == pytest.approx(unit, abs=2e-15)


@pytest.mark.parametrize("count", [3, 96])
def test_a_picture_is_drawn_for_few_and_many_lights(tmp_path, count):
    pytest.importorskip("matplotlib")
    from mvps.lights.plot import plot_lights

    plot_lights(from_directions(ring(count)), tmp_path / "lights.png")

    assert (tmp_path / "lights.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(InputError, match="not a picture's name"):
        plot_lights(from_directions(ring(count)), tmp_path / "lights.gif")
