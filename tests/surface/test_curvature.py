"""Curvature maps against surfaces of known curvature, slopes as pictures."""

from __future__ import annotations

import numpy as np
import pytest
from reliefs import Relief, axes, normals_of, slopes_of, sphere

from mvps.surface.curvature import curvature, slope_pictures

EVERYWHERE = np.ones((65, 65), bool)


def quadric(a: float, b: float, n: int = 65) -> Relief:
    """z = (a x^2 + b y^2)/2: principal curvatures -a and -b (bumps positive) in the middle."""
    x, y = axes(n)
    return (a * x * x + b * y * y) / 2, a * x, b * y


def test_a_sphere_has_one_over_its_radius_everywhere_in_the_unit_of_the_scale() -> None:
    maps = curvature(normals_of(sphere(65)), EVERYWHERE, scale=0.02)
    radius = 0.8 * 65 * 0.02
    inside = np.isfinite(maps.mean)
    assert inside[1:-1, 1:-1].all()
    assert not inside[0].any()
    np.testing.assert_allclose(maps.mean[inside], 1 / radius, rtol=1e-3)
    np.testing.assert_allclose(maps.gaussian[inside], 1 / radius**2, rtol=2e-3)
    np.testing.assert_allclose(maps.shape_index[inside], 1, atol=0.03)


@pytest.mark.parametrize(
    ("a", "b", "index"),
    [(-0.01, -0.01, 1), (-0.01, 0, 0.5), (0.01, -0.01, 0), (0, 0.01, -0.5), (0.01, 0.01, -1)],
    ids=["dome", "ridge", "saddle", "rut", "cup"],
)
def test_the_shape_index_names_the_shape(a: float, b: float, index: float) -> None:
    maps = curvature(normals_of(quadric(a, b)), EVERYWHERE)
    assert maps.shape_index[32, 32] == pytest.approx(index, abs=0.01)
    assert maps.mean[32, 32] == pytest.approx(-(a + b) / 2, abs=2e-6)
    assert maps.gaussian[32, 32] == pytest.approx(a * b, abs=2e-7)


def test_pixels_beside_a_hole_have_no_curvature() -> None:
    valid = EVERYWHERE.copy()
    valid[10, 10] = False
    known = np.isfinite(curvature(normals_of(sphere(65)), valid).mean)
    assert not known[10, 9:12].any()
    assert not known[[9, 11], 10].any()
    assert known[9, 9]


def test_slopes_become_pictures_with_level_at_mid_grey() -> None:
    truth = quadric(-0.02, 0.01)
    mask = EVERYWHERE.copy()
    mask[0, 0] = False
    pictures, limit = slope_pictures(slopes_of(truth, mask))
    assert pictures["slope_x"][0, 0] == pictures["slope"][0, 0] == 0
    assert pictures["slope_x"][32, 32] == 128
    assert pictures["slope"][32, 32] == 1
    # The surface falls to the right, and rises upwards above the middle.
    assert pictures["slope_x"][32, 60] < 128 < pictures["slope_y"][5, 32]
    assert limit == pytest.approx(np.hypot(0.64, 0.32), rel=0.03)
