"""Direction and strength of a lamp from the shading of a matt ball.

Lambert's law with attached shadow, I = e max(0, n.l), by least squares over the pixels that the
lamp lights, which are chosen anew in each round.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mvps.lights.highlight import SATURATED

Array = NDArray[np.float64]

_ROUNDS = 30
_DARK = 0.03  # of white; less is no light
_GRAZING = 0.15  # n.l below which a real surface, and the model, are uncertain
_TUKEY = 4.685
_LEAST_PIXELS = 50


@dataclass(frozen=True, eq=False)
class Shading:
    """A lamp as a matt ball shows it.

    Attributes
    ----------
    direction : (3,) unit, in the frame of the normals
    strength : (C,) brightness of a patch that faces the lamp, fraction of white
    residual : root mean square of I - e n.l over the pixels used, fraction of the strength
    sigma : standard deviation of the direction in degrees, as the residuals imply
    pixels : how many were used
    """

    direction: Array
    strength: Array
    residual: float
    sigma: float
    pixels: int


def fit_shading(samples: Array, normals: Array) -> Shading | None:
    """The lamp of one photograph; None where too few pixels are lit.

    Parameters
    ----------
    samples : (N, C) linear, fraction of white
    normals : (N, 3) unit
    """
    usable = (samples < SATURATED).all(axis=1) & (samples.mean(axis=1) > _DARK)
    light = samples.mean(axis=1)
    if usable.sum() < _LEAST_PIXELS:
        return None
    # The mean normal weighted by light is on the lit side: a start that shadows do not spoil.
    g = (light[usable, None] * normals[usable]).sum(axis=0)
    g *= light[usable].max() / np.linalg.norm(g)
    weight = np.zeros(len(light))
    for _ in range(_ROUNDS):
        lit = usable & (normals @ g > _GRAZING * np.linalg.norm(g))
        if lit.sum() < _LEAST_PIXELS:
            return None
        weight = _weights(light - normals @ g, lit)
        before = g
        g = _solve(normals, light, weight)
        if np.linalg.norm(g - before) < 1e-10 * np.linalg.norm(g):
            break
    return _shading(g, samples, normals, weight)


def _weights(residual: Array, lit: NDArray[np.bool_]) -> Array:
    scale = max(1e-6, 1.4826 * float(np.median(np.abs(residual[lit]))))
    ratio = residual / (_TUKEY * scale)
    return np.where(lit & (np.abs(ratio) < 1), (1 - ratio**2) ** 2, 0.0)


def _solve(normals: Array, light: Array, weight: Array) -> Array:
    rows = normals * weight[:, None]
    solution = np.linalg.lstsq(rows.T @ normals, rows.T @ light, rcond=None)[0]
    return np.asarray(solution, dtype=np.float64)


def _shading(g: Array, samples: Array, normals: Array, weight: Array) -> Shading | None:
    strength = float(np.linalg.norm(g))
    if not strength > 0:
        return None
    direction = g / strength
    shade = normals @ direction
    used = weight > 0
    total = float((weight * shade * shade).sum())
    per_channel = np.asarray((weight * shade) @ samples / total, dtype=np.float64)
    residual = samples.mean(axis=1) - strength * shade
    variance = float((weight * residual**2).sum() / weight.sum())
    normal = (normals * weight[:, None]).T @ normals
    across = np.eye(3) - np.outer(direction, direction)
    spread = across @ np.linalg.inv(normal) @ across * variance / strength**2
    return Shading(
        direction=direction,
        strength=per_channel,
        residual=float(np.sqrt(variance) / strength),
        sigma=float(np.degrees(np.sqrt(np.trace(spread) / 2))),
        pixels=int(used.sum()),
    )
