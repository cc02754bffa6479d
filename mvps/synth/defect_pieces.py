"""Defects of whole pieces: a bent pin, a pin that is not there, a chip broken out of an edge."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mvps.errors import InputError
from mvps.synth.defect_noise import facets, waves
from mvps.synth.defect_surface import (
    Chart,
    displace,
    labelled,
    origin_distance,
    refine_near,
    with_neighbours,
)
from mvps.synth.defect_types import Damaged, Defect, Looks
from mvps.synth.materials import Grain, Material
from mvps.synth.mesh import Mesh, components, connected, face_normals, find_edges, join, take_faces
from mvps.synth.mesh_refine import Region, refine

Array = NDArray[np.float64]

CHIP_EDGES = 40  # faces along a chip
CHIP_REACH = 0.6  # sizes of a chip, from its middle
TRIAL_EDGES = 14  # enough to tell whether a place takes a chip
CHIP_ROUGHNESS = 0.22  # of a break, as a share of its depth
BEND_EDGES = 10  # faces along the arc of a bend
PALE = 0.12  # how far towards white a break is
FOLDED = 0.02  # a face that looks less than this the way of the break was folded over


def bend_pin(mesh: Mesh, looks: Looks, defect: Defect) -> Damaged:
    """Bend the free end of a pin about a hinge: an arc, and straight from there on."""
    angle = np.radians(float(defect.parameters["angle_deg"]))
    arc = float(defect.parameters["arc_mm"])
    pin = piece_at(mesh, np.asarray(defect.parameters["tip"], np.float64))
    chart = pin_chart(defect)
    body, piece = take_faces(mesh, ~pin), take_faces(mesh, pin)

    def in_arc(corners: Array) -> NDArray[np.bool_]:
        along = chart.flat(corners)[..., 0]
        return np.asarray((along.max(axis=1) > 0) & (along.min(axis=1) < arc))

    sound = join([body, refine(piece, in_arc, arc / BEND_EDGES)])
    moving = np.zeros(len(sound.faces), np.bool_)
    moving[len(body.faces) :] = True
    shift = np.zeros_like(sound.vertices)
    ids = np.unique(sound.faces[moving])
    flat = chart.flat(sound.vertices[ids])
    shift[ids] = (_bent(flat, angle, arc) - flat) @ chart.axes
    bent = displace(sound, moving, shift, defect.label, defect.depth_mm)
    removed = labelled(sound, bent.label == defect.label, defect.label)
    return Damaged(bent, looks, removed)


def pin_chart(defect: Defect) -> Chart:
    """Chart of a bent pin: u towards its free end, v the way it leans, from the hinge."""
    u = np.asarray(defect.direction, np.float64)
    v = np.asarray(defect.normal, np.float64)
    return Chart(np.asarray(defect.position, np.float64), np.stack([u, v, np.cross(u, v)]))


def lose_piece(mesh: Mesh, looks: Looks, defect: Defect) -> Damaged:
    """Take a whole connected piece away."""
    piece = piece_at(mesh, np.asarray(defect.parameters["tip"], np.float64))
    if piece.all():
        raise InputError("missing_piece", "the part is one piece", "break a chip out of it instead")
    return Damaged(take_faces(mesh, ~piece), looks, labelled(mesh, piece, defect.label))


def break_chip(mesh: Mesh, looks: Looks, defect: Defect, chart: Chart) -> Damaged:
    """Break a chip out of an edge or corner: what stood above a rough break now lies on it.

    The chart's normal points out of the body between the faces that meet there. Seen that way,
    the body is a height field, so no hole opens and no face turns over, closed mesh or not.
    """
    sound = refine_chip(mesh, defect, chart, CHIP_EDGES)
    cut = chip_vertices(sound, defect, chart)
    flat = chart.flat(sound.vertices[cut])
    shift = np.zeros_like(sound.vertices)
    shift[cut] = (_break(defect, flat) - flat[:, 2])[:, None] * chart.axes[2]
    corners = cut_faces(sound, cut)
    touched, fresh = np.asarray(corners.any(axis=1)), np.asarray(corners.all(axis=1))
    around = with_neighbours(sound, touched)
    broken = displace(sound, around, shift, defect.label, defect.depth_mm)
    removed = labelled(sound, broken.label == defect.label, defect.label)
    return replace(_with_break_material(broken, looks, fresh, defect.label), removed=removed)


def chip_is_clean(local: Mesh, defect: Defect, chart: Chart) -> bool:
    """Whether a chip of a small part of the mesh folds no face over and reaches no border of it."""
    sound = refine_chip(local, defect, chart, TRIAL_EDGES)
    cut = chip_vertices(sound, defect, chart)
    if not len(cut):
        return False
    edges = find_edges(sound.faces, len(sound.vertices))
    if np.isin(edges.ends[edges.count != 2], cut).any():
        return False
    flat = chart.flat(sound.vertices[cut])
    if (np.abs(flat[:, :2]).max(axis=0) > np.array([0.52, 0.55]) * defect.size_mm).any():
        return False
    vertices = sound.vertices.copy()
    vertices[cut] += (_break(defect, flat) - flat[:, 2])[:, None] * chart.axes[2]
    corners = cut_faces(sound, cut)
    before = face_normals(sound)[corners.any(axis=1)] @ chart.axes[2]
    after = face_normals(replace(sound, vertices=vertices))[corners.all(axis=1)] @ chart.axes[2]
    return bool(len(after) > TRIAL_EDGES and before.min() > 0.1 and after.min() > FOLDED)


def refine_chip(mesh: Mesh, defect: Defect, chart: Chart, count: int) -> Mesh:
    """Finer faces where a chip is to be broken out, ``count`` along it."""
    edge = defect.size_mm / count
    return refine_near(mesh, chip_region(defect, chart, edge), edge)


def chip_region(defect: Defect, chart: Chart, edge: float) -> Region:
    """Triangles that the break of a chip may cut, or come within an edge of."""
    reach = CHIP_REACH * defect.size_mm

    def touches(corners: Array) -> NDArray[np.bool_]:
        flat = chart.flat(corners)
        centre = flat.mean(axis=1)
        radius = np.sqrt(((flat - centre[:, None]) ** 2).sum(axis=2).max(axis=1)) + edge
        near = np.linalg.norm(centre, axis=1) - radius < reach
        picked = np.flatnonzero(near)
        near[picked] = origin_distance(flat[picked]) < reach + edge
        picked = np.flatnonzero(near)
        above = flat[picked, :, 2].max(axis=1) - _break(defect, centre[picked])
        small = radius[picked] < 0.2 * defect.size_mm  # a large one may be cut far off its centre
        near[picked] = (above > -2 * radius[picked]) | ~small
        return np.asarray(near)

    return touches


def chip_vertices(mesh: Mesh, defect: Defect, chart: Chart) -> NDArray[np.int64]:
    """Vertices above the break that hang together with the edge at the chart's origin."""
    flat = chart.flat(mesh.vertices)
    near = np.linalg.norm(flat, axis=1) < CHIP_REACH * defect.size_mm
    near[near] = flat[near, 2] > _break(defect, flat[near])
    faces = mesh.faces[near[mesh.faces].any(axis=1)]
    if not len(faces):
        return np.zeros(0, np.int64)
    a, b, c = faces.T
    root = connected(len(mesh.vertices), np.concatenate([a, b]), np.concatenate([b, c]))
    used = np.unique(faces)
    seed = used[np.argmin((flat[used] ** 2).sum(axis=1))]
    return np.flatnonzero(near & (root == root[seed]))


