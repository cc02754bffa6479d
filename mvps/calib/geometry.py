"""Where points of the world fall in an image and which rays pixels see: pinhole and distortion.

OpenCV's geometry (x right, y down, z forward, pixel centres at integers, mm). What is computed is
written down, with what is guaranteed, in docs/geometry.md.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from mvps.calib.camera import DIRECTIONS, NO_POSE, Array, Camera
from mvps.calib.distortion import (
    Mask,
    apply_polynomial,
    invert_polynomial,
    is_unfolded,
    polynomial_jacobian,
)
from mvps.errors import InputError

GRID = (200, 150)  # columns and rows at which displacement is measured


@dataclass(frozen=True)
class Displacement:
    """How far distortion moves pixels; lengths in px.

    ``forward``: the polynomial applied at raw pixels, whichever way it maps. ``undistort``: what
    undistorting moves them by. ``smallest_determinant`` of the polynomial's Jacobian at raw
    pixels. ``unconverged``: grid points that cannot be undistorted; NaN maxima when it is all.
    """

    forward_max: float
    forward_mean: float
    undistort_max: float
    undistort_mean: float
    smallest_determinant: float
    unconverged: int


def distort_points(
    camera: Camera, pixels: ArrayLike, *, matrix: ArrayLike | None = None
) -> tuple[Array, Mask]:
    """Raw pixels at which undistorted pixels are seen.

    Parameters
    ----------
    pixels : (..., 2) undistorted px, in the image that a camera with ``matrix`` would take
    matrix : (3, 3), the camera's own when None

    Returns
    -------
    pixels : (..., 2) float64 raw px, NaN where not valid
    valid : (...,) bool
    """
    points = normalise(camera.matrix if matrix is None else matrix, pixels)
    raw, valid = _distort(camera, points)
    return to_pixels(camera.matrix, raw), valid


def undistort_points(
    camera: Camera, pixels: ArrayLike, *, matrix: ArrayLike | None = None
) -> tuple[Array, Mask]:
    """Undistorted pixels of raw pixels: the inverse of :func:`distort_points`.

    Parameters
    ----------
    pixels : (..., 2) raw px
    matrix : (3, 3) of the undistorted image, the camera's own when None

    Returns
    -------
    pixels : (..., 2) float64 undistorted px, NaN where not valid
    valid : (...,) bool
    """
    points, valid = _undistort(camera, normalise(camera.matrix, pixels))
    return to_pixels(camera.matrix if matrix is None else matrix, points), valid


def project(camera: Camera, world: ArrayLike) -> tuple[Array, Mask]:
    """Raw pixels at which points of the world are seen.

    Parameters
    ----------
    world : (..., 3) mm, in the camera's world frame

    Returns
    -------
    pixels : (..., 2) float64 raw px, NaN where not valid
    valid : (...,) bool, True in front of the camera and where the distortion is unfolded; pixels
        outside the image are valid

    Raises
    ------
    InputError
        The camera has no pose.
    """
    points = to_camera(camera, world)
    with np.errstate(all="ignore"):
        flat = points[..., :2] / points[..., 2:]
    flat[~(points[..., 2] > 0)] = np.nan
    raw, valid = _distort(camera, flat)
    return to_pixels(camera.matrix, raw), valid


def unproject(camera: Camera, pixels: ArrayLike) -> tuple[Array, Mask]:
    """Rays that raw pixels see.

    Parameters
    ----------
    pixels : (..., 2) raw px

    Returns
    -------
    rays : (..., 3) float64 unit, camera frame (x right, y down, z forward), NaN where not valid
    valid : (...,) bool
    """
    points, valid = _undistort(camera, normalise(camera.matrix, pixels))
    rays = np.concatenate([points, np.ones((*points.shape[:-1], 1))], axis=-1)
    with np.errstate(over="ignore"):
        rays /= np.linalg.norm(rays, axis=-1, keepdims=True)
    return rays, valid


def to_camera(camera: Camera, world: ArrayLike) -> Array:
    """World points (..., 3) mm in the camera frame, R X + t; InputError without a pose."""
    rotation, translation = pose(camera)
    return np.asarray(
        np.asarray(world, dtype=np.float64) @ rotation.T + translation, dtype=np.float64
    )


def to_world(camera: Camera, points: ArrayLike) -> Array:
    """Points (..., 3) mm of the camera frame in the world, R'(X - t); InputError without a pose."""
    rotation, translation = pose(camera)
    return np.asarray(
        (np.asarray(points, dtype=np.float64) - translation) @ rotation, dtype=np.float64
    )


def pose(camera: Camera) -> tuple[Array, Array]:
    """Rotation (3, 3) and translation (3,) mm, world to camera; InputError without a pose."""
    if camera.rotation is None or camera.translation is None:
        raise InputError(label(camera), *NO_POSE)
    return camera.rotation, camera.translation


def label(camera: Camera) -> str:
    """What messages call a camera."""
    return camera.source.path or camera.name or "camera"


