"""Places for bent and missing pins: where a pin leaves the body, which way it can lean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mvps.errors import InputError
from mvps.synth.defect_pieces import bend_pin
from mvps.synth.defect_ranges import Range, draw_from
from mvps.synth.defect_rays import TOWARDS_SIDES, TOWARDS_TOP, Rays
from mvps.synth.defect_types import Defect, triple
from mvps.synth.mesh import Mesh, components, take_faces

if TYPE_CHECKING:
    from mvps.synth.parts import Part

Array = NDArray[np.float64]

TRIES = 40
SLICES = 60  # places along a pin at which its surroundings are felt
CLOSE = 0.9  # thicknesses: a body nearer than that to a pin's axis holds it
SHORTEST = 1.6  # thicknesses: a free end shorter than that does not bend
BLADE = 1.5  # a pin so much wider than thick bends over its thin side alone


@dataclass(frozen=True)
class FreeEnd:
    """An end of a pin that stands free.

    Attributes
    ----------
    faces : (F,) bool, of the pin
    tip : (3,) mm, the middle of the face at the end, which no other piece shares
    hinge : (3,) mm, on the axis, where the pin leaves the body
    way : unit, towards the end
    leans : unit rows (2 or 4, 3), ways that it may lean
    thickness, length : mm, of its section along ``leans[0]``, and of what is free
    """

    faces: NDArray[np.bool_]
    tip: Array
    hinge: Array
    way: Array
    leans: Array
    thickness: float
    length: float


def draw_bent_pin(
    part: Part, rng: np.random.Generator, spans: Mapping[str, Range], where: str
) -> Defect | None:
    """A pin bent over part of its free length, clear of everything; None where none can be."""
    if not part.pins:
        raise InputError(part.name, "has no pins of their own to bend", "choose another kind")
    rays = Rays(part.mesh)
    ends = [end for end in free_ends(part) if _seen(rays, end, where)]
    for _ in range(TRIES if ends else 0):
        end = ends[int(rng.integers(len(ends)))]
        bent = _draw_bend(end, rng, spans)
        if _clear(part.mesh, rays, end, bent):
            return bent
    return None


def draw_lost_pin(part: Part, rng: np.random.Generator, where: str) -> Defect | None:
    """A pin that is not there."""
    rays = Rays(part.mesh)
    ends = [end for end in free_ends(part) if _seen(rays, end, where)]
    if not ends:
        return None
    end = ends[int(rng.integers(len(ends)))]
    corner = part.mesh.vertices[part.mesh.faces[end.faces]].reshape(-1, 3)
    size = float(np.ptp(corner @ end.way))
    words = {"form": "piece", "tip": list(triple(end.tip))}
    position, normal = triple(end.tip), triple(end.way)
    return Defect("missing_piece", 1, position, normal, triple(end.leans[0]), size, size, words)


@lru_cache(maxsize=8)
def free_ends(part: Part) -> tuple[FreeEnd, ...]:
    """The ends of the part's pins that stand free of it; kept, as many specimens ask for them."""
    rays = Rays(part.mesh)
    piece = components(part.mesh)
    found = []
    for number in part.pins:
        faces = piece == number
        for sign in (-1.0, 1.0):
            end = _free_end(part.mesh, faces, sign, rays)
            if end is not None:
                found.append(end)
    return tuple(found)


def _free_end(mesh: Mesh, faces: NDArray[np.bool_], sign: float, rays: Rays) -> FreeEnd | None:
    points = mesh.vertices[np.unique(mesh.faces[faces])]
    axis = sign * _long_axis(points)
    along = points @ axis
    near_end = points[along > along.max() - 0.3 * np.ptp(along)]
    flat = np.linalg.svd(near_end - near_end.mean(axis=0), full_matrices=False)[2]
    across = flat[np.argsort(np.abs(flat @ axis))[:2]]
    across = _square(axis, across[0])
    widths = np.ptp(near_end @ across.T, axis=0)
    thin, wide = np.argsort(widths)
    thickness = float(widths[thin])
    middle = (near_end @ across.T).min(axis=0) + widths / 2
    ways = np.concatenate([across, -across])
    reach = np.concatenate([widths, widths]) / 2 + (CLOSE - 0.5) * thickness
    end = along.max() * axis + middle @ across
    inside = end - 0.02 * thickness * axis
    if rays.free(inside, axis, faces) < thickness or _held(mesh, faces, points, along, thickness):
        return None
    entry = min(rays.free(inside, -axis, faces), float(np.ptp(along)))
    length = 0.0
    for step in np.linspace(0.02, 0.98, SLICES) * entry:
        point = end - step * axis
        if any(rays.free(point, w, faces) < r for w, r in zip(ways, reach, strict=True)):
            break
        length = float(step)
    if length < SHORTEST * thickness:
        return None
    hinge = end - length * axis
    order = [thin] if widths[wide] > BLADE * thickness else [thin, wide]
    leans = np.concatenate([across[order], -across[order]])
    centres = mesh.vertices[mesh.faces[faces]].mean(axis=1)
    tip = centres[(centres @ axis).argmax()]
    return FreeEnd(faces, tip, hinge, axis, leans, thickness, length)


