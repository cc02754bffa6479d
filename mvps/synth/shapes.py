"""Procedural parts of exact form: for demonstrations, and to measure the renderer against.

Vertices lie on the ideal surface, whose heights and normals at any point are given too. All shapes
stand on z = 0, centred in x and y, and are closed.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mvps.errors import InputError
from mvps.synth.mesh import Mesh, join, make_mesh, weld

Array = NDArray[np.float64]
ROUND_STEPS = 12  # divisions of a quarter of a fillet
SEGMENTS = 192  # divisions of a full turn
WELD_MM = 1e-9


def plate(width: float, depth: float, height: float, fillet: float = 0.0) -> Mesh:
    """Block whose upper and upright edges are rounded, mm.

    Raises
    ------
    InputError
        A side is not above zero, or the fillet does not fit.
    """
    _check("plate", width=width, depth=depth, height=height)
    if not 0 <= fillet <= min(width / 2, depth / 2, height):
        raise InputError("plate", f"a fillet of {fillet:g} mm does not fit", "make it smaller")
    quarter = np.radians(np.linspace(0, 90, ROUND_STEPS + 1))
    inset = np.concatenate([[0.0], fillet * (1 - np.cos(quarter))])
    level = np.concatenate([[0.0], height - fillet * (1 - np.sin(quarter))])
    rings = []
    for side, z in zip(inset, level, strict=True):
        corner = (fillet - side) * np.stack([np.cos(quarter), np.sin(quarter)], axis=1)
        ring = np.concatenate([_quarter_turn(corner, k, width, depth, fillet) for k in range(4)])
        rings.append(np.column_stack([ring, np.full(len(ring), z)]))
    bottom, top = np.zeros_like(rings[0]), np.broadcast_to([0.0, 0.0, height], rings[0].shape)
    return _lofted(np.stack([bottom, *rings, top]))


def sphere_cap(radius: float, base: float, segments: int = SEGMENTS) -> Mesh:
    """Cap of a sphere on a disc of radius ``base``, mm.

    Raises
    ------
    InputError
        A radius is not above zero, or the base is wider than the sphere.
    """
    _check("sphere cap", radius=radius, base=base)
    if base > radius:
        raise InputError("sphere cap", f"base {base:g} mm is wider than the sphere, {radius:g} mm")
    rim = np.arcsin(base / radius)
    angle = np.linspace(rim, 0, max(8, int(segments * rim / (2 * np.pi))) + 1)
    drop = np.sqrt(radius**2 - base**2)
    profile = np.stack([radius * np.sin(angle), radius * np.cos(angle) - drop], axis=1)
    profile[0, 1] = 0.0
    return _turned(np.vstack([[0.0, 0.0], profile]), segments)


def cylinder(radius: float, height: float, segments: int = SEGMENTS) -> Mesh:
    """Upright cylinder with flat ends, mm; InputError where a length is not above zero."""
    _check("cylinder", radius=radius, height=height)
    return _turned(
        np.array([[0, 0], [radius, 0], [radius, height], [0, height]], np.float64), segments
    )


def torus(ring: float, tube: float, segments: int = SEGMENTS) -> Mesh:
    """Ring with a round section, lying flat: radii of its centre line and of its section, mm.

    Raises
    ------
    InputError
        A radius is not above zero, or the section is wider than the ring.
    """
    _check("torus", ring=ring, tube=tube)
    if tube >= ring:
        raise InputError("torus", "the section is wider than the ring", "make it thinner")
    angle = np.linspace(-np.pi / 2, 1.5 * np.pi, max(24, segments // 2) + 1)
    angle[-1] = angle[0]
    return _turned(
        np.stack([ring + tube * np.cos(angle), tube + tube * np.sin(angle)], axis=1), segments
    )


def washer(
    inner: float, outer: float, height: float, fillet: float = 0.0, segments: int = SEGMENTS
) -> Mesh:
    """Flat ring with a hole, its upper edges rounded: radii, height and fillet in mm.

    Raises
    ------
    InputError
        A length is not above zero, the hole is too wide, or the fillet does not fit.
    """
    _check("washer", inner=inner, outer=outer, height=height)
    if inner >= outer:
        raise InputError("washer", "the hole is wider than the washer", "make it smaller")
    if not 0 <= fillet <= min((outer - inner) / 2, height):
        raise InputError("washer", f"a fillet of {fillet:g} mm does not fit", "make it smaller")
    quarter = np.radians(np.linspace(0, 90, ROUND_STEPS + 1))
    inset, rise = fillet * (1 - np.cos(quarter)), height - fillet * (1 - np.sin(quarter))
    outside = np.stack([outer - inset, rise], axis=1)
    inside = np.stack([inner + inset, rise], axis=1)[::-1]
    foot, heel = [[inner, 0.0]], [[outer, 0.0]]
    return _turned(np.concatenate([foot, heel, outside, inside, foot]), segments)


def cosine_relief(
    width: float, depth: float, base: float, amplitude: float, period: float, *, step: float = 0.1
) -> Mesh:
    """Block whose top is z = base + amplitude cos(2 pi x / period) cos(2 pi y / period), mm.

    Raises
    ------
    InputError
        A length is not above zero, or the relief cuts through the plate.
    """
    _check("relief", width=width, depth=depth, base=base, period=period, step=step)
    if abs(amplitude) >= base:
        raise InputError("relief", "it cuts through the plate", "make the base higher")
    columns, rows = (max(2, round(side / step)) for side in (width, depth))
    x, y = np.meshgrid(
        np.linspace(-width / 2, width / 2, columns + 1),
        np.linspace(-depth / 2, depth / 2, rows + 1),
    )
    z = base + cosine_height(x, y, amplitude, period)
    top = np.stack([x, y, z], axis=-1)
    floor = np.stack([x, y, np.zeros_like(z)], axis=-1)
    sheets = [top, floor[:, ::-1]]
    for side in (np.s_[0, :], np.s_[:, -1], np.s_[-1, ::-1], np.s_[::-1, 0]):
        sheets.append(np.stack([floor[side], top[side]]))
    return weld(join([_sheet(sheet) for sheet in sheets]), WELD_MM)


def sphere_normals(points: Array, radius: float, base: float) -> Array:
    """Unit normals (..., 3) of the ideal sphere of :func:`sphere_cap` at points (..., 3), mm."""
    return _unit(points + np.array([0.0, 0.0, np.sqrt(radius**2 - base**2)]))


def torus_normals(points: Array, ring: float, tube: float) -> Array:
    """Unit normals (..., 3) of the ideal torus of :func:`torus` at points (..., 3), mm."""
    away = np.linalg.norm(points[..., :2], axis=-1, keepdims=True)
    centre = np.concatenate([ring * points[..., :2] / away, np.full_like(away, tube)], axis=-1)
    return _unit(points - centre)


def cosine_height(x: Array, y: Array, amplitude: float, period: float) -> Array:
    """Height over the base of :func:`cosine_relief` at x and y, mm."""
    wave = 2 * np.pi / period
    return np.asarray(amplitude * np.cos(wave * x) * np.cos(wave * y))


def cosine_normals(x: Array, y: Array, amplitude: float, period: float) -> Array:
    """Unit normals (..., 3) of the ideal top of :func:`cosine_relief` at x and y, mm."""
    wave = 2 * np.pi / period
    slope_x = -amplitude * wave * np.sin(wave * x) * np.cos(wave * y)
    slope_y = -amplitude * wave * np.cos(wave * x) * np.sin(wave * y)
    return _unit(np.stack([-slope_x, -slope_y, np.ones_like(slope_x)], axis=-1))


def _quarter_turn(corner: Array, k: int, width: float, depth: float, fillet: float) -> Array:
    """Points (N, 2) of the k-th rounded corner of a block's outline, counter-clockwise."""
    x, y = corner.T
    for _ in range(k):
        x, y = -y, x
    sign = ((1, 1), (-1, 1), (-1, -1), (1, -1))[k]
    centre = np.array([width / 2 - fillet, depth / 2 - fillet]) * sign
    return np.asarray(np.stack([x, y], axis=1) + centre)


