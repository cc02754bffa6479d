"""Finer triangles where they are needed: for a defect, or so that what is round looks round.

Edges are halved, so neighbours always agree and a closed mesh stays closed. Refinement leaves the
surface as it is; rounding puts a new vertex on a cubic through the ends of its edge with the
tangents that the normals demand: the border curves of Vlachos et al., "Curved PN triangles" (I3D
2001).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mvps.errors import InputError
from mvps.synth.mesh import CREASE_DEG, Edges, Mesh, corner_normals, find_edges

Region = Callable[[NDArray[np.float64]], NDArray[np.bool_]]

TURN_DEG = 3.0  # a facet's normal is then within 1.5 degrees of the surface's
MAX_FACES = 8_000_000
MAX_PASSES = 40
CREASE_SINE = 0.17  # below 10 degrees between two faces, their cut has no sure direction
# Corners 0 1 2 and middles 3 (of 0-1), 4 (of 1-2), 5 (of 2-0), by which edges are halved (bits).
TEMPLATES: dict[int, tuple[tuple[int, int, int], ...]] = {
    1: ((0, 3, 2), (3, 1, 2)),
    2: ((0, 1, 4), (0, 4, 2)),
    4: ((0, 1, 5), (5, 1, 2)),
    7: ((0, 3, 5), (3, 1, 4), (5, 4, 2), (3, 4, 5)),
}
# Two halved edges leave a tip and a quadrangle, which either diagonal parts.
QUADRANGLES: dict[int, tuple[tuple[int, int, int], tuple[int, int, int, int]]] = {
    3: ((3, 1, 4), (0, 3, 4, 2)),
    6: ((4, 2, 5), (0, 1, 4, 5)),
    5: ((0, 3, 5), (3, 1, 2, 5)),
}


@dataclass(frozen=True, eq=False)
class _State:
    """A mesh under refinement, with normals where new vertices or shading need them.

    ``curved`` puts new vertices on the smooth surface; ``parent`` (F,) is the face that each piece
    comes from.
    """

    mesh: Mesh
    curved: bool
    parent: NDArray[np.int64]


def refine(
    mesh: Mesh,
    region: NDArray[np.bool_] | Region,
    edge_mm: float,
) -> Mesh:
    """Halve the edges of the faces of a region until none is longer than ``edge_mm``.

    No point of the surface moves: what is beside a defect looks as it does without. Faces beside
    the region are divided only where they share a halved edge, and then at their longest as well
    (Rivara, Int. J. Numer. Methods Eng. 1984): cut across their short sides alone they would end as
    slivers. Material, CAD face and label go on to the pieces of a face, and so do normals that the
    mesh keeps: halfway between two corners lies the mean of theirs, as shading has it.

    Parameters
    ----------
    mesh : welded
    region : mask (F,) of faces that are refined as a whole, or a function of the corners (F, 3, 3)
        of triangles that says which ones to refine further: it keeps a small defect on a large
        face local
    edge_mm : greatest length of an edge in the region, mm

    Raises
    ------
    InputError
        ``edge_mm`` is not above zero, or demands more than eight million faces.
    """
    _check_edge(edge_mm)
    state = _State(mesh, False, np.arange(len(mesh.faces)))

    def wanted(state: _State) -> NDArray[np.bool_]:
        if callable(region):
            return region(state.mesh.vertices[state.mesh.faces])
        return np.asarray(region[state.parent])

    def long(state: _State, edges: Edges) -> NDArray[np.bool_]:
        marked = np.zeros(len(edges.ends), np.bool_)
        marked[edges.of_face[wanted(state)]] = True
        lengths = _lengths(state.mesh, edges)
        return _with_longest(marked & (lengths > edge_mm), edges, lengths)

    return _halve(state, long, edge_mm).mesh


def rounded(
    mesh: Mesh, edge_mm: float, *, turn_deg: float = TURN_DEG, crease_deg: float = CREASE_DEG
) -> Mesh:
    """Divide the facets of what is round, and only those, onto the smooth surface.

    Afterwards no edge is longer than ``edge_mm`` and has normals at its ends that differ by more
    than ``turn_deg``. Flat faces and straight edges keep their triangles.

    Parameters
    ----------
    mesh : welded
    edge_mm : edges up to this length, mm, are left alone

    Raises
    ------
    InputError
        ``edge_mm`` is not above zero, or more than eight million faces are needed.
    """
    _check_edge(edge_mm)
    shaded = replace(mesh, normals=corner_normals(mesh, crease_deg))
    state = _State(shaded, True, np.arange(len(mesh.faces)))
    limit = np.cos(np.radians(turn_deg))

    def bent(state: _State, edges: Edges) -> NDArray[np.bool_]:
        normals = corner_normals(state.mesh)
        turn = np.einsum("fki,fki->fk", normals, np.roll(normals, -1, axis=1))
        marked = np.zeros(len(edges.ends), np.bool_)
        marked[edges.of_face[turn < limit]] = True
        return marked & (_lengths(state.mesh, edges) > edge_mm)

    finer = _halve(state, bent, edge_mm).mesh
    return replace(finer, normals=None)


def _check_edge(edge_mm: float) -> None:
    if not edge_mm > 0:
        raise InputError("edge length", f"{edge_mm:g} mm", "give a length above zero")


def _lengths(mesh: Mesh, edges: Edges) -> NDArray[np.float64]:
    ends = mesh.vertices[edges.ends]
    return np.asarray(np.linalg.norm(ends[:, 1] - ends[:, 0], axis=1))


def _with_longest(
    marked: NDArray[np.bool_], edges: Edges, lengths: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """The marked edges, and the longest of every face that has one of them, and so on.

    The border is left as it is: what is refined may be a piece of a mesh that goes on there.
    """
    longest = edges.of_face[np.arange(len(edges.of_face)), lengths[edges.of_face].argmax(axis=1)]
    inner = edges.count[longest] > 1
    while True:
        touched = longest[inner & marked[edges.of_face].any(axis=1)]
        if marked[touched].all():
            return marked
        marked[touched] = True


def _halve(
    state: _State, choose: Callable[[_State, Edges], NDArray[np.bool_]], edge_mm: float
) -> _State:
    """Halve the chosen edges again and again until none is chosen."""
    for _ in range(MAX_PASSES):
        mesh = state.mesh
        edges = find_edges(mesh.faces, len(mesh.vertices))
        marked = choose(state, edges)
        if not marked.any():
            break
        if len(mesh.faces) + marked[edges.of_face].sum() > MAX_FACES:
            what = f"edges of {edge_mm:g} mm need more than {MAX_FACES} triangles"
            raise InputError("mesh", what, "allow longer edges")
        state = _split(state, edges, marked)
    return state


def _split(state: _State, edges: Edges, marked: NDArray[np.bool_]) -> _State:
    """Halve the marked edges, and the faces at them by what is marked of them."""
    mesh = state.mesh
    middles = _middles(state, edges, marked)
    number = np.cumsum(marked) - 1 + len(mesh.vertices)
    corners = np.concatenate([mesh.faces, number[edges.of_face]], axis=1).astype(np.int32)
    vertices = np.concatenate([mesh.vertices, middles])
    halved = marked[edges.of_face]
    pattern = halved @ np.array([1, 2, 4])
    whole = np.flatnonzero(pattern == 0)
    rows, picks = [whole], [np.broadcast_to([0, 1, 2], (len(whole), 3))]
    for code in range(1, 8):
        at = np.flatnonzero(pattern == code)
        for triangle in _pieces(vertices, corners[at], code):
            rows.append(at)
            picks.append(triangle)
    row, pick = np.concatenate(rows), np.concatenate(picks)
    normals = mesh.normals
    if normals is not None:
        normals = np.concatenate([normals, _middle_normals(normals)], axis=1)[row[:, None], pick]
    finer = replace(
        mesh,
        vertices=vertices,
        faces=corners[row[:, None], pick],
        material=mesh.material[row],
        surface=mesh.surface[row],
        label=mesh.label[row],
        normals=normals,
    )
    return _State(finer, state.curved, state.parent[row])


def _pieces(
    vertices: NDArray[np.float64], corners: NDArray[np.int32], code: int
) -> list[NDArray[np.int64]]:
    """Triangles that faces fall into, as places 0 to 5 of their corners and middles."""
    count = len(corners)
    if code in TEMPLATES:
        return [np.broadcast_to(np.array(t), (count, 3)) for t in TEMPLATES[code]]
    tip, quad = QUADRANGLES[code]
    a, b, c, d = (vertices[corners[:, k]] for k in quad)
    shorter = np.linalg.norm(c - a, axis=1) <= np.linalg.norm(d - b, axis=1)
    p, q, r, s = quad
    first = np.where(shorter[:, None], [[p, q, r]], [[p, q, s]])
    second = np.where(shorter[:, None], [[p, r, s]], [[q, r, s]])
    return [np.broadcast_to(np.array(tip), (count, 3)), first, second]


def _middles(state: _State, edges: Edges, marked: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Middles of the marked edges (M, 3)."""
    mesh = state.mesh
    ends = mesh.vertices[edges.ends[marked]]
    straight = np.asarray(ends.mean(axis=1))
    if not state.curved or mesh.normals is None:
        return straight
    tangents = _tangents(mesh.normals, mesh, edges, np.flatnonzero(marked))
    return straight + (tangents[:, 0] - tangents[:, 1]) / 8


