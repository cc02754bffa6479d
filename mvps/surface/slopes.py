"""Slopes of a surface from its normals: what every way to the height starts from.

Orthographic: p = -nx/nz, q = -ny/nz (Horn and Brooks, CVGIP 1986). Perspective: the same for the
logarithm of the depth, after Queau, Durou and Aujol (J. Math. Imaging Vision 2018).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mvps.calib import Camera
from mvps.calib.geometry import (
    label,
    normalise,
    pixel_grid,
    undistort_points,
    undistortion_jacobian,
)
from mvps.errors import InputError

Plane = NDArray[np.float32]
Flags = NDArray[np.bool_]

FACING_LIMIT = 0.05  # nz of a surface that is seen at 87 degrees; slopes stay below 20
BLOCK_ROWS = 64


@dataclass(frozen=True, eq=False)
class Slopes:
    """Slopes of the height, which grows towards the camera, on the grid of a normal map.

    Attributes
    ----------
    p, q : (H, W) float32, change of the height per px to the right and per px upwards, both in
        px; zero where not valid
    valid : (H, W) bool
    steep : (H, W) bool, valid pixels whose normal was limited
    focal : px; 0 for an orthographic view, where the height is that of the surface. Of a
        perspective one it is -focal ln(Z/Z0), Z the depth along the optical axis
    """

    p: Plane
    q: Plane
    valid: Flags
    steep: Flags
    focal: float = 0.0

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the map, in pixels."""
        return self.p.shape[0], self.p.shape[1]


def orthographic_slopes(
    normals: NDArray[Any], valid: NDArray[Any] | None = None, *, limit: float = FACING_LIMIT
) -> Slopes:
    """Slopes of a surface that is seen along parallel rays.

    Parameters
    ----------
    normals : (H, W, 3), house frame (x right, y up, z to the camera); need not be unit vectors
    valid : (H, W), non-zero where a normal is wanted; None for everywhere
    limit : smallest share nz/|n| that is believed; steeper normals get this one and are marked

    Returns
    -------
    Slopes
        Normals that are zero or not finite are not valid. Those turned away are limited.
    """

    def facing(rows: slice, n: NDArray[np.float32]) -> _Parts:
        return n[..., 2], -n[..., 0], -n[..., 1]

    return _slopes(normals, valid, limit, 0.0, facing)


def perspective_slopes(
    normals: NDArray[Any],
    camera: Camera,
    valid: NDArray[Any] | None = None,
    *,
    limit: float = FACING_LIMIT,
) -> Slopes:
    """Slopes of -f ln Z of a surface that a calibrated camera sees.

    A point is X = Z r(u, v), r = (x, y, 1) the ray of the raw pixel (u, v), lens distortion
    undone. Its tangents dX/du and dX/dv are at right angles to the normal n, which gives

        d(ln Z)/du = -(n . dr/du) / (n . r),    the same with v,

    here times -f, f = sqrt(fx fy), so that slopes and heights are in px as without a camera.
    The angle that is limited is that between normal and ray.

    Parameters
    ----------
    normals, valid, limit : as for :func:`orthographic_slopes`
    camera : of the map's pixels; without distortion where the map is undistorted

    Raises
    ------
    InputError
        The camera's image has another size than the map.
    """
    height, width = normals.shape[:2]
    if camera.image_size != (width, height):
        size = f"{camera.image_size[0]} x {camera.image_size[1]}"
        what = f"is of {size} pixels, the normal map of {width} x {height}"
        raise InputError(label(camera), what, "crop, bin or scale the camera to the map first")
    focal = math.sqrt(camera.matrix[0, 0] * camera.matrix[1, 1])

    def facing(rows: slice, n: NDArray[np.float32]) -> _Parts:
        ray, right, down = pixel_rays(camera, rows)
        length = np.linalg.norm(ray, axis=-1)
        n_opencv = n.astype(np.float64) * (1, -1, -1)
        towards = -np.einsum("hwc,hwc->hw", n_opencv, ray) / length
        along = [np.einsum("hwc,hwc->hw", n_opencv[..., :2], d) for d in (right, down)]
        # f d(ln Z)/du = f (n . r_u) / (towards |r|); the height is its negative, v points down.
        p, q = -focal * along[0] / length, focal * along[1] / length
        unseen = ~np.isfinite(towards)
        return np.where(unseen, np.nan, towards), p, q

    return _slopes(normals, valid, limit, focal, facing)


def pixel_rays(
    camera: Camera, rows: slice
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Rays (n, W, 3) with z = 1 of raw pixels, OpenCV's frame, and their derivatives (n, W, 2)
    of x and y per px to the right and per px downwards; NaN where no ray belongs to a pixel.
    """
    pixels = pixel_grid(camera, rows.start, rows.stop)
    undistorted, _ = undistort_points(camera, pixels)
    points = normalise(camera.matrix, undistorted)
    ray = np.concatenate([points, np.ones((*points.shape[:2], 1))], axis=-1)
    inverse = np.linalg.inv(camera.matrix[:2, :2])
    change = inverse @ undistortion_jacobian(camera, pixels)
    return ray, change[..., 0], change[..., 1]


_Parts = tuple[NDArray[Any], NDArray[Any], NDArray[Any]]


def _slopes(
    normals: NDArray[Any],
    valid: NDArray[Any] | None,
    limit: float,
    focal: float,
    facing: Callable[[slice, NDArray[np.float32]], _Parts],
) -> Slopes:
    """Divide by how far a pixel faces its ray, by rows; ``facing`` gives divisor and dividends."""
    shape = normals.shape[:2]
    p, q = np.empty(shape, np.float32), np.empty(shape, np.float32)
    good, steep = np.empty(shape, np.bool_), np.empty(shape, np.bool_)
    for y in range(0, shape[0], BLOCK_ROWS):
        rows = slice(y, min(y + BLOCK_ROWS, shape[0]))
        block = np.asarray(normals[rows], np.float32)
        with np.errstate(all="ignore"):
            length = np.sqrt(np.einsum("hwc,hwc->hw", block, block))
            divisor, right, up = facing(rows, block)
            known = (length > 0) & np.isfinite(length) & np.isfinite(divisor)
            if valid is not None:
                known &= valid[rows] != 0
            least = limit * length
            good[rows], steep[rows] = known, known & (divisor < least)
            divisor = np.maximum(divisor, least)
            p[rows], q[rows] = right / divisor, up / divisor
        p[rows][~known] = 0
        q[rows][~known] = 0
    return Slopes(p, q, good, steep, focal)