def _turned(profile: Array, segments: int) -> Mesh:
    """Surface of revolution of a profile (N, 2) of radius and z, from its foot outward and up."""
    angle = 2 * np.pi * np.arange(segments) / segments
    radius, z = profile[:, :1], np.broadcast_to(profile[:, 1:], (len(profile), segments))
    return _lofted(np.stack([radius * np.cos(angle), radius * np.sin(angle), z], axis=-1))


def _lofted(rings: Array) -> Mesh:
    """Surface through closed rings (R, N, 3), counter-clockwise from above, outward and up."""
    return weld(_sheet(np.concatenate([rings, rings[:, :1]], axis=1)), WELD_MM)


def _sheet(points: Array) -> Mesh:
    """Two triangles for each square of a grid (R, C, 3); outside is to the left of its rows."""
    rows, columns = points.shape[:2]
    index = np.arange(rows * columns).reshape(rows, columns)
    a, b, c, d = index[:-1, :-1], index[:-1, 1:], index[1:, 1:], index[1:, :-1]
    faces = [np.stack(corners, axis=-1).reshape(-1, 3) for corners in ((a, b, c), (a, c, d))]
    return make_mesh(points.reshape(-1, 3), np.concatenate(faces))


def _unit(vectors: Array) -> Array:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True))


def _check(shape: str, **lengths: float) -> None:
    for name, value in lengths.items():
        if not (np.isfinite(value) and value > 0):
            raise InputError(shape, f"{name} {value:g} mm", "give a length above zero")
