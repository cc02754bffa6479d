"""A mirror ball as optics: from its outline and a highlight to the direction of the lamp.

Perspective model: the outline's rays lie on a cone about the ball's centre, m.q = 1. Orthographic
model, where no camera is known: Woodham's chrome ball with parallel view rays. Derivations and
error bounds stand in docs/light_probes.md.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mvps.calib import Camera
from mvps.calib.geometry import unproject
from mvps.errors import InputError
from mvps.lights.rig import flips
from mvps.lights.sphere_ellipse import Ellipse

Array = NDArray[np.float64]

_ROUNDS = 4
_PIXEL_STEP = 0.25  # px, of the numerical derivative of a ray


@dataclass(frozen=True, eq=False)
class Cone:
    """The cone of rays that touch a ball, in the camera frame of OpenCV.

    Attributes
    ----------
    m : (3,) float64; a ray q of unit length touches the ball when m.q = 1
    covariance : (3, 3) of m, at ``sigma``
    sigma : standard deviation of the outline's points about the cone, px
    """

    m: Array
    covariance: Array
    sigma: float


def fit_cone(rays: Array, weights: Array | None = None) -> Array:
    """Least-squares m (..., 3) of m.q = 1 over N unit rays (..., N, 3).

    Parameters
    ----------
    rays : (..., N, 3) unit, N at least 3, not all on one plane through the camera
    weights : (..., N), one over the standard deviation of m.q - 1; equal when None
    """
    rows = rays if weights is None else rays * weights[..., None]
    target = np.ones(rows.shape[:-1]) if weights is None else weights
    left = np.swapaxes(rows, -1, -2)
    solution = np.linalg.solve(left @ rows, (left @ target[..., None]))
    return np.asarray(solution[..., 0], dtype=np.float64)


def fit_outline(rays: Array, per_pixel: Array) -> tuple[Array, Array]:
    """The m (..., 3) with its residuals (..., N) in px, weighted so that every pixel counts alike.

    Parameters
    ----------
    rays : (..., N, 3) unit
    per_pixel : (..., N, 3, 2) derivative of the rays by the pixel, as `ray_derivative`
    """
    m = fit_cone(rays)
    for _ in range(_ROUNDS):
        weight = _pixel_weights(m, per_pixel)
        m = fit_cone(rays, weight)
    weight = _pixel_weights(m, per_pixel)
    return m, (rays @ m[..., None])[..., 0] * weight - weight


def outline_cone(camera: Camera, points: Array, sigma: float | None = None) -> Cone:
    """Cone of the outline points (N, 2) in raw px of a camera.

    Parameters
    ----------
    sigma : px, of one point; from the residuals when None

    Raises
    ------
    InputError
        The outline leaves the part of the image that can be undistorted.
    """
    rays, valid = unproject(camera, points)
    if not valid.all():
        raise InputError(
            camera.source.path or "camera",
            "the outline of a ball lies where the distortion cannot be undone",
            "check the camera with mvps calib check, or move the ball to the middle",
        )
    per_pixel = ray_derivative(camera, points)
    m, residual = fit_outline(rays, per_pixel)
    found = float(np.sqrt((residual**2).sum() / max(1, len(points) - 3)))
    sigma = found if sigma is None else sigma
    return Cone(m, cone_covariance(rays, per_pixel, m, sigma), sigma)


def cone_covariance(rays: Array, per_pixel: Array, m: Array, sigma: float) -> Array:
    """Covariance (..., 3, 3) of m where every outline point is off by ``sigma`` px."""
    rows = rays * _pixel_weights(m, per_pixel)[..., None]
    normal = np.swapaxes(rows, -1, -2) @ rows
    return np.asarray(sigma**2 * np.linalg.inv(normal), dtype=np.float64)


def ray_derivative(camera: Camera, points: Array) -> Array:
    """Derivative (..., 3, 2) of the unit rays by raw px at points (..., 2)."""
    steps = _PIXEL_STEP * np.eye(2)
    forward = [unproject(camera, points + step)[0] for step in steps]
    backward = [unproject(camera, points - step)[0] for step in steps]
    slopes = [(f - b) / (2 * _PIXEL_STEP) for f, b in zip(forward, backward, strict=True)]
    return np.stack(slopes, axis=-1)


def _pixel_weights(m: Array, per_pixel: Array) -> Array:
    """One over the change of m.q along the steepest direction in the image, (..., N) px."""
    slope = np.swapaxes(per_pixel, -1, -2) @ m[..., None, :, None]
    return np.asarray(1 / np.linalg.norm(slope[..., 0], axis=-1), dtype=np.float64)


def half_angle(m: Array) -> Array:
    """Half-angle (...) of the cone in radians: cos a = 1 / |m|."""
    return np.asarray(np.arccos(1 / np.linalg.norm(m, axis=-1)), dtype=np.float64)


def sphere_centre(m: Array, radius: float) -> Array:
    """Centre (..., 3) of the ball in the unit of its radius: C = r m / |m| / sin a."""
    length = np.linalg.norm(m, axis=-1, keepdims=True)
    # sin a = sqrt(1 - 1/|m|^2), without the arc cosine that loses digits for small balls
    sine = np.sqrt((length - 1) * (length + 1)) / length
    return np.asarray(radius * m / length / sine, dtype=np.float64)


def hit_sphere(rays: Array, centre: Array, radius: float) -> tuple[Array, NDArray[np.bool_]]:
    """First points (..., 3) at which unit rays from the camera meet a ball, and whether they do."""
    along = (rays * centre).sum(axis=-1, keepdims=True)
    foot = centre - along * rays
    inside = radius**2 - (foot**2).sum(axis=-1, keepdims=True)
    depth = along - np.sqrt(np.where(inside > 0, inside, np.nan))
    return np.asarray(depth * rays, dtype=np.float64), inside[..., 0] > 0


def reflect(normals: Array, views: Array) -> Array:
    """Directions 2 (n.v) n - v (..., 3); n and v unit, away from the surface."""
    cosine = (normals * views).sum(axis=-1, keepdims=True)
    return np.asarray(2 * cosine * normals - views, dtype=np.float64)


def mirror_rays(m: Array, rays: Array, radius: float = 1.0) -> tuple[Array, Array]:
    """Where view rays meet the ball and where they go from there, NaN where they miss it.

    Parameters
    ----------
    m : (..., 3) of the ball's cone
    rays : (..., 3) unit view rays of the highlights
    radius : of the ball; the points come in its unit

    Returns
    -------
    points, directions : (..., 3) each, camera frame of OpenCV; directions are unit
    """
    centre = sphere_centre(m, radius)
    points, _ = hit_sphere(rays, centre, radius)
    return points, reflect((points - centre) / radius, -rays)


def orthographic_normals(ellipse: Ellipse, points: Array) -> Array:
    """Normals (..., 3), house frame, of a ball whose outline is an ellipse, at points (..., 2) px.

    The ellipse is taken for the unit circle, and the view rays for parallel. NaN off the ball.
    """
    disc = ellipse.to_disc(points)
    depth = 1 - (disc**2).sum(axis=-1)
    z = np.sqrt(np.where(depth >= 0, depth, np.nan))
    return np.stack([disc[..., 0], -disc[..., 1], z], axis=-1)


def orthographic_directions(ellipse: Ellipse, points: Array) -> Array:
    """Directions (..., 3) of the lamps, house frame, from highlights (..., 2) px; NaN off it."""
    return reflect(orthographic_normals(ellipse, points), np.array([0.0, 0.0, 1.0]))


def orthographic_bound(
    ellipse: Ellipse, points: Array, size: tuple[int, int], view_degrees: float
) -> Array:
    """Largest error (...) in degrees of `orthographic_directions` for a whole, undistorted image.

    Parameters
    ----------
    points : (..., 2) px, the highlights
    size : (width, height) of the image
    view_degrees : diagonal field of view that the camera has at most
    """
    focal = np.hypot(*size) / 2 / np.tan(np.radians(view_degrees) / 2)
    middle = (np.array(size) - 1) / 2
    off_axis = np.arctan(np.linalg.norm(ellipse.centre - middle) / focal)
    from_centre = np.arctan(np.linalg.norm(points - ellipse.centre, axis=-1) / focal)
    return np.asarray(np.degrees(off_axis + from_centre), dtype=np.float64)


def to_house(vectors: Array) -> Array:
    """Vectors (..., 3) of OpenCV's camera frame in that of the house, or back."""
    return np.asarray(vectors * flips("opencv"), dtype=np.float64)
