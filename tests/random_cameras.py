"""Cameras for tests: the published ones, and random ones as a hypothesis strategy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from hypothesis import strategies as st

from mvps.calib import Camera, read_camera
from mvps.calib.camera import DIRECTIONS

CALIB = Path(__file__).resolve().parents[1] / "calib"
NAMES = ("cam1", "cam2", "cam3", "cam4")


def published(name: str) -> Camera:
    return read_camera(CALIB / f"{name}.yml")


def rotation(vector) -> np.ndarray:
    """(3, 3) of a rotation vector, by Rodrigues' formula."""
    angle = np.linalg.norm(vector)
    if angle == 0:
        return np.eye(3)
    x, y, z = np.asarray(vector) / angle
    K = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + np.sin(angle) * K + (1 - np.cos(angle)) * K @ K


@st.composite
def cameras(draw, skewed=False, directions=DIRECTIONS, prism=True, tilt=0.6):
    """A camera some 300 mm before a board, with moderate distortion over its whole image.

    Each term of the polynomial moves the farthest corner by up to 1%, so that nothing folds.
    """

    def number(low, high):
        return draw(st.floats(low, high, allow_nan=False, width=64))

    width, height = draw(st.integers(64, 5000)), draw(st.integers(64, 5000))
    fx = number(0.6, 8) * width
    fy = fx * number(0.95, 1.05)
    cx, cy = number(-0.2, 1.2) * width, number(-0.2, 1.2) * height
    skew = number(-0.01, 0.01) * fx if skewed else 0.0
    K = np.array([[fx, skew, cx], [0, fy, cy], [0, 0, 1]])
    corners = np.array([[x, y, 1] for x in (0, width) for y in (0, height)])
    reach = np.hypot(*(corners @ np.linalg.inv(K).T)[:, :2].T).max()
    powers = np.array([2, 4, 1, 1, 6, 2, 4, 6, 1, 3, 1, 3])
    share = np.array([number(-0.01, 0.01) for _ in powers])
    share[[2, 3, 8, 9, 10, 11]] /= 3
    if not prism:
        share[8:] = 0
    R = rotation([number(-tilt, tilt) for _ in range(3)])
    return Camera(
        matrix=K,
        distortion=share / reach**powers,
        image_size=(width, height),
        rotation=R,
        translation=[number(-30, 30), number(-30, 30), number(200, 400)],
        distortion_direction=draw(st.sampled_from(directions)),
        frame_id="board",
    )


def pixels_of(camera: Camera, count: int = 200, seed: int = 0) -> np.ndarray:
    """Random raw pixels (count, 2) of a camera's image."""
    return np.random.default_rng(seed).uniform(-0.5, np.array(camera.image_size) - 0.5, (count, 2))
