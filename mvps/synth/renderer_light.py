"""Lamps as surfaces see them: direction, strength, and whether they face each other.

A lamp of intensity 1 gives a matt surface the radiance albedo * cos, so that images obey the
house's law I = rho * intensity (l.n). Lamps with a position follow Queau et al. (JMIV 2018):
Phi (-l.axis)^mu / d^2, scaled so that at the origin of the world their mean effect, weighted by
intensity, is 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mvps.calib import Camera
from mvps.calib.geometry import pose
from mvps.calib.transforms import NORMAL_FLIP
from mvps.lights import LightRig
from mvps.synth.renderer_ops import Ops, Value
from mvps.synth.renderer_surface import Surface
from mvps.synth.renderer_trace import FAR

COLUMNS = 12  # numbers a lamp


@dataclass(frozen=True)
class Lit:
    """Light on n surfaces: direction to it (3, n), whether they face it, strength, distance."""

    towards: Value
    facing: Value
    effect: Value
    distance: Value


def lamp_rows(lights: LightRig, camera: Camera) -> NDArray[np.float64]:
    """(K, 12), world: direction or position, 1 if near, strength, axis, mu, R G B."""
    rotation, _ = pose(camera)
    turn = NORMAL_FLIP @ rotation  # world to house
    rows = np.zeros((len(lights), COLUMNS))
    rows[:, :3] = lights.directions @ turn
    rows[:, 4] = 1.0
    rows[:, 9:12] = np.broadcast_to(
        lights.intensities if lights.intensities.ndim == 2 else lights.intensities[:, None],
        (len(lights), 3),
    )
    if lights.positions is not None:
        rows[:, :3] = lights.positions @ turn + camera.centre()
        rows[:, 3] = 1.0
        if lights.axes is not None:
            rows[:, 5:8] = lights.axes @ turn
            rows[:, 8] = 1.0 if lights.mu is None else lights.mu
        rows[:, 4] = _strength(rows)
    return rows


def _strength(rows: NDArray[np.float64]) -> float:
    """mm^2 that make the mean effect at the origin 1; 1 where no lamp shines there."""
    distance = np.linalg.norm(rows[:, :3], axis=1)
    # l points from the origin to the lamp: -l.axis is the cosine to the lamp's own axis
    cosine = np.maximum(-(rows[:, :3] * rows[:, 5:8]).sum(axis=1) / distance, 0)
    lobe = np.where(rows[:, 8] > 0, cosine ** rows[:, 8], 1.0)
    weight = rows[:, 9:12].mean(axis=1)
    total = float((weight * lobe / distance**2).sum())
    return float(weight.sum() / total) if total > 0 else 1.0


def light_on(ops: Ops, lamps: Value, k: Value, at: Surface) -> Lit:
    """Lamp ``k`` of the rows at surfaces."""
    row = [ops.gather(lamps, k * ops.index(COLUMNS) + ops.index(i)) for i in range(9)]
    place = ops.vector(*row[:3])
    near = row[3] > 0.5
    apart = ops.select(near, place - at.start, place)
    square = ops.maximum(ops.dot(apart, apart), 1e-12)
    towards = apart * (1.0 / ops.sqrt(square))
    cosine = ops.maximum(-ops.dot(towards, ops.vector(*row[5:8])), 0.0)
    lobe = ops.select(row[8] > 0, ops.exp(row[8] * ops.log(ops.maximum(cosine, 1e-12))), 1.0)
    effect = ops.select(near, row[4] * lobe / square, 1.0)
    distance = ops.select(near, ops.sqrt(square), FAR)
    facing = at.valid & (ops.dot(at.normal, towards) > 0) & (effect > 0)
    return Lit(towards, facing, effect, distance)


def colour_of(ops: Ops, lamps: Value, k: Value) -> Value:
    """R, G, B intensity of lamp ``k``."""
    return ops.vector(
        *(ops.gather(lamps, k * ops.index(COLUMNS) + ops.index(i)) for i in (9, 10, 11))
    )
