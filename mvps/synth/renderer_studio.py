"""The light of diffuse photographs: a dome and soft boxes, as functions of direction.

Directions are in the world (z up). Radiance is about 1 on average, so that white paper on the plate
comes out near 1.
"""

from __future__ import annotations

import math

from mvps.synth.renderer_ops import Ops, Value, clamp

ZENITH, HORIZON = 1.0, 0.45  # radiance of the dome
EDGE_DEG = 12.0  # over which a soft box fades
BLURRED_DEG = 30.0  # by which boxes grow in the broad lobe of gloss
# azimuth, elevation, radius in degrees, radiance; the first is the key light
BOXES = ((-62.0, 52.0, 26.0, 1.9), (118.0, 38.0, 20.0, 1.2), (20.0, 66.0, 18.0, 0.9))
TINT = ((1.0, 0.99, 0.97), (0.97, 0.99, 1.0))  # of the boxes and of the dome


def studio_light(ops: Ops, way: Value, blur_deg: float = 0.0) -> Value:
    """Radiance (3, n) from unit directions (3, n); nothing from below the horizon.

    ``blur_deg`` widens the boxes by as much on each side, at the same light in all.
    """
    up = clamp(ops, way[2], 0.0, 1.0)
    dome = HORIZON + (ZENITH - HORIZON) * up
    boxes: Value = 0.0
    for azimuth, elevation, radius, radiance in BOXES:
        thin = (1 - math.cos(math.radians(radius))) / (
            1 - math.cos(math.radians(radius + blur_deg))
        )
        boxes = boxes + _box(ops, way, azimuth, elevation, (radius, blur_deg)) * (radiance * thin)
    light = ops.vector(*(dome * d + boxes * b for b, d in zip(*TINT, strict=True)))
    return ops.select(way[2] > -0.02, light, 0.0)


def _box(
    ops: Ops, way: Value, azimuth: float, elevation: float, extent: tuple[float, float]
) -> Value:
    radius, blur = extent
    turn, rise = math.radians(azimuth), math.radians(elevation)
    flat = math.cos(rise)
    cosine = way[0] * (flat * math.cos(turn)) + way[1] * (flat * math.sin(turn))
    cosine = cosine + way[2] * math.sin(rise)
    outer = math.cos(math.radians(radius + blur + EDGE_DEG / 2 + blur / 2))
    inner = math.cos(math.radians(radius + blur - EDGE_DEG / 2 - blur / 2))
    t = clamp(ops, (cosine - outer) * (1.0 / (inner - outer)), 0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)
