"""Scenes with closed forms: a ball on the plate, a bare tile, waves; and whether one can render."""

from __future__ import annotations

import numpy as np
import pytest

from mvps.synth.materials import Material
from mvps.synth.mesh import Mesh, make_mesh
from mvps.synth.mitsuba_door import working_library
from mvps.synth.scene import Scene

MATT = Material("lambertian", (0.6, 0.5, 0.4), roughness=1.0, specular=0.0)


def needs_mitsuba():
    """Skip, with the reason, where nothing can be rendered."""
    pytest.importorskip("mitsuba", reason="Mitsuba is not installed (extra synth)")


def needs_llvm():
    """Skip where only the slow variant runs."""
    needs_mitsuba()
    if working_library() is None:
        pytest.skip("no libLLVM that Mitsuba can use")


def ball(radius: float = 5.0, height: float | None = None, rings: int = 160) -> Mesh:
    """A ball above the origin, standing on the plate unless ``height`` of its centre is stated."""
    polar = np.pi * np.arange(1, rings) / rings
    turn = np.pi * np.arange(2 * rings) / rings
    ring = np.stack([np.cos(turn), np.sin(turn), np.zeros_like(turn)], axis=1)
    points = np.sin(polar)[:, None, None] * ring + np.cos(polar)[:, None, None] * [0, 0, 1.0]
    poles = np.array([[0, 0, 1.0], [0, 0, -1.0]])
    vertices = np.concatenate([points.reshape(-1, 3), poles]) * radius
    vertices[:, 2] += radius if height is None else height
    around = np.arange(2 * rings)
    after = (around + 1) % (2 * rings)
    first = np.arange(rings - 2)[:, None] * 2 * rings
    a, b = first + around, first + after
    c, d = a + 2 * rings, b + 2 * rings
    north, south = np.full_like(around, len(points) * 2 * rings), len(vertices) - 1
    last = (rings - 2) * 2 * rings
    faces = [
        np.stack([a, c, d], -1).reshape(-1, 3),
        np.stack([a, d, b], -1).reshape(-1, 3),
        np.stack([north, around, after], -1),
        np.stack([np.full_like(around, south), last + after, last + around], -1),
    ]
    return make_mesh(vertices, np.concatenate(faces))


def tile(side: float, height: float = 0.0, centre: tuple[float, float] = (0, 0)) -> Mesh:
    """A square at ``height`` above the plate, facing up."""
    corners = np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0.0]]) * side / 2
    return make_mesh(corners + np.array([*centre, height]), [[0, 1, 2], [0, 2, 3]])


def relief(side: float = 10.0, amplitude: float = 0.3, waves: int = 2, cells: int = 300) -> Mesh:
    """A square of smooth waves that shadow nothing: slopes of 0.13 at most."""
    line = np.linspace(-side / 2, side / 2, cells + 1)
    x, y = np.meshgrid(line, line)
    turns = 2 * np.pi * waves / side / 2
    z = 1 + amplitude * (np.cos(turns * x) + np.sin(turns * y)) / 2
    number = np.arange((cells + 1) ** 2).reshape(cells + 1, cells + 1)
    a, b, c, d = number[:-1, :-1], number[:-1, 1:], number[1:, 1:], number[1:, :-1]
    faces = [np.stack(t, -1).reshape(-1, 3) for t in ((a, b, c), (a, c, d))]
    return make_mesh(np.stack([x, y, z], -1).reshape(-1, 3), np.concatenate(faces))


def matt_scene(mesh: Mesh, *, ground: bool = False, material: Material = MATT) -> Scene:
    below = Material("lambertian", (0.3, 0.3, 0.3), roughness=1.0, specular=0.0) if ground else None
    return Scene(mesh, dict.fromkeys(mesh.materials, material), below)


def degrees(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Angles between vectors (..., 3), exact where they are small."""
    a, b = a.astype(np.float64), b.astype(np.float64)
    cross = np.linalg.norm(np.cross(a, b), axis=-1)
    return np.degrees(np.arctan2(cross, (a * b).sum(-1)))
