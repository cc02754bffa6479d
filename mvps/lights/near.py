"""Lamps near the scene: where the rays from two or more mirror balls meet.

The point of least squared distances to the rays, with its covariance by first-order propagation
of the noise of outlines and highlights.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from mvps.lights.sphere_model import mirror_rays

Array = NDArray[np.float64]

_PARALLEL = 1e-13  # determinant, about the square of the angle between two rays
_STEP = 1e-6  # relative, of numerical derivatives


def meet(origins: Array, directions: Array) -> Array:
    """Points (..., 3) of least squared distances to B rays.

    Parameters
    ----------
    origins : (..., B, 3)
    directions : (..., B, 3) unit; two at least that are not parallel

    Returns
    -------
    points : (..., 3), in the unit of the origins; NaN where the rays are parallel
    """
    across = np.eye(3) - directions[..., :, None] * directions[..., None, :]
    # Relative to the mean origin, so that nothing is lost to a distant camera.
    middle = origins.mean(axis=-2)
    right = (across @ (origins - middle[..., None, :])[..., None]).sum(axis=-3)
    total = across.sum(axis=-3)
    with np.errstate(invalid="ignore"):  # rays that are not known are NaN
        parallel = ~(np.linalg.det(total) > _PARALLEL)
    total = np.where(parallel[..., None, None], np.eye(3), total)
    found = middle + np.linalg.solve(total, right)[..., 0]
    return np.asarray(np.where(parallel[..., None], np.nan, found), dtype=np.float64)


def misses(points: Array, origins: Array, directions: Array) -> Array:
    """Distances (..., B) of points (..., 3) from B rays."""
    apart = points[..., None, :] - origins
    along = (apart * directions).sum(axis=-1, keepdims=True)
    return np.asarray(np.linalg.norm(apart - along * directions, axis=-1), dtype=np.float64)


def lamp(m: Array, rays: Array, radii: Array) -> Array:
    """Position (..., 3) of a lamp from the cones and highlight rays (..., B, 3) of B balls.

    Parameters
    ----------
    m, rays : (..., B, 3), camera frame of OpenCV
    radii : (B,) mm
    """
    return meet(*mirrored(m, rays, radii))


def lamp_covariance(
    m: Array,
    rays: Array,
    radii: Array,
    *,
    cone_covariances: Array,
    ray_derivatives: Array,
    highlight_sigmas: Array,
) -> Array:
    """Covariance (..., 3, 3) in mm^2 of `lamp`.

    Parameters
    ----------
    cone_covariances : (..., B, 3, 3) of m
    ray_derivatives : (..., B, 3, 2) of the rays by the pixel
    highlight_sigmas : (..., B) px, of each coordinate of a highlight
    """
    by_cone = derivative(lambda x: lamp(x, rays, radii), m)
    by_ray = derivative(lambda x: lamp(m, _unit(x), radii), rays)
    total = np.zeros((*m.shape[:-2], 3, 3))
    for b in range(m.shape[-2]):
        cone = by_cone[..., b, :]
        pixel = by_ray[..., b, :] @ ray_derivatives[..., b, :, :]
        scaled = pixel * highlight_sigmas[..., b, None, None]
        total += cone @ cone_covariances[..., b, :, :] @ np.swapaxes(cone, -1, -2)
        total += scaled @ np.swapaxes(scaled, -1, -2)
    return total


def derivative(function: Callable[[Array], Array], at: Array) -> Array:
    """Derivative (..., 3, B, 3) of a map from (..., B, 3) to (..., 3), by central differences."""
    slopes = np.empty((*at.shape[:-2], 3, *at.shape[-2:]))
    for b, i in np.ndindex(*at.shape[-2:]):
        step = np.zeros(at.shape[-2:])
        step[b, i] = _STEP
        slopes[..., b, i] = (function(at + step) - function(at - step)) / (2 * _STEP)
    return slopes


def mirrored(m: Array, rays: Array, radii: Array) -> tuple[Array, Array]:
    balls = [mirror_rays(m[..., b, :], rays[..., b, :], float(r)) for b, r in enumerate(radii)]
    points, directions = zip(*balls, strict=True)
    return np.stack(points, axis=-2), np.stack(directions, axis=-2)


def _unit(vectors: Array) -> Array:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True))
