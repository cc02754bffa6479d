"""Procedural shapes: closed, of the exact volume, with normals of the ideal surface."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from mvps.errors import InputError
from mvps.synth.mesh import (
    Mesh,
    bounds,
    components,
    corner_normals,
    face_normals,
    find_edges,
    volume,
)
from mvps.synth.shapes import (
    cosine_height,
    cosine_normals,
    cosine_relief,
    cylinder,
    plate,
    sphere_cap,
    sphere_normals,
    torus,
    torus_normals,
    washer,
)

PI = np.pi
SHAPES: dict[str, tuple[Callable[[], Mesh], float, tuple[float, float, float]]] = {
    "block": (lambda: plate(16, 12, 5), 16 * 12 * 5, (16, 12, 5)),
    # Up to z = 7 an outline with round corners; above it a slab, quarter rods, eighths of a sphere.
    "rounded block": (
        lambda: plate(6, 6, 8, 1),
        7 * (4 * 4 + 4 * 4 + PI) + (4 * 4 + 4 * 4 * PI / 4 + 2 * PI / 3),
        (6, 6, 8),
    ),
    "cap": (lambda: sphere_cap(5, 5), 2 / 3 * PI * 125, (10, 10, 5)),
    "rod": (lambda: cylinder(3, 14), PI * 9 * 14, (6, 6, 14)),
    "ring": (lambda: torus(6, 2), 2 * PI**2 * 6 * 4, (16, 16, 4)),
    "washer": (lambda: washer(4, 9, 2), PI * (81 - 16) * 2, (18, 18, 2)),
    "relief": (lambda: cosine_relief(16, 16, 3, 1, 8), 16 * 16 * 3, (16, 16, 4)),
}


@pytest.mark.parametrize("name", SHAPES)
def test_shapes_are_closed_stand_on_the_plate_and_have_their_volume(name: str) -> None:
    """Chords of 192 steps a turn lose 1 - sinc(2 pi / 192) = 0.02 percent of an area."""
    make, expected, size = SHAPES[name]
    mesh = make()

    assert (find_edges(mesh.faces, len(mesh.vertices)).count == 2).all()
    assert components(mesh).max() == 0
    assert volume(mesh) == pytest.approx(expected, rel=2e-3)
    low, high = bounds(mesh)
    assert low == pytest.approx([-size[0] / 2, -size[1] / 2, 0], abs=1e-9)
    assert high == pytest.approx([size[0] / 2, size[1] / 2, size[2]], abs=1e-9)


def degrees(cosine: np.ndarray) -> np.ndarray:
    return np.degrees(np.arccos(np.clip(cosine, -1, 1)))


def test_normals_of_meshes_follow_the_ideal_surfaces() -> None:
    ring = torus(6, 2)
    ideal = torus_normals(ring.vertices[ring.faces], 6, 2)
    assert degrees(np.sum(corner_normals(ring) * ideal, axis=2)).max() < 0.05

    cap = sphere_cap(9, 6)
    upper = face_normals(cap)[:, 2] > 0
    ideal = sphere_normals(cap.vertices[cap.faces], 9, 6)
    assert np.median(degrees(np.sum(corner_normals(cap) * ideal, axis=2))[upper]) < 0.05

    relief = cosine_relief(16, 16, 3, 1, 8, step=0.05)
    x, y, z = relief.vertices.T
    inside = (np.abs(x) < 7.9) & (np.abs(y) < 7.9) & (z > 0)
    assert np.allclose(z[inside], 3 + cosine_height(x, y, 1, 8)[inside])
    corner = relief.vertices[relief.faces]
    top = inside[relief.faces].all(axis=1)
    ideal = cosine_normals(corner[..., 0], corner[..., 1], 1, 8)
    assert np.median(degrees(np.sum(corner_normals(relief) * ideal, axis=2))[top]) < 0.03


@pytest.mark.parametrize(
    "make",
    [
        lambda: plate(1, 1, 1, 0.6),
        lambda: plate(0, 1, 1),
        lambda: plate(4, 4, 1, 2),
        lambda: sphere_cap(1, 2),
        lambda: cylinder(-1, 2),
        lambda: torus(1, 1),
        lambda: washer(3, 3, 1),
        lambda: washer(3, 4, 1, 0.6),
        lambda: cosine_relief(1, 1, 0.5, 0.5, 1),
        lambda: cylinder(float("nan"), 1),
    ],
)
def test_shapes_that_cannot_be_are_refused(make: Callable[[], Mesh]) -> None:
    with pytest.raises(InputError):
        make()


def test_a_rounded_washer_keeps_its_size() -> None:
    mesh = washer(4, 9, 2, 0.5)

    assert (find_edges(mesh.faces, len(mesh.vertices)).count == 2).all()
    assert bounds(mesh)[1] == pytest.approx([9, 9, 2])
    assert volume(mesh) < volume(washer(4, 9, 2))
