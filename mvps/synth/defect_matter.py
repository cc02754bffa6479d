"""Defects that add matter or colour: a drop, a crumb, a fibre; a stain that only colour shows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mvps.errors import InputError
from mvps.synth.defect_noise import facets, ragged, waves
from mvps.synth.defect_shapes import dense, smoothstep
from mvps.synth.defect_surface import (
    Chart,
    Footprint,
    heights_over,
    labelled,
    patch_under,
    refine_patch,
)
from mvps.synth.defect_types import Damaged, Defect, Looks
from mvps.synth.materials import Grain, Material
from mvps.synth.mesh import Mesh, join, make_mesh, weld

Array = NDArray[np.float64]

FORMS = ("drop", "crumb", "fibre")
STEPS = 8  # shades between the sound colour and the stain's
# Least contrast of a shade of a stain: where it covers a third of a pixel, as at a rim, a picture
# still changes by 2%.
VISIBLE_SHADE = 0.06
RINGS, SPOKES = 28, 96  # of a drop
TUBE_SIDES = 12

_OCTAHEDRON = np.array(
    [[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]], np.float64
)
_OCTANTS = np.array(
    [[0, 2, 4], [2, 1, 4], [1, 3, 4], [3, 0, 4], [2, 0, 5], [1, 2, 5], [3, 1, 5], [0, 3, 5]]
)


def matter_footprint(defect: Defect) -> Footprint:
    """Where a contamination or discoloration touches the part."""
    if defect.parameters.get("form") == "fibre":
        path = np.asarray(defect.parameters["path"], np.float64)
        thick = defect.depth_mm
        return Footprint(dense(path, thick), thick, thick)
    return Footprint(np.zeros((1, 2)), defect.size_mm / 2, defect.size_mm / 80)


def contaminate(mesh: Mesh, looks: Looks, defect: Defect, chart: Chart) -> Damaged:
    """Add a drop, a crumb or a fibre of its own material; the part stays as it is."""
    form = str(defect.parameters["form"])
    if form not in _FORMS:
        raise InputError("contamination", f"unknown form {form!r}", "use " + ", ".join(FORMS))
    patch = patch_under(mesh, chart, matter_footprint(defect))
    flat = chart.flat(mesh.vertices[mesh.faces[patch]])

    def ground(points: Array) -> Array:
        over = heights_over(flat, points)
        level = np.where(np.isnan(over), -np.inf, over).max(axis=1)
        if np.isinf(level).any():
            raise InputError("contamination", "it hangs over an edge", "move it or make it smaller")
        return np.asarray(level)

    vertices, faces = _FORMS[form](defect, ground)
    name = f"contamination.{defect.label}"
    added = make_mesh(chart.lift(vertices), faces, material=name, surface=0)
    added = labelled(added, np.ones(len(added.faces), np.bool_), defect.label)
    return Damaged(join([mesh, added]), {**looks, name: _material(defect)})


def discolour(mesh: Mesh, looks: Looks, defect: Defect, chart: Chart) -> Damaged:
    """Give faces another colour, in shades towards a soft, irregular edge; no vertex moves off."""
    footprint = matter_footprint(defect)
    finer = refine_patch(mesh, chart, footprint)
    faces = np.flatnonzero(patch_under(finer, chart, footprint))
    centre = chart.flat(finer.vertices[finer.faces[faces]]).mean(axis=1)[:, :2]
    shade = np.round(_stain(defect, centre) * STEPS).astype(np.int64)
    faces, shade = faces[shade > 0], shade[shade > 0]
    names, material = list(finer.materials), finer.material.copy()
    stained = dict(looks)
    colour = np.asarray(defect.parameters["colour"], np.float64)
    shown = np.ones(len(faces), np.bool_)
    for old, step in np.unique(np.stack([finer.material[faces], shade], axis=1), axis=0):
        base = finer.materials[old]
        name = f"{base}.stain{defect.label}.{step}"
        part = step / STEPS
        same = (finer.material[faces] == old) & (shade == step)
        sound = np.asarray(looks[base].colour)
        mixed = (1 - part) * sound + part * colour
        if contrast(sound, mixed) < VISIBLE_SHADE:
            shown[same] = False
            continue
        stained[name] = looks[base].coloured((float(mixed[0]), float(mixed[1]), float(mixed[2])))
        material[faces[same]] = len(names)
        names.append(name)
    finer = replace(finer, material=material, materials=tuple(names))
    return Damaged(labelled(finer, faces[shown], defect.label), stained)


def contrast(one: Array, other: Array) -> Array:
    """Greatest difference of colours (..., 3), as a share of the brightest of their channels."""
    return np.asarray(np.abs(one - other).max(axis=-1) / np.maximum(one, other).max(axis=-1))


def _stain(defect: Defect, points: Array) -> Array:
    """Strength 0 to 1 of a stain at points (N, 2): uneven within, soft and ragged at its edge."""
    seed, aspect = int(defect.parameters["seed"]), float(defect.parameters["aspect"])
    scaled = points / (defect.size_mm / 2 * np.array([1.0, aspect]))
    outline = ragged(scaled, seed, 0.18) * (1 - 0.08 * (1 + waves(scaled, seed, 0.25)) / 2)
    inward = 1 - np.linalg.norm(scaled, axis=1) / outline
    body = 0.75 + 0.25 * waves(scaled, seed + 1, 0.5)
    return smoothstep(inward / float(defect.parameters["softness"])) * body


def _drop(defect: Defect, ground: Callable[[Array], Array]) -> tuple[Array, Array]:
    seed = int(defect.parameters["seed"])
    angle = np.linspace(0, 2 * np.pi, SPOKES, endpoint=False)
    way = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    share = np.sin(np.linspace(0, np.pi / 2, RINGS + 1))[1:]
    points = (share[:, None, None] * way).reshape(-1, 2)
    points = defect.size_mm / 2 * points * ragged(points, seed, 0.14)[:, None]
    points = np.concatenate([np.zeros((1, 2)), points])
    height = np.concatenate([[1.0], np.repeat(1 - share**2, SPOKES)]) ** 0.8
    off_centre = np.linalg.norm(points, axis=1) / defect.size_mm
    lobes = 1 - 0.5 * off_centre**2 * (1 + waves(points / defect.size_mm, seed, 0.9))
    lift = defect.depth_mm * height * lobes
    vertices = np.column_stack([points, ground(points) + lift])
    return vertices, _fan(RINGS, SPOKES)


def _crumb(defect: Defect, ground: Callable[[Array], Array]) -> tuple[Array, Array]:
    seed = int(defect.parameters["seed"])
    ball = _ball(4)
    polar = np.stack([np.arctan2(ball.vertices[:, 1], ball.vertices[:, 0]), ball.vertices[:, 2]], 1)
    rough = 1 + 0.3 * waves(ball.vertices, seed, 1.6) + 0.06 * waves(ball.vertices, seed + 1, 0.35)
    rough += 0.12 * facets(np.abs(polar), seed, 0.7)
    shape = ball.vertices * rough[:, None]
    shape[:, :2] *= defect.size_mm / 2 / np.abs(np.linalg.norm(shape[:, :2], axis=1)).max()
    low, high = shape[:, 2].min(), shape[:, 2].max()
    sunk = 0.25  # of its height, below the surface that it stuck to
    share = (shape[:, 2] - low) / (high - low)
    shape[:, 2] = float(ground(np.zeros((1, 2)))[0])
    shape[:, 2] += defect.depth_mm * (share - sunk) / (1 - sunk)
    return shape, ball.faces.astype(np.float64)


def _fibre(defect: Defect, ground: Callable[[Array], Array]) -> tuple[Array, Array]:
    seed, thick = int(defect.parameters["seed"]), defect.depth_mm
    path = dense(np.asarray(defect.parameters["path"], np.float64), 0.6 * thick)
    place = np.linspace(0, 1, len(path))
    lift = float(defect.parameters["lift"]) * thick * (1 + waves(place[:, None], seed, 0.5)) / 2
    axis = np.column_stack([path, ground(path) + 0.45 * thick + lift])
    way = np.gradient(axis, axis=0)
    way /= np.linalg.norm(way, axis=1, keepdims=True)
    side = np.cross(way, [0.0, 0.0, 1.0])
    side /= np.linalg.norm(side, axis=1, keepdims=True)
    up = np.cross(side, way)
    angle = np.linspace(0, 2 * np.pi, TUBE_SIDES, endpoint=False)
    radius = thick / 2 * np.where((place == 0) | (place == 1), 0.4, 1.0)
    ring = np.cos(angle)[:, None, None] * side + np.sin(angle)[:, None, None] * up
    tube = (axis + radius[:, None] * ring).transpose(1, 0, 2).reshape(-1, 3)
    vertices = np.concatenate([axis[:1], tube, axis[-1:]])
    return vertices, _tube(len(path), TUBE_SIDES)


def _fan(rings: int, spokes: int) -> Array:
    """Faces of rings of vertices around vertex 0, the ring next to it first."""
    j = np.arange(spokes)
    after = (j + 1) % spokes
    faces = [np.stack([np.zeros_like(j), 1 + j, 1 + after], axis=1)]
    for i in range(rings - 1):
        inner, outer = 1 + i * spokes, 1 + (i + 1) * spokes
        faces.append(np.stack([inner + j, outer + j, outer + after], axis=1))
        faces.append(np.stack([inner + j, outer + after, inner + after], axis=1))
    return np.concatenate(faces)


def _tube(rings: int, sides: int) -> Array:
    """Faces of a tube of rings between a first and a last vertex."""
    j = np.arange(sides)
    last = 1 + rings * sides
    end = 1 + (rings - 1) * sides
    cap = np.stack([np.full(sides, last), end + (j + 1) % sides, end + j], axis=1)
    return np.concatenate([_fan(rings, sides), cap])


def _ball(levels: int) -> Mesh:
    """Unit ball of 8 * 4**levels faces."""
    corners = _OCTAHEDRON[_OCTANTS]
    for _ in range(levels):
        a, b, c = corners[:, 0], corners[:, 1], corners[:, 2]
        ab, bc, ca = (a + b) / 2, (b + c) / 2, (c + a) / 2
        pieces = ((a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca))
        corners = np.concatenate([np.stack(piece, axis=1) for piece in pieces])
    points = corners.reshape(-1, 3)
    points = points / np.linalg.norm(points, axis=1, keepdims=True)
    return weld(make_mesh(points, np.arange(len(points)).reshape(-1, 3)))


def _material(defect: Defect) -> Material:
    """Look of the added matter: a wet drop, a dull crumb, a fibre."""
    red, green, blue = (float(value) for value in defect.parameters["colour"])
    form = defect.parameters["form"]
    if form == "drop":
        return Material("plastic", (red, green, blue), roughness=0.2, haze=0.1)
    grain = Grain(amplitude=0.1, size_mm=0.03, relief=0.03)
    return Material("rubber", (red, green, blue), roughness=0.75, specular=0.3, grain=grain)


_FORMS: dict[str, Callable[[Defect, Callable[[Array], Array]], tuple[Array, Array]]] = {
    "drop": _drop,
    "crumb": _crumb,
    "fibre": _fibre,
}
