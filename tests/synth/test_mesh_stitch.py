"""Stitching: CAD faces that meet in different steps share their vertices afterwards."""

from __future__ import annotations

import numpy as np
import pytest

from mvps.synth.mesh import face_areas, find_edges, join, make_mesh, weld
from mvps.synth.mesh_stitch import stitch


def strip(y: float, steps: int, to: float) -> object:
    x = np.linspace(0, 1, steps + 1)
    vertices = [[a, y, 0.0] for a in x] + [[0, to, 0], [1, to, 0]]
    faces = [[k, k + 1, steps + 2] for k in range(steps)] + [[0, steps + 2, steps + 1]]
    return make_mesh(vertices, faces if to > y else [f[::-1] for f in faces])


def test_a_border_of_three_steps_meets_one_of_five() -> None:
    both = weld(join([strip(0, 3, 1), strip(0, 5, -1)]))  # type: ignore[list-item]
    before = find_edges(both.faces, len(both.vertices)).count

    sewn = stitch(both, 0.01)

    edges = find_edges(sewn.faces, len(sewn.vertices))
    on_seam = (sewn.vertices[edges.ends][..., 1] == 0).all(axis=1)
    assert (before == 1).sum() > 6
    assert (edges.count[on_seam] == 2).all()
    assert on_seam.sum() == 7  # three and five steps have no inner point in common
    assert face_areas(sewn).sum() == pytest.approx(2)


def test_vertices_off_the_edge_and_of_other_materials_are_left_alone() -> None:
    apart = weld(join([strip(0, 3, 1), strip(-0.05, 5, -1)]))  # type: ignore[list-item]

    assert len(stitch(apart, 0.01).faces) == len(apart.faces)


@pytest.mark.parametrize("name", ["steel"])
def test_a_body_of_another_material_is_not_sewn_on(name: str) -> None:
    lower = strip(0, 5, -1)
    other = make_mesh(lower.vertices, lower.faces, material=name)  # type: ignore[attr-defined]
    both = weld(join([strip(0, 3, 1), other]))  # type: ignore[list-item]

    assert len(stitch(both, 0.01).faces) == len(both.faces)
