"""Triangles of a part: what belongs to which material, CAD face and defect, and their normals.

Normals at corners are averaged over a fan of faces with weights angle times area, as in Thuermer
and Wuethrich, "Computing vertex normals from polygonal facets" (JGT 1998), within a crease angle.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

CREASE_DEG = 35.0
PATCH_CREASE_DEG = 80.0  # a CAD face is smooth, however coarse its facets
SHARP_SHARE = 0.25  # of the edges of a seam beyond the crease angle make all of it sharp
UNKNOWN_SURFACE = -1  # a face of no known CAD face: the crease angle alone decides
SHIFTS = tuple((x, y, z) for x in (0.0, 0.5) for y in (0.0, 0.5) for z in (0.0, 0.5))


@dataclass(frozen=True, eq=False)
class Mesh:
    """Triangles in the frame of a part or of the world: right-handed, mm, z up.

    Attributes
    ----------
    vertices : (V, 3) float64, mm
    faces : (F, 3) int32, counter-clockwise as seen from outside
    material : (F,) int16, index into ``materials``
    surface : (F,) int32, number of the CAD face (smooth within itself), -1 where none is known
    label : (F,) int16, 0 for a sound face, d > 0 for a face of defect d
    materials : names of the materials
    normals : (F, 3 corners, 3) unit, what the corners are shaded with, where finer triangles are
        not to change it; None: :func:`corner_normals` follows from the faces
    """

    vertices: NDArray[np.float64]
    faces: NDArray[np.int32]
    material: NDArray[np.int16]
    surface: NDArray[np.int32]
    label: NDArray[np.int16]
    materials: tuple[str, ...]
    normals: NDArray[np.float64] | None = None


@dataclass(frozen=True, eq=False)
class Edges:
    """The edges of a mesh, each once.

    Attributes
    ----------
    ends : (E, 2) int32, the vertices of an edge, the smaller number first
    of_face : (F, 3) int32, the edges of a face: from corner 0 to 1, 1 to 2 and 2 to 0
    count : (E,) int64, faces at an edge: two where the surface goes on, one at a border
    """

    ends: NDArray[np.int32]
    of_face: NDArray[np.int32]
    count: NDArray[np.int64]


def make_mesh(
    vertices: ArrayLike,
    faces: ArrayLike,
    *,
    material: str = "part",
    surface: int | NDArray[np.int32] = UNKNOWN_SURFACE,
) -> Mesh:
    """Mesh of one material without a defect from vertices (V, 3) in mm and faces (F, 3)."""
    triangles = np.ascontiguousarray(faces, np.int32).reshape(-1, 3)
    count = len(triangles)
    return Mesh(
        np.ascontiguousarray(vertices, np.float64).reshape(-1, 3),
        triangles,
        np.zeros(count, np.int16),
        np.broadcast_to(np.asarray(surface, np.int32), count).copy(),
        np.zeros(count, np.int16),
        (material,),
    )


def join(meshes: Sequence[Mesh]) -> Mesh:
    """One mesh of several; equal material names become one, CAD faces keep apart."""
    names = tuple(dict.fromkeys(name for mesh in meshes for name in mesh.materials))
    first_vertex = np.cumsum([0, *(len(mesh.vertices) for mesh in meshes)])
    faces, material, surface = [], [], []
    next_surface = 0
    for mesh, start in zip(meshes, first_vertex, strict=False):
        faces.append(mesh.faces + np.int32(start))
        number = np.array([names.index(name) for name in mesh.materials], np.int16)
        material.append(number[mesh.material])
        known = mesh.surface >= 0
        surface.append(np.where(known, mesh.surface + np.int32(next_surface), mesh.surface))
        next_surface += int(mesh.surface.max(initial=-1)) + 1
    shaded = any(mesh.normals is not None for mesh in meshes)
    return Mesh(
        np.concatenate([np.empty((0, 3)), *(mesh.vertices for mesh in meshes)]),
        np.concatenate([np.empty((0, 3), np.int32), *faces]),
        np.concatenate([np.empty(0, np.int16), *material]),
        np.concatenate([np.empty(0, np.int32), *surface]),
        np.concatenate([np.empty(0, np.int16), *(mesh.label for mesh in meshes)]),
        names,
        np.concatenate([corner_normals(mesh) for mesh in meshes]) if shaded else None,
    )


def take_faces(mesh: Mesh, keep: NDArray[np.bool_] | NDArray[np.integer]) -> Mesh:
    """The faces of a mask (F,) or list of numbers, and the vertices that they use."""
    faces = mesh.faces[keep]
    used = np.zeros(len(mesh.vertices), np.bool_)
    used[faces] = True
    number = np.cumsum(used, dtype=np.int32) - np.int32(1)
    return Mesh(
        mesh.vertices[used],
        number[faces],
        mesh.material[keep],
        mesh.surface[keep],
        mesh.label[keep],
        mesh.materials,
        None if mesh.normals is None else mesh.normals[keep],
    )


def weld(mesh: Mesh, tolerance_mm: float = 1e-5) -> Mesh:
    """Make vertices closer than the tolerance one; faces that lose a corner by it are dropped.

    Vertices of different materials stay apart: they belong to different bodies.
    """
    owner = np.zeros(len(mesh.vertices), np.int64)
    owner[mesh.faces] = mesh.material[:, None]
    ends = []
    for shift in SHIFTS:  # two points within the tolerance share a cell of one of eight grids
        cell = np.floor(mesh.vertices / (2 * tolerance_mm) + shift)
        keys = (owner, *cell.T)
        order = np.lexsort(keys)
        same = np.ones(max(len(order) - 1, 0), np.bool_)
        for key in keys:
            same &= key[order[1:]] == key[order[:-1]]
        ends.append(np.stack([order[:-1][same], order[1:][same]]))
    pairs = np.concatenate(ends, axis=1)
    root = connected(len(mesh.vertices), pairs[0], pairs[1])
    faces = root[mesh.faces].astype(np.int32)
    whole = (faces != np.roll(faces, 1, axis=1)).all(axis=1)
    return take_faces(replace(mesh, faces=faces, normals=None), whole)


def bounds(mesh: Mesh) -> NDArray[np.float64]:
    """Smallest and largest x, y, z of the vertices that faces use, (2, 3) mm."""
    used = mesh.vertices[np.unique(mesh.faces)]
    return np.stack([used.min(axis=0), used.max(axis=0)])


def face_normals(mesh: Mesh) -> NDArray[np.float64]:
    """Unit normals of the faces, (F, 3), outward; zero for a face without area."""
    vector = _area_vectors(mesh)
    length = np.linalg.norm(vector, axis=1, keepdims=True)
    unit: NDArray[np.float64] = np.zeros_like(vector)
    np.divide(vector, length, out=unit, where=length > 0)
    return unit


def face_areas(mesh: Mesh) -> NDArray[np.float64]:
    """Areas of the faces, (F,) mm2."""
    return np.asarray(np.linalg.norm(_area_vectors(mesh), axis=1))


def volume(mesh: Mesh) -> float:
    """Enclosed volume in mm3 of a closed mesh, negative where its faces look inward."""
    a, b, c = (mesh.vertices[mesh.faces[:, k]] for k in range(3))
    return float(np.einsum("ij,ij->", a, np.cross(b, c)) / 6)


def find_edges(faces: NDArray[np.int32], vertex_count: int) -> Edges:
    """The edges of triangles (F, 3), each once."""
    start = faces.astype(np.int64)
    end = np.roll(start, -1, axis=1)
    key = np.minimum(start, end) * vertex_count + np.maximum(start, end)
    keys, of_face, count = np.unique(key.ravel(), return_inverse=True, return_counts=True)
    ends = np.stack(np.divmod(keys, max(vertex_count, 1)), axis=1).astype(np.int32)
    return Edges(ends, of_face.reshape(-1, 3).astype(np.int32), count)


def components(mesh: Mesh) -> NDArray[np.int32]:
    """Number of the connected piece of each face, (F,) from 0, over shared vertices."""
    a, b, c = mesh.faces.T
    root = connected(len(mesh.vertices), np.concatenate([a, b]), np.concatenate([b, c]))
    return np.unique(root[a], return_inverse=True)[1].astype(np.int32)


def corner_normals(mesh: Mesh, crease_deg: float = CREASE_DEG) -> NDArray[np.float64]:
    """Smoothed unit normals at the corners of the faces, (F, 3 corners, 3).

    Around a vertex, the normal goes on smoothly over an edge that turns by less than the crease
    angle, or by less than 80 degrees within one CAD face, and over no edge of a seam of two CAD
    faces that is mostly sharper; faces weigh by their angle and area.
    The mesh must be welded. A face of no area takes its neighbours' normal. Normals that the mesh
    keeps are returned as they are.
    """
    if mesh.normals is not None:
        return mesh.normals
    normal, area = face_normals(mesh), face_areas(mesh)
    group = _smooth_groups(mesh, normal, crease_deg)
    weight = (_corner_angles(mesh) * area[:, None]).ravel()
    total = np.stack(
        [np.bincount(group, weight * np.repeat(n, 3), minlength=len(group)) for n in normal.T],
        axis=1,
    )[group].reshape(-1, 3, 3)
    length = np.linalg.norm(total, axis=2, keepdims=True)
    flat = np.broadcast_to(normal[:, None], total.shape).copy()
    np.divide(total, length, out=flat, where=length > 0)
    return flat


def transformed(mesh: Mesh, matrix: NDArray[np.float64]) -> Mesh:
    """The mesh moved by an affine matrix (4, 4); faces are turned round where it mirrors."""
    moved = mesh.vertices @ matrix[:3, :3].T + matrix[:3, 3]
    faces, normals = mesh.faces, mesh.normals
    if normals is not None:
        normals = normals @ np.linalg.inv(matrix[:3, :3])
        normals = normals / np.linalg.norm(normals, axis=2, keepdims=True)
    if np.linalg.det(matrix[:3, :3]) < 0:
        faces = np.ascontiguousarray(faces[:, ::-1])
        normals = None if normals is None else np.ascontiguousarray(normals[:, ::-1])
    return replace(mesh, vertices=moved, faces=faces, normals=normals)


def connected(count: int, a: NDArray[np.integer], b: NDArray[np.integer]) -> NDArray[np.int64]:
    """Smallest member of the set of each of ``count`` items, where a[i] and b[i] are together."""
    root = np.arange(count, dtype=np.int64)
    while True:
        first, second = root[a], root[b]
        apart = first != second
        if not apart.any():
            return root
        a, b, first, second = a[apart], b[apart], first[apart], second[apart]
        np.minimum.at(root, np.maximum(first, second), np.minimum(first, second))
        while not np.array_equal(root, upper := root[root]):
            root = upper


def _area_vectors(mesh: Mesh) -> NDArray[np.float64]:
    a, b, c = (mesh.vertices[mesh.faces[:, k]] for k in range(3))
    return np.asarray(np.cross(b - a, c - a) / 2)


def _corner_angles(mesh: Mesh) -> NDArray[np.float64]:
    """Angles of the faces at their corners, (F, 3) rad."""
    corner = mesh.vertices[mesh.faces]
    onward = np.roll(corner, -1, axis=1) - corner
    back = np.roll(corner, 1, axis=1) - corner
    across = np.linalg.norm(np.cross(onward, back), axis=2)
    return np.asarray(np.arctan2(across, np.einsum("fki,fki->fk", onward, back)))


def _smooth_groups(mesh: Mesh, normal: NDArray[np.float64], crease_deg: float) -> NDArray[np.int64]:
    """Corners (3 F,) that share a normal: one number for each fan within the crease."""
    edges = find_edges(mesh.faces, len(mesh.vertices))
    half = np.argsort(edges.of_face.ravel(), kind="stable")
    first = np.concatenate([[0], np.cumsum(edges.count)[:-1]]).astype(np.int64)
    pair = first[edges.count == 2]
    one, two = half[pair], half[pair + 1]
    face, other = one // 3, two // 3
    start, after = one, face * 3 + (one % 3 + 1) % 3
    start_other, after_other = two, other * 3 + (two % 3 + 1) % 3
    corner = mesh.faces.ravel()
    turn = np.einsum("ij,ij->i", normal[face], normal[other])
    empty = np.asarray(~normal.any(axis=1))
    smooth = _within_crease(mesh, face, other, turn, crease_deg) | empty[face] | empty[other]
    smooth &= corner[start] == corner[after_other]  # both faces look to the same side
    smooth &= mesh.material[face] == mesh.material[other]
    ends = np.concatenate([start[smooth], after[smooth]])
    partners = np.concatenate([after_other[smooth], start_other[smooth]])
    return connected(len(corner), ends, partners)


def _within_crease(
    mesh: Mesh,
    face: NDArray[np.int64],
    other: NDArray[np.int64],
    turn: NDArray[np.float64],
    crease_deg: float,
) -> NDArray[np.bool_]:
    """Whether the surface goes on smoothly between neighbours whose normals have the cosine turn.

    Two CAD faces meet smoothly all along their seam or nowhere: in a mitre of two fillets, where
    the angle runs from nothing to 90 degrees, the edges below the crease angle are sharp as well.
    """
    sound = (mesh.label[face] == 0) & (mesh.label[other] == 0)
    known = sound & (mesh.surface[face] >= 0) & (mesh.surface[other] >= 0)
    patch = known & (mesh.surface[face] == mesh.surface[other])
    smooth = turn >= np.cos(np.radians(crease_deg))
    low = np.minimum(mesh.surface[face], mesh.surface[other]).astype(np.int64)
    high = np.maximum(mesh.surface[face], mesh.surface[other])
    between = np.flatnonzero(known & ~patch)
    seam = np.unique(low[between] << 32 | high[between], return_inverse=True)[1]
    sharp = np.bincount(seam, ~smooth[between]) > SHARP_SHARE * np.bincount(seam)
    smooth[between] &= ~sharp[seam]
    return np.asarray(smooth | (patch & (turn >= np.cos(np.radians(PATCH_CREASE_DEG)))))
