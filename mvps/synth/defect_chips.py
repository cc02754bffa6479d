"""Places for chips: sharp convex edges and corners that a camera sees, on walls thick enough."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mvps.synth.defect_pieces import TRIAL_EDGES, chip_is_clean, chip_region
from mvps.synth.defect_ranges import Range, draw_depth, draw_from
from mvps.synth.defect_rays import Rays
from mvps.synth.defect_surface import Chart, chart_at, is_flat, with_neighbours
from mvps.synth.defect_types import Defect, triple
from mvps.synth.mesh import Mesh, face_normals, find_edges, take_faces

Array = NDArray[np.float64]

TRIES = 80
CALM_TRIES = 60  # of them, those that keep away from round edges, whose shading they might upset
CORNER = 0.4  # chance that a chip sits at the end of its edge
SHARP = np.cos(np.radians(50))
TOP_UP, SIDE_UP = 0.5, 0.15  # how far a chip looks up that is one of the top, of a side


@dataclass(frozen=True)
class _Edges:
    """Sharp convex edges: ends (E, 2, 3) mm, the normals of their two faces (E, 2, 3), lengths."""

    ends: Array
    normals: Array
    length: Array


def draw_chip(
    mesh: Mesh, rng: np.random.Generator, spans: Mapping[str, Range], where: str
) -> Defect | None:
    """A chip out of a sharp edge, or None where none of the tries comes out clean."""
    edges = _allowed_edges(sharp_edges(mesh), where)
    if not len(edges.length):
        return None
    rays = Rays(mesh)
    for trial in range(TRIES):
        size = draw_from(rng, spans["size_mm"])
        depth = draw_depth(rng, "missing_piece", spans["depth_mm"], size)
        point, out, way = _draw_place(edges, rng, where)
        words = {"form": "chip", "seed": int(rng.integers(1 << 31))}
        chip = Defect(
            "missing_piece", 1, triple(point), triple(out), triple(way), size, depth, words
        )
        if rays.in_sight(point + 1e-3 * out, out, where):
            local = _around(mesh, chip)
            chart = chart_at(chip.position, chip.normal, chip.direction)
            calm = trial >= CALM_TRIES or _is_calm(local, chip, chart)
            if calm and chip_is_clean(local, chip, chart):
                return chip
    return None


def sharp_edges(mesh: Mesh) -> _Edges:
    """Edges where two faces of a convex body turn by more than 50 degrees."""
    normals = face_normals(mesh)
    edges = find_edges(mesh.faces, len(mesh.vertices))
    half = np.argsort(edges.of_face.ravel(), kind="stable")
    first = np.concatenate([[0], np.cumsum(edges.count)[:-1]]).astype(np.int64)
    pair = first[edges.count == 2]
    one, two = half[pair] // 3, half[pair + 1] // 3
    ends = mesh.vertices[edges.ends[edges.count == 2]]
    middle = mesh.vertices[mesh.faces].mean(axis=1)
    turned = (normals[one] * normals[two]).sum(axis=1) < SHARP
    convex = ((middle[two] - middle[one]) * normals[one]).sum(axis=1) < 0
    sharp = turned & convex
    ends, pairs = ends[sharp], np.stack([normals[one], normals[two]], axis=1)[sharp]
    return _Edges(ends, pairs, np.linalg.norm(ends[:, 1] - ends[:, 0], axis=1))


def _allowed_edges(edges: _Edges, where: str) -> _Edges:
    keep = np.flatnonzero([_allowed(_outward(normals), where) for normals in edges.normals])
    return _Edges(edges.ends[keep], edges.normals[keep], edges.length[keep])


def _draw_place(edges: _Edges, rng: np.random.Generator, where: str) -> tuple[Array, Array, Array]:
    """Point of an edge or corner, the way out of the body there, the way along the edge."""
    i = int(rng.choice(len(edges.length), p=edges.length / edges.length.sum()))
    start, end = edges.ends[i]
    share, at_end = rng.uniform(0, 1), rng.uniform() < CORNER
    way = (end - start) / edges.length[i]
    if at_end:
        touching = (np.abs(edges.ends - end).max(axis=2) < 1e-6).any(axis=1)
        around = np.unique(np.round(edges.normals[touching].reshape(-1, 3), 3), axis=0)
        out = _outward(around)
        if _allowed(out, where):
            return end, out, way
    return start + share * (end - start), _outward(edges.normals[i]), way


def _outward(normals: Array) -> Array:
    """Unit way out of a body between faces with normals (N, 3); they do not cancel at an edge."""
    out = normals.sum(axis=0)
    return np.asarray(out / max(float(np.linalg.norm(out)), 1e-9))


def _allowed(out: Array, where: str) -> bool:
    if where == "top":
        return bool(out[2] > TOP_UP)
    return bool(abs(out[2]) < SIDE_UP) if where == "side" else bool(out[2] > -0.2)


def _around(mesh: Mesh, chip: Defect) -> Mesh:
    corner = mesh.vertices[mesh.faces]
    low, high = corner.min(axis=1), corner.max(axis=1)
    centre, reach = np.asarray(chip.position), 1.2 * chip.size_mm
    return take_faces(mesh, ((low <= centre + reach) & (high >= centre - reach)).all(axis=1))


def _is_calm(mesh: Mesh, chip: Defect, chart: Chart) -> bool:
    region = chip_region(chip, chart, chip.size_mm / TRIAL_EDGES)
    touched = region(mesh.vertices[mesh.faces])
    return is_flat(mesh, with_neighbours(mesh, touched))
