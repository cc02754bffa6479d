"""Photographs of a calibration board, rendered with exact pose, intrinsics and distortion.

Every pixel is the mean of rays through its area (pixel centres at integers), so the only error is
that of a texture whose edges fall on its pixel borders. OpenCV inverts the distortion here, not
mvps: a fault in the house's own inverse would otherwise cancel out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from mvps.calib.board import Board, Corners
from mvps.calib.board_print import board_image
from mvps.calib.board_solve import View

RAYS = 3  # a side of each pixel's square of rays
TEXEL = 96  # texture pixels in a square; markers of 6 cells at 3/4 of a square: 12 a cell
WHITE, BLACK = 210.0, 25.0

Pose = tuple[NDArray[np.float64], NDArray[np.float64]]


@dataclass(frozen=True, eq=False)
class Lens:
    """What the renderer needs of a camera: matrix, 5 coefficients, (width, height)."""

    matrix: NDArray[np.float64]
    distortion: NDArray[np.float64]
    size: tuple[int, int]


def lens(
    degrees: float,
    size: tuple[int, int] = (960, 720),
    centre: tuple[float, float] = (6.0, -4.0),
    coefficients: tuple[float, ...] = (-0.12, 0.05),
) -> Lens:
    """A lens of a horizontal field of view, its principal point ``centre`` px off the middle."""
    focal = size[0] / 2 / np.tan(np.radians(degrees) / 2)
    cx, cy = (size[0] - 1) / 2 + centre[0], (size[1] - 1) / 2 + centre[1]
    distortion = np.zeros(5)
    distortion[: len(coefficients)] = coefficients
    return Lens(np.array([[focal, 0, cx], [0, focal, cy], [0, 0, 1.0]]), distortion, size)


def board_poses(
    board: Board,
    camera: Lens,
    count: int = 12,
    seed: int = 5,
    fill: float = 0.85,
    tilts: tuple[float, float] = (20, 40),
) -> list[Pose]:
    """Board-to-camera poses (R, t) mm: boards tilted by ``tilts`` degrees all round, shifted."""
    rng = np.random.default_rng(seed)
    distance = board.extent_mm()[0] * camera.matrix[0, 0] / (fill * camera.size[0])
    reach = 0.16 * distance * camera.size[0] / camera.matrix[0, 0]
    poses = []
    for k in range(count):
        azimuth = 2 * np.pi * k / count + rng.uniform(-0.2, 0.2)
        tilt = np.radians(rng.uniform(*tilts))
        axis = tilt * np.array([np.cos(azimuth), np.sin(azimuth), 0.0])
        roll = cv2.Rodrigues(np.array([0, 0, rng.uniform(-0.3, 0.3)]))[0]
        rotation = cv2.Rodrigues(axis)[0] @ roll
        place = np.array([*rng.uniform(-reach, reach, 2), distance * rng.uniform(0.9, 1.15)])
        poses.append((rotation, place - rotation @ board.middle()))
    return poses


def exact_corners(board: Board, camera: Lens, pose: Pose) -> NDArray[np.float64]:
    """(n, 2) px where the board's inner corners fall, by OpenCV's projection."""
    rotation, translation = pose
    points, _ = cv2.projectPoints(
        board.points(), cv2.Rodrigues(rotation)[0], translation, camera.matrix, camera.distortion
    )
    return np.asarray(points, np.float64).reshape(-1, 2)


def rendered(board: Board, camera: Lens, pose: Pose) -> NDArray[np.float64]:
    """(H, W) grey values of one photograph, not rounded."""
    width, height = camera.size
    rays = _rays(camera)
    texture = _texture(board)
    rotation, translation = pose
    scale = TEXEL / board.square_mm
    # Plane z=0 of the board to rays: x ~ [r1 r2 t] (X, Y, 1); a texture pixel's centre is at +0.5.
    plane = np.linalg.inv(np.column_stack([rotation[:, :2], translation]))
    plane = np.array([[scale, 0, -0.5], [0, scale, -0.5], [0, 0, 1.0]]) @ plane
    image = np.empty((height, width))
    for top in range(0, height, 80):
        where = cv2.perspectiveTransform(rays[top * RAYS : (top + 80) * RAYS], plane)
        values = cv2.remap(
            texture, where, None, cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_CONSTANT, borderValue=WHITE,
        )  # fmt: skip
        rows = len(where) // RAYS
        image[top : top + rows] = values.reshape(rows, RAYS, width, RAYS).mean((1, 3))
    return image


@lru_cache(maxsize=1)
def _rays(camera: Lens) -> NDArray[np.float32]:
    """(H*RAYS, W*RAYS, 2) undistorted x/z, y/z of the rays through every pixel's area."""
    width, height = camera.size
    # Inverted at pixel centres and one beyond each border; linear between, which is off by an
    # eighth of the second difference, some 1e-5 px here.
    u, v = np.meshgrid(np.arange(-1.0, width + 1), np.arange(-1.0, height + 1))
    pixels = np.stack([u, v], -1).reshape(-1, 1, 2)
    criteria = (cv2.TERM_CRITERIA_COUNT + cv2.TERM_CRITERIA_EPS, 50, 1e-13)
    words = (pixels, camera.matrix, camera.distortion, None, None)
    if hasattr(cv2, "undistortPointsIter"):  # before OpenCV 5
        nodes = cv2.undistortPointsIter(*words, criteria)
    else:
        nodes = cv2.undistortPoints(*words, None, criteria)
    nodes = nodes.reshape(height + 2, width + 2, 2)
    inside = (np.arange(RAYS) + 0.5) / RAYS - 0.5
    return _between(_between(nodes, height, inside), width, inside, axis=1).astype(np.float32)


