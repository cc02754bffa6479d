"""The surface around a point: a chart over it, the smooth patch there, finer faces, room for more.

A footprint is a chain of points (S, 2) in the chart and a reach around them, mm.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mvps.errors import InputError
from mvps.synth.mesh import (
    Mesh,
    connected,
    corner_normals,
    face_normals,
    find_edges,
    take_faces,
)
from mvps.synth.mesh_refine import Region, refine

WHOLE = 60_000  # faces; a mesh up to this size is refined as a whole
RINGS = 6
TURN_DEG = 40.0  # two faces that turn by more do not belong to one smooth patch
FLAT_TURN_DEG = 0.1
FACING = 0.35  # cosine to the chart's normal of the steepest face of a patch
VISIBLE_TURN_DEG = 1.0  # a face that turns by more shows the defect
VISIBLE_SHARE = 0.03  # and one that moves by more of the depth

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Chart:
    """Flat coordinates (u, v, w) in mm around a point of a surface, w along its normal.

    Attributes
    ----------
    origin : (3,) mm
    axes : (3, 3) unit rows u, v, w; right-handed
    """

    origin: Array
    axes: Array

    def flat(self, points: Array) -> Array:
        """Coordinates (..., 3) of points (..., 3)."""
        return np.asarray((points - self.origin) @ self.axes.T)

    def lift(self, flat: Array) -> Array:
        """Points (..., 3) of coordinates (..., 3)."""
        return np.asarray(flat @ self.axes + self.origin)


@dataclass(frozen=True, eq=False)
class Footprint:
    """Where a defect is: within ``reach`` of a chain of points.

    Attributes
    ----------
    chain : (S, 2) mm, in the chart, no farther apart than ``reach``
    reach : mm; beyond it, nothing changes
    edge : mm, longest edge of the faces that show it well
    """

    chain: Array
    reach: float
    edge: float

    def near(self, flat: Array, margin: float = 0.0) -> NDArray[np.bool_]:
        """Which triangles (F, 3, 3) in chart coordinates come within reach and margin, (F,).

        Small ones count by the circle around them.
        """
        centre = flat[..., :2].mean(axis=1)
        radius = np.sqrt(((flat[..., :2] - centre[:, None]) ** 2).sum(axis=2).max(axis=1))
        reach = self.reach + margin
        limit = reach + radius
        near = np.zeros(len(flat), np.bool_)
        for start in range(0, len(self.chain), 16):
            part = self.chain[start : start + 16]
            low, high = part.min(axis=0), part.max(axis=0)
            inside = (centre >= low - limit[:, None]) & (centre <= high + limit[:, None])
            picked = np.flatnonzero(inside.all(axis=1) & ~near)
            near[picked] = chain_distance(centre[picked], part) <= limit[picked]
            large = picked[near[picked] & (radius[picked] > reach)]
            near[large] = triangle_distance(flat[large, :, :2], part) <= reach
        return near


def chart_at(position: ArrayLike, normal: ArrayLike, direction: ArrayLike) -> Chart:
    """Chart with w along the normal and u as near to the direction as it can be."""
    w = np.asarray(normal, np.float64)
    w = w / np.linalg.norm(w)
    u = np.asarray(direction, np.float64)
    u = u - w * (u @ w)
    u = u / np.linalg.norm(u)
    return Chart(np.asarray(position, np.float64), np.stack([u, np.cross(w, u), w]))


def chain_distance(points: Array, chain: Array) -> Array:
    """Distance of points (N, 2) from the nearest of a chain (S, 2), (N,)."""
    x, y = chain.T
    square = (points[:, :1] - x) ** 2 + (points[:, 1:] - y) ** 2
    return np.asarray(np.sqrt(square.min(axis=1)))


def triangle_distance(corners: Array, chain: Array) -> Array:
    """Distance of triangles (F, 3, 2) from the nearest point of a chain (S, 2), (F,)."""
    best = np.full((len(corners), len(chain)), np.inf)
    sides = []
    for k in range(3):
        start, way = corners[:, k, None], (corners[:, (k + 1) % 3] - corners[:, k])[:, None]
        to = chain - start
        share = (to * way).sum(axis=2) / np.maximum((way * way).sum(axis=2), 1e-30)
        off = to - np.clip(share, 0, 1)[..., None] * way
        np.minimum(best, np.hypot(off[..., 0], off[..., 1]), out=best)
        sides.append(way[..., 0] * to[..., 1] - way[..., 1] * to[..., 0])
    turn = np.stack(sides)  # of one sign inside, whichever side of the triangle is up
    inside = (turn >= 0).all(axis=0) | (turn <= 0).all(axis=0)
    return np.asarray(np.where(inside, 0.0, best).min(axis=1))


def origin_distance(corners: Array) -> Array:
    """Distance of triangles (F, 3, 3) from the origin, (F,)."""
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    best = np.full(len(corners), np.inf)
    inside = np.ones(len(corners), np.bool_)
    for k in range(3):
        start, way = corners[:, k], corners[:, (k + 1) % 3] - corners[:, k]
        share = -(start * way).sum(axis=1) / np.maximum((way * way).sum(axis=1), 1e-30)
        off = start + np.clip(share, 0, 1)[:, None] * way
        np.minimum(best, np.linalg.norm(off, axis=1), out=best)
        inside &= (np.cross(way, -start) * normal).sum(axis=1) >= 0
    length = np.maximum(np.linalg.norm(normal, axis=1), 1e-30)
    plane = np.abs((corners[:, 0] * normal).sum(axis=1)) / length
    return np.asarray(np.where(inside, plane, best))


def heights_over(flat: Array, points: Array) -> Array:
    """Heights w of triangles (F, 3, 3) over points (S, 2), (S, F); NaN where one is beside it."""
    a, b, c = flat[:, 0], flat[:, 1], flat[:, 2]
    p, q = b - a, c - a
    area = p[:, 0] * q[:, 1] - p[:, 1] * q[:, 0]
    with np.errstate(divide="ignore", invalid="ignore"):
        x = points[:, None] - a[:, :2]
        s = (x[..., 0] * q[:, 1] - x[..., 1] * q[:, 0]) / area
        t = (p[:, 0] * x[..., 1] - p[:, 1] * x[..., 0]) / area
        inside = (s >= -1e-9) & (t >= -1e-9) & (s + t <= 1 + 1e-9)
        return np.asarray(np.where(inside, a[:, 2] + s * p[:, 2] + t * q[:, 2], np.nan))


def smooth_patch(mesh: Mesh, chart: Chart, near: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Faces (F,) of ``near`` that belong to the smooth patch at the chart's origin.

    A patch goes on over an edge that turns by less than ``TURN_DEG`` as long as its faces look
    the chart's way.
    """
    picked = np.flatnonzero(near)
    normals = face_normals(replace(mesh, faces=mesh.faces[picked]))
    facing = normals @ chart.axes[2] > FACING
    picked, normals = picked[facing], normals[facing]
    flat = chart.flat(mesh.vertices[mesh.faces[picked]])
    over = heights_over(flat, np.zeros((1, 2)))[0]
    if np.isnan(over).all():
        raise InputError("defect", "its position is not on the surface of the part")
    seed = int(np.nanargmin(np.abs(over)))
    one, two = _neighbours(mesh.faces[picked], len(mesh.vertices))
    smooth = (normals[one] * normals[two]).sum(axis=1) > np.cos(np.radians(TURN_DEG))
    root = connected(len(picked), one[smooth], two[smooth])
    patch = np.zeros(len(mesh.faces), np.bool_)
    patch[picked[root == root[seed]]] = True
    return patch


