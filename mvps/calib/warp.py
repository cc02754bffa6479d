"""Warp: which source pixel every pixel of an output image shows.

Undistortion, rectification to the board, and one view seen from another by way of a plane are all a
3x3 matrix before OpenCV's polynomial; Hartley and Zisserman 2004, chapter 13 for the matrices.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mvps.calib.camera import DIRECTIONS, Array, Camera
from mvps.calib.distortion import fold_radius
from mvps.calib.geometry import distort_points, label
from mvps.calib.transforms import (
    BOARD,
    board_homography,
    inverse_depth_of_plane,
    plane_homography,
)
from mvps.errors import InputError

# The structures of kernels/remap.cuh, which says what the members mean.
MODEL = np.dtype(
    [
        ("matrix", "f8", 9),
        ("front", "f8", 3),
        ("distortion", "f8", 12),
        ("camera", "f8", 5),
        ("limit2", "f8"),
    ]
)
MOST_PIXELS = 1 << 30
_ALWAYS = (0.0, 0.0, 1.0)

Positions = Callable[[Array], Array]


@dataclass(frozen=True, eq=False)
class Warp:
    """Where each output pixel lies in the source.

    Attributes
    ----------
    size, source_size : (width, height) of output and source
    model : one ``MODEL``, or None where ``positions`` says it
    positions : output pixels (..., 2) to source pixels (..., 2), NaN where nothing is seen
    """

    size: tuple[int, int]
    source_size: tuple[int, int]
    model: NDArray[np.void] | None = None
    positions: Positions | None = None

    def __post_init__(self) -> None:
        if (self.model is None) == (self.positions is None):
            raise ValueError("a warp has either a model or positions")


def undistortion(
    camera: Camera, matrix: ArrayLike | None = None, size: tuple[int, int] | None = None
) -> Warp:
    """Warp of a raw image to one without distortion.

    Parameters
    ----------
    matrix : (3, 3) of the undistorted image, the camera's own when None
    size : (width, height) of the undistorted image, the camera's own when None

    Raises
    ------
    InputError
        The matrix is not 3x3, not finite, or has no inverse.
    """
    K = camera.matrix if matrix is None else square(matrix, "matrix", inverted=True)
    to_source = np.eye(3) if matrix is None else camera.matrix @ np.linalg.inv(K)
    return _warp(camera, to_source, _ALWAYS, size or camera.image_size)


def view_warp(
    source: Camera,
    target: Camera,
    plane: tuple[float, float, float, float] = BOARD,
    *,
    common_frame: bool = False,
) -> Warp:
    """Warp of a raw image of ``source`` to the undistorted pixels of ``target``, over a plane.

    Only what lies in the plane n.X = d (nx ny nz d, world frame, mm) comes to its right place. A
    pixel is seen where the plane is in front of both cameras.

    Raises
    ------
    InputError
        As :func:`mvps.calib.transforms.plane_homography`.
    """
    to_source = plane_homography(source, target, plane, common_frame=common_frame)
    front = inverse_depth_of_plane(target, plane)
    return _warp(source, to_source, front / np.abs(front).max(), target.image_size)


def board_warp(
    camera: Camera,
    um_per_px: float,
    *,
    origin: tuple[float, float],
    size: tuple[int, int],
) -> Warp:
    """Warp of a raw image to the plane of its board, through the board homography.

    Parameters
    ----------
    um_per_px : edge of an output pixel on the board, micrometres
    origin : board x y in mm of the centre of output pixel (0, 0)
    size : (width, height) of the output

    Raises
    ------
    InputError
        The camera has neither homography nor pose, or a number is not positive.
    """
    if not (um_per_px > 0 and math.isfinite(um_per_px)):
        raise InputError("um per px", f"{um_per_px} is not positive")
    step = um_per_px / 1000
    to_board = np.array([[step, 0, origin[0]], [0, step, origin[1]], [0, 0, 1.0]])
    H = facing(board_homography(camera), camera.image_size)
    return _warp(camera, H @ to_board, _ALWAYS, size)


def square(values: ArrayLike, name: str, *, inverted: bool = False) -> Array:
    """(3, 3) float64 matrix, for the kernels, which read nine numbers wherever they are.

    Raises
    ------
    InputError
        Another shape, a value that is not finite, or no inverse where one is needed.
    """
    found = np.asarray(values, dtype=np.float64)
    if found.shape != (3, 3) or not np.isfinite(found).all():
        raise InputError(name, "is not (3, 3) finite numbers", f"its shape is {found.shape}")
    if inverted and np.linalg.matrix_rank(found) < 3:
        raise InputError(name, "has no inverse", "give focal lengths above zero")
    return found


def facing(homography: Array, size: tuple[int, int]) -> Array:
    """A board homography scaled so that what the image shows has a positive third component."""
    centre = ((size[0] - 1) / 2, (size[1] - 1) / 2, 1.0)
    ahead = np.sign((np.linalg.inv(homography) @ centre)[2])
    return np.asarray(homography * ahead, dtype=np.float64)


def _warp(camera: Camera, to_source: Array, front: ArrayLike, size: tuple[int, int]) -> Warp:
    if min(size) < 1 or size[0] * size[1] > MOST_PIXELS:
        raise InputError(label(camera), f"an image of {size[0]} x {size[1]} px cannot be made")
    ray = np.linalg.inv(camera.matrix) @ to_source
    if camera.distortion_direction != DIRECTIONS[0]:
        return Warp(size, camera.image_size, positions=_inverse(camera, to_source, front))
    K = camera.matrix
    model = np.zeros(1, MODEL)
    model["matrix"] = ray.ravel()
    model["front"] = front
    model["distortion"] = camera.distortion
    model["camera"] = K[0, 0], K[0, 1], K[0, 2], K[1, 1], K[1, 2]
    model["limit2"] = fold_radius(camera.distortion) ** 2
    model.setflags(write=False)
    return Warp(size, camera.image_size, model=model)


def _inverse(camera: Camera, to_source: Array, front: ArrayLike) -> Positions:
    """Positions where the polynomial maps raw to undistorted pixels and has to be inverted."""
    ahead = np.asarray(front, dtype=np.float64)

    def positions(pixels: Array) -> Array:
        homogeneous = np.concatenate([pixels, np.ones_like(pixels[..., :1])], axis=-1)
        projected = homogeneous @ to_source.T
        seen = (projected[..., 2] > 0) & (homogeneous @ ahead > 0)
        with np.errstate(divide="ignore", invalid="ignore"):
            flat = projected[..., :2] / projected[..., 2:]
        raw, valid = distort_points(camera, flat)
        return np.where((valid & seen)[..., None], raw, np.nan)

    return positions
