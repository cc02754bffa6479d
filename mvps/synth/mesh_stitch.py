"""Closes the seams of CAD meshes, whose faces were divided without regard to their neighbours."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mvps.synth.mesh import Mesh, find_edges
from mvps.synth.polygons import triangulate

CHUNK = 64  # neighbouring edges that are compared with the border vertices in their box
ROUNDS = 4


def stitch(mesh: Mesh, tolerance_mm: float) -> Mesh:
    """Put border vertices that lie on a border edge into it, and divide the face there.

    Two CAD faces that meet in a curve with different steps then share all of their vertices. Only
    faces of one material are stitched; vertices do not move.

    Parameters
    ----------
    mesh : welded
    tolerance_mm : greatest distance between vertex and edge, at least the sag of the chords
    """
    for _ in range(ROUNDS):
        inserted = _on_edges(mesh, tolerance_mm)
        if not inserted:
            break
        mesh = _with_corners(mesh, inserted)
    return mesh


def _on_edges(mesh: Mesh, tolerance_mm: float) -> dict[tuple[int, int], list[int]]:
    """Vertices to insert by face and corner (the edge from it to the next), in their order."""
    edges = find_edges(mesh.faces, len(mesh.vertices))
    face, corner = np.nonzero(edges.count[edges.of_face] == 1)
    order = np.argsort(mesh.vertices[mesh.faces[face, corner], 0], kind="stable")
    face, corner = face[order], corner[order]
    start = mesh.faces[face, corner]
    end = mesh.faces[face, (corner + 1) % 3]
    owner = np.zeros(len(mesh.vertices), np.int64)
    owner[mesh.faces] = mesh.material[:, None]
    every = np.unique(np.concatenate([start, end]))
    found: dict[tuple[int, int], list[int]] = defaultdict(list)
    for first in range(0, len(face), CHUNK):
        part = slice(first, first + CHUNK)
        a, b = mesh.vertices[start[part]], mesh.vertices[end[part]]
        low, high = np.minimum(a, b).min(axis=0), np.maximum(a, b).max(axis=0)
        inside = (mesh.vertices[every] >= low - tolerance_mm).all(axis=1)
        inside &= (mesh.vertices[every] <= high + tolerance_mm).all(axis=1)
        border = every[inside]
        share, near = _nearness(a, b, mesh.vertices[border], tolerance_mm)
        near &= owner[start[part]][:, None] == owner[border]
        near &= (border != start[part][:, None]) & (border != end[part][:, None])
        near &= border != mesh.faces[face[part], (corner[part] + 2) % 3][:, None]
        rows, columns = np.nonzero(near)
        for k in np.lexsort((share[rows, columns], rows)):
            at = first + int(rows[k])
            found[int(face[at]), int(corner[at])].append(int(border[columns[k]]))
    return dict(found)


def _nearness(
    a: NDArray[np.float64], b: NDArray[np.float64], points: NDArray[np.float64], tolerance: float
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Place (E, P) of points along edges, 0 to 1, and whether they lie on them, ends apart."""
    along = b - a
    square = np.maximum(np.einsum("ei,ei->e", along, along), 1e-30)[:, None]
    share = (along @ points.T - np.einsum("ei,ei->e", along, a)[:, None]) / square
    distance = np.zeros_like(share)
    for axis in range(3):
        foot = a[:, axis, None] + share * along[:, axis, None]
        distance += (points[None, :, axis] - foot) ** 2
    margin = np.minimum(tolerance / np.sqrt(square), 0.25)
    within = (share > margin) & (share < 1 - margin)
    return share, within & (distance <= np.minimum(tolerance**2, 0.01 * square))


def _with_corners(mesh: Mesh, inserted: dict[tuple[int, int], list[int]]) -> Mesh:
    changed = sorted({face for face, _ in inserted})
    triangles, rows = [], []
    for face in changed:
        ring: list[int] = []
        for corner in range(3):
            ring += [int(mesh.faces[face, corner]), *inserted.get((face, corner), [])]
        pieces = triangulate(mesh.vertices, [np.array(ring, np.int64)])
        triangles.append(pieces)
        rows.append(np.full(len(pieces), face))
    kept = np.setdiff1d(np.arange(len(mesh.faces)), changed)
    row = np.concatenate([kept, *rows])
    return replace(
        mesh,
        faces=np.concatenate([mesh.faces[kept], *triangles]).astype(np.int32),
        material=mesh.material[row],
        surface=mesh.surface[row],
        label=mesh.label[row],
    )
