"""What is right for the quality of a pixel: condition, standard deviation and counts in NumPy.

Covariance of weighted least squares for fixed weights; where the weights follow the residuals, with
the correction of Huber (1981, section 7.6). ``kernels/quality.cuh`` is tested against this file.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mvps.stereo.noise import PRIOR
from mvps.stereo.problem import Problem
from mvps.stereo.robust_reference import Fit
from mvps.stereo.solvers import SHADOW

LEAST_SLOPE = 0.25  # mean slope of psi below which a correction is no more one
FARTHEST_OFF = 90.0  # degrees; beyond, a deviation of directions means nothing

Array = NDArray[Any]


@dataclass(frozen=True)
class Spread:
    """What the lights of N pixels say of their noise.

    Attributes
    ----------
    mean_square : (N,) sum of (w e)^2 over sum of w^2, mean over the albedos
    lights : (N,) effective number of lights, (sum w)^2 / sum w^2 (Kish 1965)
    freedom : (N,) degrees of freedom, A lights less 3 (less 5 with three albedos), at least 0
    value : (N,) weighted mean of v, at least 0
    albedos : A
    """

    mean_square: Array
    lights: Array
    freedom: Array
    value: Array
    albedos: int

    @property
    def squares(self) -> Array:
        """(N,) what the residuals add up to: ``freedom`` times their variance where that is > 0."""
        total: Array = self.mean_square * self.lights * self.albedos
        return total


def spread(v: Array, shading: Array, albedo: Array, weights: Array) -> Spread:
    """Spread of values v (K, N, A) about shading (K, N) times albedo (N, A or 1)."""
    albedos = v.shape[2]
    square = np.square(v - shading[:, :, None] * albedo).mean(axis=2)
    total, total2 = weights.sum(axis=0), np.square(weights).sum(axis=0)
    lights = total**2 / total2
    return Spread(
        mean_square=(np.square(weights) * square).sum(axis=0) / total2,
        lights=lights,
        freedom=np.maximum(albedos * lights - (5 if albedos == 3 else 3), 0),
        value=np.maximum((weights * v.mean(axis=2)).sum(axis=0) / total, 0),
        albedos=albedos,
    )


def deviation(
    problem: Problem, v: Array, fit: Fit, normals: Array, albedo: Array
) -> tuple[Array, Array]:
    """Condition of W^(1/2) L and the standard deviation of the normal in degrees, each (N,)."""
    L = problem.directions.astype(v.dtype)
    weights, judged, slopes = (part.astype(v.dtype) for part in fit.parts)
    products = (L[:, :, None] * L[:, None, :]).reshape(-1, 9)
    once = (weights.T @ products).reshape(-1, 3, 3)
    twice = (np.square(weights).T @ products).reshape(-1, 3, 3)
    seen = spread(v, L @ normals.T, albedo, judged)
    correction = np.maximum(slopes.sum(axis=0) / judged.sum(axis=0), LEAST_SLOPE)
    condition, angle = angle_of(problem, seen, (once, twice), normals, albedo)
    return condition, np.minimum(angle / correction, FARTHEST_OFF)


def angle_of(
    problem: Problem, seen: Spread, system: tuple[Array, Array], normals: Array, albedo: Array
) -> tuple[Array, Array]:
    """Condition and standard deviation in degrees, each (N,), of weighted lights.

    The covariance of g is S = s^2 A^-1 (L'W^2 L) A^-1 with A = L'WL; an angle is its part across
    the normal over the albedo, of which this is the root mean square: sqrt((tr S - n'Sn) / rho^2).

    Parameters
    ----------
    system : L'WL and L'W^2 L, each (N, 3, 3)
    normals, albedo : (N, 3) and (N, A)
    """
    once, twice = system
    sound = np.isfinite(once).all(axis=(1, 2)) & (np.abs(np.linalg.det(once)) > 0)
    once = np.where(sound[:, None, None], once, np.eye(3))  # such a pixel is invalid anyway
    inverse = np.linalg.inv(once)
    middle = inverse @ twice @ inverse
    across = np.trace(middle, axis1=1, axis2=2) - np.einsum(
        "ni,nij,nj->n", normals, middle, normals
    )
    prior = problem.noise.read + problem.noise.shot * seen.value
    variance = (PRIOR * prior + seen.squares) / (PRIOR + seen.freedom)
    variance *= np.maximum(across, 0) / np.square(albedo).sum(axis=1)
    return np.sqrt(np.linalg.cond(once)), np.degrees(np.sqrt(variance))


def extremes(problem: Problem, raw: Array, v: Array, albedo: Array) -> tuple[Array, Array]:
    """Lights whose sample is saturated, and lights in shadow, each (N,); raw is (K, N, C)."""
    top = raw.max(axis=2)
    saturated = ~(top < problem.saturated)
    dark = ~(v.sum(axis=2) > SHADOW * albedo.sum(axis=1)) | ~(top > problem.low)
    return saturated.sum(axis=0), (dark & (top > problem.marked)).sum(axis=0)
