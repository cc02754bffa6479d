"""Depth as a calibrated camera sees it: log-depth slopes, lens distortion, distance."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mvps.calib import Camera
from mvps.calib.geometry import pixel_grid, unproject
from mvps.errors import InputError
from mvps.surface import integrate, orthographic_slopes, perspective_slopes
from mvps.surface.curvature import curvature
from mvps.surface.relief import orthographic_relief, perspective_relief

CENTRE, RADIUS = np.array([4.0, -3.0, 300.0]), 60.0  # mm, camera frame (x right, y down)
SIZE = (160, 120)
BARREL = np.array([-0.2, 0.05, 0.001, -0.002, 0, 0, 0, 0, 0, 0, 0, 0])


def camera(distortion: np.ndarray, focal: tuple[float, float] = (400.0, 380.0)) -> Camera:
    matrix = np.array([[focal[0], 0, 83.0], [0, focal[1], 55.0], [0, 0, 1]])
    return Camera(matrix, distortion, SIZE)


def ball(view: Camera) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Points (H, W, 3) mm, house-frame normals and the mask of the ball's front half."""
    rays, _ = unproject(view, pixel_grid(view))
    along = rays @ CENTRE
    with np.errstate(invalid="ignore"):
        reach = np.sqrt(along**2 - (CENTRE @ CENTRE - RADIUS**2))
    points = rays * (along - reach)[..., None]
    normals = (points - CENTRE) / RADIUS
    facing = -np.einsum("hwc,hwc->hw", normals, rays)
    mask = facing > 0.45
    flipped = np.where(mask[..., None], normals * (1, -1, -1), 0)
    return points, flipped.astype(np.float32), mask


@pytest.mark.parametrize("distortion", [np.zeros(12), BARREL], ids=["pinhole", "barrel"])
@pytest.mark.parametrize("method", ["sparse", "bilateral"])
def test_a_ball_has_its_depth_to_a_thousandth_of_its_range(
    distortion: np.ndarray, method: str
) -> None:
    view = camera(distortion)
    points, normals, mask = ball(view)
    depth = points[..., 2]

    slopes = perspective_slopes(normals, view)
    found = integrate(slopes, method)
    relief = perspective_relief(found.height, view, slopes.focal, float(np.median(depth[mask])))

    off = (relief.distance - relief.height - depth)[mask]
    assert np.array_equal(slopes.valid, mask)
    assert relief.unit == "mm"
    assert np.sqrt(np.mean(off**2)) < 1e-3 * np.ptp(depth[mask])
    x, y = relief.position()
    assert np.abs(x - points[..., 0])[mask].max() < 0.05
    assert np.abs(-y - points[..., 1])[mask].max() < 0.05


def test_without_perspective_the_same_ball_is_off_by_more() -> None:
    """What the camera is for: at 300 mm the rays of this ball differ by up to 20 degrees."""
    view = camera(np.zeros(12))
    points, normals, mask = ball(view)
    height = integrate(orthographic_slopes(normals)).height * (np.median(points[mask][:, 2]) / 390)
    off = (-height - points[..., 2])[mask]
    assert off.std() > 0.02 * np.ptp(points[mask][:, 2])


def test_the_curvature_of_the_ball_is_that_of_its_radius() -> None:
    view = camera(BARREL)
    points, normals, mask = ball(view)
    maps = curvature(normals, mask, position=(points[..., 0], -points[..., 1]))
    inside = np.isfinite(maps.mean)
    assert np.count_nonzero(inside) > 0.9 * np.count_nonzero(mask)
    np.testing.assert_allclose(maps.mean[inside], 1 / RADIUS, rtol=1e-3)
    np.testing.assert_allclose(maps.gaussian[inside], 1 / RADIUS**2, rtol=2e-3)


def test_the_distance_comes_from_the_board_or_is_said_to_be_unknown() -> None:
    view = camera(np.zeros(12))
    board = replace(view, rotation=np.eye(3), translation=np.array([0, 0, 250.0]))
    level = np.zeros((3, 3), np.float32)
    assert perspective_relief(level, board, 390.0).distance == pytest.approx(250)
    unknown = perspective_relief(level, view, 390.0)
    assert (unknown.unit, unknown.distance) == ("px", 390.0)
    with pytest.raises(InputError, match="not a positive length"):
        perspective_relief(level, view, 390.0, -2.0)
    with pytest.raises(InputError, match="not a positive length"):
        orthographic_relief(level, float("nan"))


def test_a_camera_of_another_size_is_refused() -> None:
    with pytest.raises(InputError, match="160 x 120 pixels, the normal map of 8 x 6"):
        perspective_slopes(np.ones((6, 8, 3), np.float32), camera(np.zeros(12)))
