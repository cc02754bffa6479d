"""Small parts to damage: a block, a block with two pins, and what is wrong with a mesh."""

from __future__ import annotations

import numpy as np

from mvps.synth.defects import KINDS, Defect, apply_defect
from mvps.synth.materials import Material
from mvps.synth.mesh import Mesh, components, face_areas, find_edges, join, make_mesh
from mvps.synth.parts import Part

GREY = Material("lambertian", (0.5, 0.45, 0.4), roughness=1.0, specular=0.0)
TIN = Material("lambertian", (0.7, 0.7, 0.68), roughness=1.0, specular=0.0)
LOOKS = {"part": GREY, "pin": TIN}
CORNERS = [[x, y, z] for z in (0, 1) for y in (-0.5, 0.5) for x in (-0.5, 0.5)]
SIDES = [[0, 2, 1], [1, 2, 3], [4, 5, 6], [5, 7, 6], [0, 1, 4], [1, 5, 4]]
SIDES += [[2, 6, 3], [3, 6, 7], [0, 4, 2], [2, 4, 6], [1, 3, 5], [3, 7, 5]]
SURFACE_KINDS = tuple(kind for kind in KINDS if kind not in {"bent_pin", "missing_piece"})

# One of each kind on the top of the block, by hand: what a record must hold at least.
BY_HAND = {
    "scratch": (6.0, 0.1, {"path": [[-3, 0], [0, 0.3], [3, 0]], "width_mm": 0.5, "burr": 0.2}),
    "dent": (4.0, 0.3, {"aspect": 0.8}),
    "pit": (1.2, 0.4, {}),
    "bump": (2.5, 0.35, {"aspect": 0.9}),
    "crack": (
        6.0,
        0.2,
        {"paths": [[[-3, 0], [-1, 0.5], [1, 0], [3, 0.4]], [[1, 0], [2, -1]]], "width_mm": 0.4},
    ),
    "contamination": (2.0, 0.6, {"form": "crumb", "colour": [0.2, 0.1, 0.05]}),
    "discoloration": (5.0, 0.0, {"aspect": 0.7, "softness": 0.4, "colour": [0.2, 0.1, 0.02]}),
    "missing_piece": (3.0, 0.8, {"form": "chip"}),
    "bent_pin": (1.9, 0.9, {"angle_deg": 30.0, "arc_mm": 0.4, "tip": [-2.9, 0.1, 7]}),
}


def block(width=20.0, depth=16.0, height=4.0, centre=(0.0, 0.0), base=0.0, material="part") -> Mesh:
    """A closed block of 12 faces."""
    scaled = np.array(CORNERS, float) * [width, depth, height]
    return make_mesh(scaled + np.array([*centre, base]), SIDES, material=material)


def pinned() -> Part:
    """A block with two pins of 0.6 mm that stand 3 mm out of its top."""
    pins = [block(0.6, 0.6, 5, (x, 0.2), 2.0, "pin") for x in (-3.0, 3.0)]
    mesh = join([block(), *pins])
    numbers = np.unique(components(mesh)[mesh.material == 1])
    return Part("pinned", mesh, LOOKS, tuple(int(number) for number in numbers))


def plain() -> Part:
    """The block alone."""
    return Part("block", block(), LOOKS)


def by_hand(kind: str, label: int = 1) -> Defect:
    """A defect of stated size on the top of the block, near its middle; see ``BY_HAND``."""
    size, depth, words = BY_HAND[kind]
    position, normal, direction = (0.4, -1.2, 4.0), (0.0, 0.0, 1.0), (0.8, 0.6, 0.0)
    if kind == "missing_piece":
        position, direction = (1.0, -8.0, 4.0), (1.0, 0.0, 0.0)
        normal = (0.0, -np.sqrt(0.5), np.sqrt(0.5))
    if kind == "bent_pin":
        position, normal, direction = (-3.0, 0.2, 5.1), (1.0, 0.0, 0.0), (0.0, 0.0, 1.0)
    return Defect(kind, label, position, normal, direction, size, depth, {"seed": 7, **words})


def damaged(kind: str):
    """The block with pins with that defect, and the defect."""
    defect = by_hand(kind)
    return apply_defect(pinned().mesh, LOOKS, defect), defect


def open_edges(mesh: Mesh) -> int:
    """Edges that not exactly two faces share."""
    return int((find_edges(mesh.faces, len(mesh.vertices)).count != 2).sum())


def flat_faces(mesh: Mesh) -> int:
    """Faces with next to no area for their longest side."""
    corner = mesh.vertices[mesh.faces]
    longest = np.linalg.norm(corner - np.roll(corner, 1, axis=1), axis=2).max(axis=1)
    return int((face_areas(mesh) < 1e-4 * longest**2).sum())