def _between(
    nodes: NDArray[np.float64], count: int, inside: NDArray[np.float64], axis: int = 0
) -> NDArray[np.float64]:
    at = (1 + np.arange(count)[:, None] + inside).ravel()
    low = np.floor(at).astype(int)
    share = (at - low).reshape((-1, 1, 1) if axis == 0 else (1, -1, 1))
    return np.take(nodes, low, axis) * (1 - share) + np.take(nodes, low + 1, axis) * share


def _texture(board: Board) -> NDArray[np.float32]:
    return np.asarray(BLACK + (WHITE - BLACK) / 255 * board_image(board, TEXEL), np.float32)


def seen_views(
    board: Board,
    camera: Lens,
    poses: Sequence[Pose],
    noise: float = 0.0,
    rng: np.random.Generator | None = None,
) -> tuple[View, ...]:
    """Views v0, v1, ... of the corners that fall inside the image, moved by Gaussian noise (px)."""
    views = []
    for k, pose in enumerate(poses):
        pixels = exact_corners(board, camera, pose)
        inside = ((pixels > 4) & (pixels < np.array(camera.size) - 5)).all(1)
        if rng is not None:
            pixels = pixels + rng.normal(0, noise, pixels.shape)
        views.append(View(f"v{k}", Corners(np.flatnonzero(inside), pixels[inside])))
    return tuple(views)


def distances(board: Board, poses: Sequence[Pose]) -> NDArray[np.float64]:
    """Distances (n,) mm from the camera to the middle of the board."""
    return np.array([np.linalg.norm(R @ board.middle() + t) for R, t in poses])


def photographs(
    folder: Path,
    board: Board,
    camera: Lens,
    poses: Sequence[Pose],
    *,
    noise: float = 2.0,
    depth: type[np.uint8] | type[np.uint16] = np.uint8,
) -> Path:
    """Folder of rendered PNG files v0.png, v1.png, ... with Gaussian noise (grey levels of 255)."""
    rng = np.random.default_rng(0)
    folder.mkdir(parents=True, exist_ok=True)
    full = np.iinfo(depth).max
    for k, pose in enumerate(poses):
        image = rendered(board, camera, pose)
        image = (image + rng.normal(0, noise, image.shape)) * (full / 255)
        cv2.imwrite(str(folder / f"v{k}.png"), np.clip(np.rint(image), 0, full).astype(depth))
    return folder
