"""Triangles of a part: welding, pieces, normals that are smooth where the part is round."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mvps.synth.mesh import (
    Mesh,
    bounds,
    components,
    connected,
    corner_normals,
    face_areas,
    face_normals,
    find_edges,
    join,
    make_mesh,
    take_faces,
    transformed,
    volume,
    weld,
)
from mvps.synth.shapes import cylinder, plate, sphere_cap, sphere_normals


def degrees_between(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.degrees(np.arccos(np.clip(np.sum(a * b, axis=-1), -1, 1)))


def soup(mesh: Mesh) -> Mesh:
    """The mesh with three vertices of its own for each face, as STL has it."""
    corners = mesh.vertices[mesh.faces].reshape(-1, 3)
    return replace(
        mesh, vertices=corners, faces=np.arange(len(corners), dtype=np.int32).reshape(-1, 3)
    )


def roof(turn_deg: float, surfaces: tuple[int, int] = (-1, -1)) -> Mesh:
    """Two squares that meet in the y axis, their normals that many degrees apart."""
    half = np.radians(turn_deg / 2)
    x, z = np.cos(half), -np.sin(half)
    vertices = [[-x, 0, z], [-x, 1, z], [0, 0, 0], [0, 1, 0], [x, 0, z], [x, 1, z]]
    faces = [[0, 2, 3], [0, 3, 1], [2, 4, 5], [2, 5, 3]]
    return make_mesh(vertices, faces, surface=np.repeat(np.array(surfaces, np.int32), 2))


def test_a_welded_soup_is_the_closed_mesh_again() -> None:
    block = plate(4, 3, 2, 0.5)
    welded = weld(soup(block))

    assert len(welded.vertices) == len(block.vertices)
    assert (find_edges(welded.faces, len(welded.vertices)).count == 2).all()
    assert volume(welded) == pytest.approx(volume(block), rel=1e-12)


def test_welding_joins_within_the_tolerance_wherever_the_grid_of_cells_lies() -> None:
    rng = np.random.default_rng(3)
    first = rng.uniform(-1, 1, (200, 3))
    twin = first + rng.uniform(-1, 1, first.shape) * 0.5e-3 / np.sqrt(3)
    vertices = np.concatenate([first, twin])
    faces = np.arange(600).reshape(-1, 3) % 400
    welded = weld(make_mesh(vertices, faces), tolerance_mm=1e-3)

    assert len(welded.vertices) == 200


def test_bodies_of_different_material_are_not_welded() -> None:
    block, twin = make_mesh(*box(), material="a"), make_mesh(*box(), material="b")

    assert components(weld(join([block, twin]))).max() == 1
    assert components(weld(join([block, block]))).max() == 0


def test_joined_meshes_keep_materials_by_name_and_cad_faces_apart() -> None:
    a = make_mesh(*box(), material="steel", surface=0)
    b = replace(make_mesh(*box(), surface=0), materials=("rubber",))
    both = join([a, b, a])

    assert both.materials == ("steel", "rubber")
    assert both.material.tolist() == [0] * 12 + [1] * 12 + [0] * 12
    assert both.surface.tolist() == [0] * 12 + [1] * 12 + [2] * 12
    assert join([]).faces.shape == (0, 3)


def test_taking_faces_drops_vertices_that_no_one_uses() -> None:
    block = make_mesh(*box())
    top = take_faces(block, face_normals(block)[:, 2] > 0.9)

    assert len(top.vertices) == 4
    assert bounds(top).tolist() == [[0, 0, 1], [1, 1, 1]]


def test_a_block_has_its_volume_area_and_outward_normals() -> None:
    block = plate(4, 3, 2)

    assert volume(block) == pytest.approx(24)
    assert face_areas(block).sum() == pytest.approx(2 * (12 + 8 + 6))
    centre = block.vertices[block.faces].mean(axis=1) - (0, 0, 1)
    assert (np.einsum("ij,ij->i", face_normals(block), centre) > 0).all()


def test_a_mirrored_mesh_still_looks_outward() -> None:
    mirrored = transformed(plate(4, 3, 2), np.diag([-1.0, 1, 1, 1]))

    assert volume(mirrored) == pytest.approx(24)


def test_sharp_edges_stay_sharp_and_round_faces_become_smooth() -> None:
    rod = cylinder(3.0, 5.0, segments=24)
    normals = corner_normals(rod)
    corner = rod.vertices[rod.faces]
    side = np.abs(face_normals(rod)[:, 2]) < 0.5
    ideal = corner * (1, 1, 0) / 3.0

    assert degrees_between(normals[side], ideal[side]).max() < 1e-5
    assert (
        degrees_between(normals[~side], np.sign(corner[~side] - (0, 0, 2.5)) * (0, 0, 1)).max()
        < 1e-5
    )


def test_normals_of_a_sphere_are_radial() -> None:
    """Facets are 1.9 degrees wide; only at the rim do normals lag, by half that."""
    cap = sphere_cap(9.0, 6.0)
    upper = face_normals(cap)[:, 2] > 0
    error = degrees_between(corner_normals(cap), sphere_normals(cap.vertices[cap.faces], 9.0, 6.0))

    assert np.median(error[upper]) < 0.03
    assert error[upper].max() < 1.0


@pytest.mark.parametrize(
    ("turn", "surfaces", "smooth"),
    [
        (30, (-1, -1), True),
        (40, (-1, -1), False),
        (70, (5, 5), True),
        (85, (5, 5), False),
        (40, (5, 6), False),
    ],
)
def test_the_crease_angle_is_wider_within_one_cad_face(
    turn: float, surfaces: tuple[int, int], smooth: bool
) -> None:
    mesh = roof(turn, surfaces)
    normals = corner_normals(mesh)
    at_ridge = normals[mesh.vertices[mesh.faces][..., 0] == 0]
    own = np.repeat(face_normals(mesh)[:, None], 3, axis=1)
    own_at_ridge = own[mesh.vertices[mesh.faces][..., 0] == 0]

    expected = np.broadcast_to([0.0, 0, 1], at_ridge.shape) if smooth else own_at_ridge
    assert degrees_between(at_ridge, expected).max() < 1e-4


def test_a_mitre_of_two_fillets_is_sharp_along_its_whole_seam() -> None:
    """Edges of the seam turn by 10, 40 and 70 degrees: the first one alone would be smooth."""
    pieces = []
    for start, turn in enumerate((10.0, 40.0, 70.0)):
        shift = np.eye(4)
        shift[1, 3] = 2.0 * start
        pieces.append(transformed(roof(turn, (0, 1)), shift))
    mitre = replace(join(pieces), surface=np.tile(np.array([0, 0, 1, 1], np.int32), 3))

    assert degrees_between(corner_normals(mitre), face_normals(mitre)[:, None]).max() < 1e-4


def test_a_face_without_area_takes_the_normal_of_its_neighbours() -> None:
    vertices = [[0, 0, 0], [2, 0, 0], [1, 1, 0], [1, 0, 0], [1, -1, 0]]
    mesh = make_mesh(vertices, [[0, 1, 2], [0, 3, 1], [0, 4, 3], [3, 4, 1]])

    assert degrees_between(corner_normals(mesh), np.array([0.0, 0, 1])).max() < 1e-9


def test_normals_that_a_mesh_keeps_go_with_its_corners() -> None:
    rng = np.random.default_rng(5)
    block = make_mesh(*box())
    kept = rng.normal(size=(12, 3, 3))
    kept /= np.linalg.norm(kept, axis=2, keepdims=True)
    shaded = replace(block, normals=kept)
    both = join([block, take_faces(shaded, np.arange(4))])

    assert corner_normals(shaded) is kept
    assert np.array_equal(corner_normals(both), np.concatenate([corner_normals(block), kept[:4]]))
    assert weld(shaded).normals is None
    assert join([block, block]).normals is None


@pytest.mark.parametrize("mirror", [1.0, -1.0])
def test_kept_normals_turn_with_the_mesh_as_computed_ones_do(mirror: float) -> None:
    rod = cylinder(3.0, 5.0, segments=24)
    matrix = np.diag([mirror, 2.0, 1.0, 1.0])  # normals of a stretched rod are not the moved ones
    matrix[:3, :3] = matrix[:3, :3] @ np.linalg.qr(np.random.default_rng(2).normal(size=(3, 3)))[0]
    flat = np.repeat(face_normals(rod)[:, None], 3, axis=1)
    moved = transformed(replace(rod, normals=flat), matrix)

    assert degrees_between(corner_normals(moved), face_normals(moved)[:, None]).max() < 1e-4


def test_members_of_a_long_chain_are_connected_in_any_order() -> None:
    rng = np.random.default_rng(1)
    order = rng.permutation(5000)

    root = connected(5002, order[:-1], order[1:])

    assert (root[:5000] == 0).all()
    assert root[5000:].tolist() == [5000, 5001]


def box() -> tuple[list[list[float]], list[list[int]]]:
    vertices = [[float(x), float(y), float(z)] for x in (0, 1) for y in (0, 1) for z in (0, 1)]
    faces = [[0, 1, 3], [0, 3, 2], [4, 6, 7], [4, 7, 5], [0, 4, 5], [0, 5, 1]]
    faces += [[2, 3, 7], [2, 7, 6], [0, 2, 6], [0, 6, 4], [1, 5, 7], [1, 7, 3]]
    return vertices, faces
