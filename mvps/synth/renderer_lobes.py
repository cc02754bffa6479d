"""How surfaces answer to light: a Lambertian base under anisotropic GGX lobes, and their samples.

Walter et al. (EGSR 2007) and Burley (2012); masking after Heitz (JCGT 2014).
"""

from __future__ import annotations

import math

from mvps.synth.renderer_ops import Ops, Value, normalise
from mvps.synth.renderer_surface import Surface

HAZE_ALPHA = 0.49  # of the broad lobe
BODY = 0.85  # share of a lobe that is sampled: a ray in its long tail would be a firefly
GRAZING = 50.0  # times gloss, at most 1: what a surface reflects edge-on


def reflect(ops: Ops, at: Surface, viewer: Value, towards: Value) -> tuple[Value, Value]:
    """Radiance towards ``viewer`` of light from ``towards``: matt and glossy part, (3, n) each.

    For a light whose irradiance, facing it, is pi; the cosine is included.
    """
    n_l, n_v, half = _angles(ops, at, viewer, towards)
    l_h = ops.maximum(ops.dot(towards, half), 0.0)
    matt = (1.0 - at.metallic) * n_l
    matt = matt * (1.0 - _dielectric(ops, at, n_l)) * (1.0 - _dielectric(ops, at, n_v))
    sharp, broad = _densities(ops, at, viewer, towards)
    lobe = (1.0 - at.haze) * sharp + at.haze * broad
    return at.colour * matt, _fresnel(ops, at, l_h) * (lobe * n_l * math.pi)


def mirrored(ops: Ops, at: Surface, towards: Value, half: Value) -> Value:
    """Share (3, n) of light from ``towards`` that goes over facets ``half`` to the viewer."""
    n_l = ops.maximum(ops.dot(at.normal, towards), 0.0)
    # Rough surfaces shadow themselves where light grazes.
    root = ops.sqrt(at.alpha * at.alpha * (1.0 - n_l * n_l) + n_l * n_l)
    masking = 2.0 * n_l / ops.maximum(n_l + root, 1e-4)
    return _fresnel(ops, at, ops.maximum(ops.dot(towards, half), 0.0)) * masking


def cosine_direction(ops: Ops, normal: Value, a: Value, b: Value) -> Value:
    """Directions about normals, as dense as the cosine: points on a ball that lies on the plane."""
    z = 1.0 - 2.0 * a
    r = ops.sqrt(ops.maximum(1.0 - z * z, 0.0))
    ball = ops.vector(r * ops.cos(2 * math.pi * b), r * ops.sin(2 * math.pi * b), z)
    return normalise(ops, normal + ball * 0.999)


def lobe_direction(ops: Ops, at: Surface, a: Value, b: Value) -> tuple[Value, Value]:
    """Facets as dense as the lobes; the mask tells which came from the broad one."""
    broad = a < at.haze
    in_broad = a / ops.maximum(at.haze, 1e-6)
    in_sharp = (a - at.haze) / ops.maximum(1.0 - at.haze, 1e-6)
    rest = ops.minimum(ops.select(broad, in_broad, in_sharp), 1.0) * BODY
    radius = ops.sqrt(rest / (1.0 - rest))
    ax, ay = (ops.select(broad, HAZE_ALPHA, alpha) for alpha in _alphas(ops, at))
    turn = 2 * math.pi * b
    across = ops.cross(at.normal, at.tangent)
    lean = at.tangent * (ax * radius * ops.cos(turn)) + across * (ay * radius * ops.sin(turn))
    return normalise(ops, at.normal + lean), broad


def _alphas(ops: Ops, at: Surface) -> tuple[Value, Value]:
    """Widths along the grain and across it, where the lobe is broader."""
    narrow = ops.sqrt(1.0 - at.anisotropy)
    return at.alpha * narrow, ops.minimum(at.alpha / narrow, 1.0)


def _fresnel(ops: Ops, at: Surface, cosine: Value) -> Value:
    """Reflectance (3, n) of facets (Schlick, 1994)."""
    straight = at.colour * at.metallic + at.gloss * (1.0 - at.metallic)
    edge = ops.select(at.metallic > 0.5, 1.0, ops.minimum(GRAZING * at.gloss, 1.0))
    return straight + (edge - straight) * _fifth(1.0 - cosine)


def _dielectric(ops: Ops, at: Surface, cosine: Value) -> Value:
    edge = ops.minimum(GRAZING * at.gloss, 1.0)
    return at.gloss + (edge - at.gloss) * _fifth(1.0 - cosine)


def _fifth(x: Value) -> Value:
    square = x * x
    return square * square * x


def _densities(ops: Ops, at: Surface, viewer: Value, towards: Value) -> tuple[Value, Value]:
    """D G / (4 n.l n.v) of the anisotropic GGX lobe and of the broad one (Heitz, JCGT 2014)."""
    n_l, n_v, half = _angles(ops, at, viewer, towards)
    across = ops.cross(at.normal, at.tangent)
    ax, ay = _alphas(ops, at)
    n_h = ops.dot(at.normal, half)
    hx, hy = ops.dot(half, at.tangent), ops.dot(half, across)
    q = (hx / ax) * (hx / ax) + (hy / ay) * (hy / ay) + n_h * n_h
    d = 1.0 / (math.pi * ax * ay * q * q)
    v = _length(ops, ax * ops.dot(viewer, at.tangent), ay * ops.dot(viewer, across), n_v)
    light = _length(ops, ax * ops.dot(towards, at.tangent), ay * ops.dot(towards, across), n_l)
    sharp = d * 0.5 / ops.maximum(n_l * v + n_v * light, 1e-6)
    a2 = HAZE_ALPHA**2
    q = 1.0 - n_h * n_h * (1.0 - a2)
    v = ops.sqrt(a2 + (1.0 - a2) * n_v * n_v)
    light = ops.sqrt(a2 + (1.0 - a2) * n_l * n_l)
    broad = (a2 / math.pi) / (q * q) * 0.5 / ops.maximum(n_l * v + n_v * light, 1e-6)
    return sharp, broad


def _length(ops: Ops, x: Value, y: Value, z: Value) -> Value:
    return ops.sqrt(x * x + y * y + z * z)


def _angles(ops: Ops, at: Surface, viewer: Value, towards: Value) -> tuple[Value, Value, Value]:
    """Cosines of light and viewer to the normal, and the direction half way between them."""
    n_l = ops.maximum(ops.dot(at.normal, towards), 0.0)
    n_v = ops.maximum(ops.dot(at.normal, viewer), 1e-3)
    return n_l, n_v, normalise(ops, viewer + towards)