def field_of_view(camera: Camera) -> tuple[float, float, float]:
    """Degrees between the rays through the middles of opposite borders, x and y, and corners.

    The borders are those of the pixels, -0.5 and width - 0.5, and the rays are undistorted, so a
    principal point outside the image and distortion both count. The diagonal is the larger of the
    two. NaN where a border ray does not exist.
    """
    width, height = camera.image_size
    left, top, right, bottom = -0.5, -0.5, width - 0.5, height - 0.5
    x, y = (left + right) / 2, (top + bottom) / 2
    pairs = [
        [(left, y), (right, y)],
        [(x, top), (x, bottom)],
        [(left, top), (right, bottom)],
        [(right, top), (left, bottom)],
    ]
    rays, _ = unproject(camera, np.array(pairs))
    # atan2 of cross and dot stays exact at small angles, where arccos does not
    cross = np.linalg.norm(np.cross(rays[:, 0], rays[:, 1]), axis=-1)
    angles = np.degrees(np.arctan2(cross, np.sum(rays[:, 0] * rays[:, 1], axis=-1)))
    return float(angles[0]), float(angles[1]), float(np.max(angles[2:]))


def pixel_grid(
    camera: Camera | tuple[int, int], y0: int = 0, y1: int | None = None, step: int = 1
) -> Array:
    """Pixel centres (n, W, 2) of rows ``y0`` to ``y1`` (excluded; to the last when None).

    Parameters
    ----------
    camera : a camera or an image size (width, height)
    step : every how many rows and columns
    """
    width, height = camera.image_size if isinstance(camera, Camera) else camera
    rows = np.arange(y0, height if y1 is None else y1, step, dtype=np.float64)
    columns = np.arange(0, width, step, dtype=np.float64)
    return np.stack(np.meshgrid(columns, rows), axis=-1)


def displacement(camera: Camera, pixels: ArrayLike | None = None) -> Displacement:
    """How far the distortion moves pixels, and whether it can be undone.

    Parameters
    ----------
    pixels : (..., 2) raw px; None for a grid of 200 x 150 from the first pixel to the last
    """
    if pixels is None:
        width, height = camera.image_size
        axes = np.linspace(0, width - 1, GRID[0]), np.linspace(0, height - 1, GRID[1])
        pixels = np.stack(np.meshgrid(*axes), axis=-1)
    raw = np.asarray(pixels, dtype=np.float64).reshape(-1, 2)
    points = normalise(camera.matrix, raw)
    # Absurd coefficients overflow: figures that are infinite or no number say so.
    with np.errstate(all="ignore"):
        moved = to_pixels(camera.matrix, apply_polynomial(camera.distortion, points))
        forward = np.linalg.norm(moved - raw, axis=-1)
        undistorted, valid = undistort_points(camera, raw)
        back = np.linalg.norm(undistorted - raw, axis=-1)[valid]
        determinant = np.linalg.det(polynomial_jacobian(camera.distortion, points))
        return Displacement(
            forward_max=float(forward.max()),
            forward_mean=float(forward.mean()),
            undistort_max=float(back.max()) if back.size else float("nan"),
            undistort_mean=float(back.mean()) if back.size else float("nan"),
            smallest_determinant=float(determinant.min()),
            unconverged=int(np.count_nonzero(~valid)),
        )


def undistortion_jacobian(camera: Camera, pixels: ArrayLike) -> Array:
    """Derivative (..., 2, 2) of :func:`undistort_points` at raw pixels (..., 2); NaN if invalid.

    Entry [i, j] is d(undistorted i) / d(raw j), px per px.
    """
    points = normalise(camera.matrix, pixels)
    if camera.distortion_direction == DIRECTIONS[0]:
        undistorted, _ = invert_polynomial(camera.distortion, points)
        change = np.linalg.inv(polynomial_jacobian(camera.distortion, undistorted))
    else:
        change = polynomial_jacobian(camera.distortion, points)
    K = camera.matrix[:2, :2]
    return np.asarray(K @ change @ np.linalg.inv(K), dtype=np.float64)


def normalise(matrix: ArrayLike, pixels: ArrayLike) -> Array:
    """Pixels (..., 2) as x/z, y/z of the rays that a pinhole camera with ``matrix`` sees."""
    K = np.asarray(matrix, dtype=np.float64)
    px = np.asarray(pixels, dtype=np.float64)
    out = np.empty_like(px)
    out[..., 1] = (px[..., 1] - K[1, 2]) / K[1, 1]
    out[..., 0] = (px[..., 0] - K[0, 2] - K[0, 1] * out[..., 1]) / K[0, 0]
    return out


def to_pixels(matrix: ArrayLike, points: ArrayLike) -> Array:
    """Inverse of :func:`normalise`."""
    K = np.asarray(matrix, dtype=np.float64)
    p = np.asarray(points, dtype=np.float64)
    out = np.empty_like(p)
    out[..., 0] = K[0, 0] * p[..., 0] + K[0, 1] * p[..., 1] + K[0, 2]
    out[..., 1] = K[1, 1] * p[..., 1] + K[1, 2]
    return out


def _distort(camera: Camera, points: Array) -> tuple[Array, Mask]:
    if camera.distortion_direction == DIRECTIONS[0]:
        return _forward(camera, points)
    return invert_polynomial(camera.distortion, points)


def _undistort(camera: Camera, points: Array) -> tuple[Array, Mask]:
    if camera.distortion_direction == DIRECTIONS[0]:
        return invert_polynomial(camera.distortion, points)
    return _forward(camera, points)


def _forward(camera: Camera, points: Array) -> tuple[Array, Mask]:
    valid = is_unfolded(camera.distortion, points)
    moved = apply_polynomial(camera.distortion, points)
    moved[~valid] = np.nan
    return moved, valid