def cut_faces(mesh: Mesh, cut: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which corners (F, 3) of the faces are cut away."""
    gone = np.zeros(len(mesh.vertices), np.bool_)
    gone[cut] = True
    return np.asarray(gone[mesh.faces])


def piece_at(mesh: Mesh, point: Array) -> NDArray[np.bool_]:
    """Faces (F,) of the connected piece that has the face whose middle is nearest to a point."""
    middle = mesh.vertices[mesh.faces].mean(axis=1)
    nearest = int(((middle - point) ** 2).sum(axis=1).argmin())
    piece = components(mesh)
    return np.asarray(piece == piece[nearest])


def _bent(flat: Array, angle: float, arc: float) -> Array:
    """Coordinates (N, 3) of a straight pin along u, bent towards v over an arc from u = 0."""
    u, v, w = flat.T
    turn = np.clip(u, 0, arc) / arc * angle
    radius = arc / angle
    beyond = np.clip(u - arc, 0, None) + np.clip(u, None, 0)
    bent_u = (radius - v) * np.sin(turn) + beyond * np.cos(turn)
    bent_v = radius - (radius - v) * np.cos(turn) + beyond * np.sin(turn)
    return np.stack([bent_u, bent_v, w], axis=1)


def _break(defect: Defect, flat: Array) -> Array:
    """Height (N,) of the break over chart coordinates (N, 2 or 3): a shallow, rough trough."""
    depth, half = defect.depth_mm, defect.size_mm / 2
    seed, points = int(defect.parameters["seed"]), flat[:, :2]
    trough = np.clip(1 - (points[:, 0] / half) ** 2, None, 1)
    rough = facets(points, seed, 0.5 * half) + 0.1 * waves(points, seed, 0.22 * half)
    rough = CHIP_ROUGHNESS * (rough - facets(np.zeros((1, 2)), seed, 0.5 * half))
    return np.asarray(depth * (-trough + rough * np.clip(trough, 0, 1)))


def _with_break_material(mesh: Mesh, looks: Looks, fresh: NDArray[np.bool_], label: int) -> Damaged:
    """Faces of a break are dull and a little pale, except on metal."""
    names, material, more = list(mesh.materials), mesh.material.copy(), dict(looks)
    for old in np.unique(mesh.material[fresh]):
        base = mesh.materials[old]
        if looks[base].metallic:
            continue
        more[f"{base}.break{label}"] = _dull(looks[base])
        material[fresh & (mesh.material == old)] = len(names)
        names.append(f"{base}.break{label}")
    return Damaged(replace(mesh, material=material, materials=tuple(names)), more)


def _dull(material: Material) -> Material:
    red, green, blue = (value + PALE * (1 - value) for value in material.colour)
    grain = Grain(amplitude=0.1, size_mm=0.03, relief=0.03)
    kind = "lambertian" if material.kind == "lambertian" else "rubber"
    return Material(kind, (red, green, blue), roughness=0.9, specular=0.2, grain=grain)