def refine_patch(mesh: Mesh, chart: Chart, footprint: Footprint) -> Mesh:
    """Finer faces where the footprint lies and a little around it; the surface stays as it is."""
    span = float(np.linalg.norm(np.ptp(footprint.chain, axis=0))) / 2 + footprint.reach

    def touches(corners: Array) -> NDArray[np.bool_]:
        flat = chart.flat(corners)
        level = np.abs(flat[..., 2]).min(axis=1) <= span
        near = footprint.near(flat, 2 * footprint.edge)
        return np.asarray(near & level & (_lean(flat) > FACING))

    return refine_near(mesh, touches, footprint.edge)


def refine_near(mesh: Mesh, touches: Region, edge_mm: float) -> Mesh:
    """Refine the faces that ``touches`` picks; of a large mesh at the cost of those alone.

    Edges come down by halves, so that the longest go first and long thin faces become even ones.
    Faces keep no order; vertices keep their numbers, new ones follow.
    """
    corner = mesh.vertices[mesh.faces]
    picked = touches(corner)
    if not picked.any():
        return mesh
    local = np.ones(len(mesh.faces), np.bool_)
    if len(mesh.faces) > WHOLE:
        local = picked
        for _ in range(RINGS):  # refinement spreads a little over the faces beside it
            local = with_neighbours(mesh, local)
    number = np.unique(mesh.faces[local])
    piece = take_faces(mesh, local)
    sides = corner[picked] - np.roll(corner[picked], 1, axis=1)
    edge = float(np.linalg.norm(sides, axis=2).max()) / 2
    while edge > edge_mm:
        piece = refine(piece, touches, edge)
        edge /= 2
    piece = refine(piece, touches, edge_mm)
    fresh = np.arange(len(piece.vertices) - len(number)) + len(mesh.vertices)
    number = np.concatenate([number, fresh]).astype(np.int32)
    return replace(
        mesh,
        vertices=np.concatenate([mesh.vertices, piece.vertices[len(number) - len(fresh) :]]),
        faces=np.concatenate([mesh.faces[~local], number[piece.faces]]),
        material=np.concatenate([mesh.material[~local], piece.material]),
        surface=np.concatenate([mesh.surface[~local], piece.surface]),
        label=np.concatenate([mesh.label[~local], piece.label]),
        normals=None
        if mesh.normals is None or piece.normals is None
        else np.concatenate([mesh.normals[~local], piece.normals]),
    )


