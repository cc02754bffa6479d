"""Surfaces at hits: position, smoothed normal, material and grain, from tables over the faces.

Shadow rays start on the smooth surface that the normals describe rather than on the facet, so that
no facets show where light grazes (Hanika, Hacking the Shadow Terminator, Ray Tracing Gems II, 4).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mvps.synth.materials import Material
from mvps.synth.renderer_ops import Ops, Value, normalise
from mvps.synth.renderer_trace import Hit
from mvps.synth.texture import lattice, noise

OFFSET_MM = 2e-4  # that shadow rays start above the surface: beyond the rounding of float32
SHADING_LIMIT = 0.02  # smallest cosine between a smoothed normal and the direction of sight
GRADIENT = 3.17  # deviation of the slope of noise across one direction, a grain
FIELDS = 12  # numbers a material
AXIS_LIMIT = 0.95  # beyond this cosine to x, grain runs along y


@dataclass(frozen=True)
class Tables:
    """What gathers read: (3F) corners and normals, (F) material, material numbers, the lattice."""

    corners: Value
    normals: Value
    material: Value
    looks: Value
    lattice: Value
    grainy: bool


@dataclass(frozen=True)
class Surface:
    """n hits: vectors (3, n) in the world, the rest (n,).

    ``start`` is where shadow rays begin, ``facet`` the normal of the triangle, ``normal`` the
    smoothed one with grain; both face the viewer. ``colour`` is the albedo with grain.
    """

    valid: Value
    face: Value
    point: Value
    start: Value
    facet: Value
    normal: Value
    tangent: Value
    colour: Value
    alpha: Value
    metallic: Value
    gloss: Value
    anisotropy: Value
    haze: Value


def make_tables(
    ops: Ops,
    corners: NDArray[np.float64],
    normals: NDArray[np.float64],
    material: NDArray[np.int64],
    looks: Sequence[Material],
) -> Tables:
    """Tables of corners and normals (F, 3, 3), material (F,) and the materials it points to."""
    rows = np.array([_numbers(look) for look in looks])
    return Tables(
        corners=ops.table(corners),
        normals=ops.table(normals),
        material=ops.integers(material),
        looks=ops.table(rows),
        lattice=ops.table(lattice()),
        grainy=any(look.grain.amplitude or look.grain.relief for look in looks),
    )


def _numbers(look: Material) -> list[float]:
    grain = look.grain
    return [
        *look.colour,
        look.roughness**2,
        look.metallic,
        look.gloss,
        look.anisotropy,
        look.haze,
        grain.amplitude,
        1 / grain.size_mm,
        1 / grain.stretch,
        grain.relief,
    ]


def surface(ops: Ops, tables: Tables, hit: Hit, towards: Value, *, grain: bool = True) -> Surface:
    """Surface at hits that are seen along ``towards``, unit vectors to the viewer."""
    a, b, c = (
        ops.gather3(tables.corners, hit.face * ops.index(3) + ops.index(k)) for k in range(3)
    )
    weights = (1.0 - hit.u - hit.v, hit.u, hit.v)
    point = a * weights[0] + b * weights[1] + c * weights[2]
    facet = normalise(ops, ops.cross(b - a, c - a))
    side = ops.select(ops.dot(facet, towards) < 0, -1.0, 1.0)
    facet = facet * side
    smooth: Value = 0.0
    lift: Value = 0.0
    for k, corner in enumerate((a, b, c)):
        at = ops.gather3(tables.normals, hit.face * ops.index(3) + ops.index(k)) * side
        smooth = smooth + at * weights[k]
        lift = lift + at * (weights[k] * ops.minimum(ops.dot(point - corner, at), 0.0))
    smooth = normalise(ops, smooth)
    row = ops.gather(tables.material, hit.face) * ops.index(FIELDS)
    fields = [ops.gather(tables.looks, row + ops.index(k)) for k in range(FIELDS)]
    colour = ops.vector(*fields[:3])
    alpha = fields[3]
    if grain and tables.grainy:
        smooth, shade = _grain(ops, tables, point, smooth, fields)
        colour = ops.minimum(ops.maximum(colour * shade, 0.0), 1.0)
        alpha = alpha * shade
    smooth = _visible(ops, smooth, towards)
    return Surface(
        valid=hit.valid,
        face=hit.face,
        point=point,
        start=point - lift + facet * OFFSET_MM,
        facet=facet,
        normal=smooth,
        tangent=_tangent(ops, smooth),
        colour=colour,
        alpha=alpha,
        metallic=fields[4],
        gloss=fields[5],
        anisotropy=fields[6],
        haze=fields[7],
    )


def _grain(
    ops: Ops, tables: Tables, point: Value, normal: Value, fields: list[Value]
) -> tuple[Value, Value]:
    """Normal tilted by grain, and the factor of albedo and roughness."""
    amplitude, frequency, squeeze, relief = fields[8:12]
    scale = ops.vector(frequency * squeeze, frequency, frequency)
    value, gradient = noise(ops, tables.lattice, point * scale)
    gradient = ops.vector(gradient[0] * squeeze, gradient[1], gradient[2])
    across = gradient - normal * ops.dot(normal, gradient)
    tilted = normalise(ops, normal - across * (relief / GRADIENT))
    return tilted, ops.maximum(1.0 + amplitude * value, 0.2)


def _visible(ops: Ops, normal: Value, towards: Value) -> Value:
    """Normals bent until they face the viewer, as the real surface would at its outline."""
    lack = ops.maximum(SHADING_LIMIT - ops.dot(normal, towards), 0.0)
    return normalise(ops, normal + towards * lack)


def _tangent(ops: Ops, normal: Value) -> Value:
    """Direction of the grain: x of the part in the surface, y where the normal is along x."""
    along_y = ops.absolute(normal[0]) > AXIS_LIMIT
    x, y = ops.select(along_y, 0.0, 1.0), ops.select(along_y, 1.0, 0.0)
    share = x * normal[0] + y * normal[1]
    axis = ops.vector(x - normal[0] * share, y - normal[1] * share, -normal[2] * share)
    return normalise(ops, axis)