def _middle_normals(normals: NDArray[np.float64]) -> NDArray[np.float64]:
    """Normals (F, 3, 3) at the middles of the edges of faces with these at their corners.

    They are linear, unlike the quadratics of PN triangles: slivers would make those swing.
    """
    middle = normals + np.roll(normals, -1, axis=1)
    length = np.linalg.norm(middle, axis=2, keepdims=True)
    return np.where(length > 1e-9, middle / np.maximum(length, 1e-9), normals)


def _tangents(
    normals: NDArray[np.float64], mesh: Mesh, edges: Edges, chosen: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Tangents (E, 2 ends, 3) of the curves over chosen edges, from the lower vertex to the higher.

    Where two faces meet in a crease, the tangent is the direction of their cut; elsewhere the
    edge, laid onto the tangent plane. Their lengths are the edge's.
    """
    order = np.argsort(edges.of_face.ravel(), kind="stable")
    first = (np.cumsum(edges.count) - edges.count)[chosen]
    one = _end_normals(normals, mesh, order[first])
    two = _end_normals(normals, mesh, order[first + (edges.count[chosen] > 1)])
    points = mesh.vertices[edges.ends[chosen]]
    along = np.broadcast_to((points[:, 1] - points[:, 0])[:, None], one.shape)
    mean = one + two
    mean = mean / np.maximum(np.linalg.norm(mean, axis=2, keepdims=True), 1e-9)
    tangent = along - np.einsum("eki,eki->ek", along, mean)[..., None] * mean
    cut = np.cross(one, two)
    sine = np.linalg.norm(cut, axis=2, keepdims=True)
    cut = cut / np.maximum(sine, 1e-9)
    on_cut = np.einsum("eki,eki->ek", along, cut)[..., None] * cut
    tangent = np.where(sine > CREASE_SINE, on_cut, tangent)
    length = np.linalg.norm(along, axis=2, keepdims=True)
    own = np.linalg.norm(tangent, axis=2, keepdims=True)
    usable = own > 0.5 * length  # a tangent across its edge belongs to a bad facet
    return np.where(usable, tangent * length / np.maximum(own, 1e-30), along)


def _end_normals(
    normals: NDArray[np.float64], mesh: Mesh, half: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Normals (E, 2, 3) of a face at the ends of its edges ``half`` (3 face + corner)."""
    face, corner = np.divmod(half, 3)
    onward = (corner + 1) % 3
    pair = np.stack([normals[face, corner], normals[face, onward]], axis=1)
    forward = mesh.faces[face, corner] < mesh.faces[face, onward]
    return np.where(forward[:, None, None], pair, pair[:, ::-1])
