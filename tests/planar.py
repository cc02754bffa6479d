"""A pattern on the board and what cameras see of it, by the library's geometry in float64."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mvps.calib import Camera
from mvps.calib.geometry import to_camera, to_world, unproject

# Periods of 9 to 23 mm: at 0.5 mm a pixel, bilinear interpolation errs by less than
# amplitude * (2 pi / period)^2 * step^2 / 8 in each direction, 0.4% of the amplitude.
CURVATURE_BOUND = 2 * (2 * np.pi / 9 * 0.5) ** 2 / 8


def pattern(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Smooth grey between 0 and 1 of board coordinates in mm."""
    wave = np.sin(2 * np.pi * x / 9) + np.cos(2 * np.pi * y / 13) + np.sin((x + 2 * y) / 3.6)
    return 0.5 + wave / 6


def tilted_camera(size: tuple[int, int] = (240, 180), side: float = 0.0) -> Camera:
    """A lens with strong barrel distortion that looks at the board from 30 degrees above it."""
    tilt, turn = np.radians(30), np.radians(12 * side)
    c, s, ct, st = np.cos(tilt), np.sin(tilt), np.cos(turn), np.sin(turn)
    rotation = np.array([[1.0, 0, 0], [0, c, -s], [0, s, c]]) @ [
        [ct, 0, st],
        [0, 1, 0],
        [-st, 0, ct],
    ]
    matrix = np.array([[220.0, 0, 121.3], [0, 224.0, 84.7], [0, 0, 1]])
    distortion = np.array([-0.25, 0.06, 1e-3, -2e-3, 0.01, *[0.0] * 7])
    translation = np.array([8.0 * side, -3.0, 110.0])
    return Camera(matrix, distortion, size, rotation, translation, frame_id="bench")


def reversed_camera() -> Camera:
    """The same numbers, with the polynomial mapping raw to undistorted pixels."""
    return replace(tilted_camera(), distortion_direction="distorted_to_undistorted")


def photograph(camera: Camera) -> np.ndarray:
    """What the camera sees of the pattern, float32: each pixel's ray cut with the board."""
    width, height = camera.image_size
    pixels = np.stack(np.meshgrid(np.arange(width), np.arange(height)), -1).astype(float)
    rays, valid = unproject(camera, pixels)
    assert valid.all()
    return pattern(*on_board(camera, rays)).astype(np.float32)


def on_board(camera: Camera, rays: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Board x and y at which rays of the camera frame meet the plane z = 0."""
    centre = camera.centre()
    ways = to_world(camera, rays) - to_world(camera, np.zeros(3))
    points = centre - ways * (centre[2] / ways[..., 2:])
    assert np.allclose(to_camera(camera, centre), 0, atol=1e-9)
    return points[..., 0], points[..., 1]


def pinhole_rays(camera: Camera) -> np.ndarray:
    """Rays (H, W, 3) of undistorted pixels, z = 1."""
    width, height = camera.image_size
    u, v = np.meshgrid(np.arange(width), np.arange(height))
    return np.stack([u, v, np.ones_like(u)], -1).astype(float) @ np.linalg.inv(camera.matrix).T