def patch_under(mesh: Mesh, chart: Chart, footprint: Footprint) -> NDArray[np.bool_]:
    """Faces (F,) of the smooth patch that the footprint touches."""
    near = footprint.near(chart.flat(mesh.vertices[mesh.faces]), 2 * footprint.edge)
    return smooth_patch(mesh, chart, near)


def displace(
    mesh: Mesh,
    patch: NDArray[np.bool_],
    shift: Array,
    label: int,
    depth_mm: float,
) -> Mesh:
    """Move vertices by ``shift`` (V, 3) and label the faces of the patch that show it.

    A face shows the defect where it, or its smoothed normal, turns by more than 1 degree or its
    centre moves by more than 3% of the depth. Normals at corners change by what the move changes:
    those that finer triangles alone would give differ from the sound part's beside a fillet.
    """
    sound = corner_normals(mesh)
    moved = replace(mesh, vertices=mesh.vertices + shift, normals=None)
    before, after = take_faces(replace(mesh, normals=None), patch), take_faces(moved, patch)
    travel = np.linalg.norm(shift[mesh.faces[patch]].mean(axis=1), axis=1)
    shown = travel > VISIBLE_SHARE * depth_mm
    shown |= _turned(face_normals(before), face_normals(after))
    # a labelled face is smoothed by its own rule, on both sides of the difference
    change = corner_normals(labelled(after, shown, label))
    change = change - corner_normals(labelled(before, shown, label))
    normals = sound.copy()
    normals[patch] = _unit(sound[patch] + change, sound[patch])
    shown |= _turned(sound[patch].mean(axis=1), normals[patch].mean(axis=1))
    return labelled(replace(moved, normals=normals), np.flatnonzero(patch)[shown], label)


def labelled(mesh: Mesh, faces: NDArray[np.integer] | NDArray[np.bool_], label: int) -> Mesh:
    """The mesh with a label on some faces."""
    labels = mesh.label.copy()
    labels[faces] = label
    return replace(mesh, label=labels)


def patch_normals(mesh: Mesh, patch: NDArray[np.bool_]) -> Array:
    """Unit normals at the vertices of a patch, (V, 3), by area and angle; zero elsewhere."""
    faces = mesh.faces[patch]
    corner = mesh.vertices[faces]
    onward = np.roll(corner, -1, axis=1) - corner
    back = np.roll(corner, 1, axis=1) - corner
    cross = np.cross(onward, back)
    angle = np.arctan2(np.linalg.norm(cross, axis=2), (onward * back).sum(axis=2))
    weighted = cross * angle[..., None]
    total: Array = np.stack(
        [
            np.bincount(faces.ravel(), weighted[..., k].ravel(), minlength=len(mesh.vertices))
            for k in range(3)
        ],
        axis=1,
    )
    length = np.linalg.norm(total, axis=1, keepdims=True)
    np.divide(total, length, out=total, where=length > 0)
    return total


def with_neighbours(mesh: Mesh, faces: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Those faces (F,) and all that share a vertex with one of them."""
    inside = np.zeros(len(mesh.vertices), np.bool_)
    inside[mesh.faces[faces]] = True
    return np.asarray(inside[mesh.faces].any(axis=1))


def is_flat(mesh: Mesh, faces: NDArray[np.bool_]) -> bool:
    """Whether no smooth edge between the faces turns: none of them belongs to what is round."""
    chosen = mesh.faces[faces]
    normals = face_normals(replace(mesh, faces=chosen))
    one, two = _neighbours(chosen, len(mesh.vertices))
    turn = (normals[one] * normals[two]).sum(axis=1)
    level, crease = np.cos(np.radians([FLAT_TURN_DEG, TURN_DEG]))
    return not bool(((turn < level) & (turn > crease)).any())


def _lean(flat: Array) -> Array:
    """Cosine between triangles (F, 3, 3) in chart coordinates and the chart's normal, (F,)."""
    cross = np.cross(flat[:, 1] - flat[:, 0], flat[:, 2] - flat[:, 0])
    return np.asarray(cross[:, 2] / np.maximum(np.linalg.norm(cross, axis=1), 1e-30))


def _unit(vectors: Array, otherwise: Array) -> Array:
    """Vectors (..., 3) at length 1, and others where one has next to none."""
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.where(length > 1e-6, vectors / np.maximum(length, 1e-6), otherwise)


def _turned(before: Array, after: Array) -> NDArray[np.bool_]:
    """Which directions (F, 3), of any length, turn by more than shows."""
    length = np.linalg.norm(before, axis=1) * np.linalg.norm(after, axis=1)
    limit = np.cos(np.radians(VISIBLE_TURN_DEG))
    return np.asarray((before * after).sum(axis=1) < limit * length)


def _neighbours(
    faces: NDArray[np.int32], vertex_count: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pairs of faces at an edge that two of them share."""
    edges = find_edges(faces, vertex_count)
    half = np.argsort(edges.of_face.ravel(), kind="stable")
    first = np.concatenate([[0], np.cumsum(edges.count)[:-1]]).astype(np.int64)
    pair = first[edges.count == 2]
    return half[pair] // 3, half[pair + 1] // 3