def _held(
    mesh: Mesh, faces: NDArray[np.bool_], points: Array, along: Array, thickness: float
) -> bool:
    """Whether an end meets another piece: CAD bodies have no faces where they touch."""
    end = points[along > along.max() - 0.1 * thickness]
    gap = 0.05 * thickness
    others = mesh.vertices[np.unique(mesh.faces[~faces])]
    near = ((others > end.min(axis=0) - gap) & (others < end.max(axis=0) + gap)).all(axis=1)
    apart = np.linalg.norm(end[:, None] - others[None, near], axis=2)
    return bool((apart < gap).any())


def _long_axis(points: Array) -> Array:
    """Direction of the longest extent; an axis of the part where it is within 10 degrees."""
    centred = points - points.mean(axis=0)
    axis = np.linalg.svd(centred, full_matrices=False)[2][0]
    near = int(np.abs(axis).argmax())
    if abs(axis[near]) > np.cos(np.radians(10)):
        axis = np.eye(3)[near]
    return np.asarray(axis * np.sign(axis[near]))


def _square(axis: Array, other: Array) -> Array:
    """Two unit rows across an axis and each other, the first as near to ``other`` as can be."""
    first = other - axis * (other @ axis)
    first /= np.linalg.norm(first)
    return np.stack([first, np.cross(axis, first)])


def _draw_bend(end: FreeEnd, rng: np.random.Generator, spans: Mapping[str, Range]) -> Defect:
    angle = draw_from(rng, spans["angle_deg"])
    share = rng.uniform(0.6, 0.95)
    lean = end.leans[int(rng.integers(len(end.leans)))]
    length = round(share * end.length, 4)
    turn = np.radians(angle)
    arc = round(float(min(0.8 * length, max(1.3 * turn * end.thickness, 0.5 * end.thickness))), 4)
    hinge = end.hinge + (end.length - length) * end.way
    radius = arc / turn
    tip = np.array(
        [
            radius * np.sin(turn) + (length - arc) * np.cos(turn) - length,
            radius * (1 - np.cos(turn)) + (length - arc) * np.sin(turn),
        ]
    )
    words = {"angle_deg": angle, "arc_mm": arc, "tip": list(triple(end.tip))}
    moved = round(float(np.linalg.norm(tip)), 4)
    return Defect("bent_pin", 1, triple(hinge), triple(lean), triple(end.way), length, moved, words)


def _seen(rays: Rays, end: FreeEnd, where: str) -> bool:
    ways = {"top": TOWARDS_TOP, "side": TOWARDS_SIDES}.get(
        where, np.concatenate([TOWARDS_TOP, TOWARDS_SIDES])
    )
    return any(np.isinf(rays.free(end.tip + 1e-3 * way, way, end.faces)) for way in ways)


def _clear(mesh: Mesh, rays: Rays, end: FreeEnd, defect: Defect) -> bool:
    """Whether the bent end stands in nothing else and not below the part."""
    bent = bend_pin(take_faces(mesh, end.faces), {}, replace(defect, label=1))
    corner = bent.mesh.vertices[np.unique(bent.mesh.faces[bent.mesh.label > 0])]
    if corner[:, 2].min() < mesh.vertices[:, 2].min() - 1e-3:
        return False
    start = np.asarray(defect.position)
    reach = np.linalg.norm(corner - start, axis=1)
    far = corner[reach > 0.5 * reach.max()]
    return all(
        rays.free(start, (point - start) / np.linalg.norm(point - start), end.faces)
        > np.linalg.norm(point - start)
        for point in far[:: max(1, len(far) // 24)]
    )
