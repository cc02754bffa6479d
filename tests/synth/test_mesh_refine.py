"""Refinement: conforming, local, and onto the round surface that coarse facets stand for."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from mvps.errors import InputError
from mvps.synth import mesh_refine
from mvps.synth.mesh import corner_normals, face_normals, find_edges, make_mesh, volume
from mvps.synth.mesh_refine import Region, refine, rounded
from mvps.synth.shapes import cylinder, plate


def near_path(points: NDArray[np.float64], radius_mm: float) -> Region:
    """Region of the triangles that may come within a radius of a path (N, 3) of N >= 1 points."""
    path = np.atleast_2d(np.asarray(points, np.float64))

    def touches(corners: NDArray[np.float64]) -> NDArray[np.bool_]:
        middle = corners.mean(axis=1)
        reach = np.linalg.norm(corners - middle[:, None], axis=2).max(axis=1) + radius_mm
        nearest = np.linalg.norm(middle - path[0], axis=1)
        for start, end in itertools.pairwise(path):
            along = end - start
            share = (middle - start) @ along / max(float(along @ along), 1e-30)
            foot = start + np.clip(share, 0, 1)[:, None] * along
            nearest = np.minimum(nearest, np.linalg.norm(middle - foot, axis=1))
        return np.asarray(nearest <= reach)

    return touches


def test_a_mask_is_refined_to_the_length_asked_for_and_the_mesh_stays_closed() -> None:
    block = plate(4, 3, 2)
    top = face_normals(block)[:, 2] > 0.9
    block = replace(block, label=top.astype(np.int16), surface=np.arange(len(top), dtype=np.int32))

    fine = refine(block, top, 0.2)

    edges = find_edges(fine.faces, len(fine.vertices))
    ends = fine.vertices[edges.ends]
    length = np.linalg.norm(ends[:, 0] - ends[:, 1], axis=1)
    assert length[edges.of_face[fine.label == 1]].max() <= 0.2
    assert (edges.count == 2).all()
    assert volume(fine) == pytest.approx(24)
    assert np.array_equal(np.unique(fine.surface), np.arange(len(top)))
    assert ((face_normals(fine)[:, 2] > 0.9) == (fine.label == 1)).all()


def test_a_small_defect_on_a_large_face_is_refined_there_alone() -> None:
    """A disc of 0.5 mm in edges of 0.05 mm needs about 2 pi r2 / edge2 = 630 triangles or more."""
    block = plate(30, 30, 2)
    fine = refine(block, near_path(np.array([[4.0, 5.0, 2.0]]), 0.5), 0.05)

    corner = fine.vertices[fine.faces]
    reach = np.linalg.norm(corner.mean(axis=1) - (4, 5, 2), axis=1)
    within = reach < 0.5
    assert 630 < np.count_nonzero(within) < len(fine.faces) < 8000
    sides = np.linalg.norm(corner - np.roll(corner, 1, axis=1), axis=2)
    assert sides[within].max() <= 0.05
    assert (find_edges(fine.faces, len(fine.vertices)).count == 2).all()


def test_a_path_is_followed_over_its_length() -> None:
    path = np.array([[-5.0, 0, 2], [0, 3.0, 2], [5, 0, 2]])
    fine = refine(plate(20, 20, 2), near_path(path, 0.1), 0.1)
    middle = fine.vertices[fine.faces].mean(axis=1)

    for point in np.concatenate([np.linspace(a, b, 9) for a, b in itertools.pairwise(path)]):
        assert np.linalg.norm(middle - point, axis=1).min() < 0.1


def test_a_cylinder_of_sixteen_facets_becomes_round() -> None:
    """Chords of 16 facets sag by r (1 - cos(11.25 deg)) = 96 um; a cubic through them by 2 um."""
    coarse = cylinder(5.0, 4.0, segments=16)

    fine = rounded(coarse, 0.05)

    radius = np.hypot(fine.vertices[:, 0], fine.vertices[:, 1])
    rim = radius > 4.5
    assert np.abs(radius[rim] - 5).max() < 0.003
    assert volume(fine) == pytest.approx(np.pi * 25 * 4, rel=1e-3)
    assert volume(coarse) < 0.98 * volume(fine)
    assert (find_edges(fine.faces, len(fine.vertices)).count == 2).all()


def test_facets_and_smooth_normals_agree_after_rounding() -> None:
    fine = rounded(cylinder(5.0, 4.0, segments=16), 0.05)
    cosine = np.einsum("fi,fki->fk", face_normals(fine), corner_normals(fine))

    assert np.degrees(np.arccos(np.clip(cosine, -1, 1))).max() < 3.0


def test_what_is_flat_is_left_alone_by_rounding() -> None:
    block = plate(4, 3, 2)

    assert len(rounded(block, 0.01).faces) == len(block.faces)


def test_refining_a_round_part_keeps_its_facets() -> None:
    coarse = cylinder(5.0, 4.0, segments=16)
    fine = refine(coarse, np.ones(len(coarse.faces), np.bool_), 0.5)

    assert volume(fine) == pytest.approx(volume(coarse), rel=1e-12)


def test_normals_that_a_mesh_keeps_are_shared_out_as_shading_does() -> None:
    """Halfway between corners 60 degrees apart, the normal is 30 degrees from either."""
    tilted = [[0.0, 0, 1], [np.sin(np.pi / 3), 0, 0.5], [0, 0, 1]]
    mesh = make_mesh([[0, 0, 0], [2, 0, 0], [0, 1.2, 0]], [[0, 1, 2]])
    mesh = replace(mesh, normals=np.array([tilted]))

    fine = refine(mesh, np.ones(1, np.bool_), 1.3)

    assert fine.normals is not None
    at_middle = np.isclose(fine.vertices[fine.faces][..., 0], 1.0, atol=0.2)
    assert at_middle.any()
    assert np.allclose(fine.normals[at_middle], [0.5, 0, np.sqrt(0.75)])
    assert refine(replace(mesh, normals=None), np.ones(1, np.bool_), 1.3).normals is None


@pytest.mark.parametrize("edge", [0.0, -1.0, float("nan")])
def test_an_edge_length_that_is_none_is_refused(edge: float) -> None:
    with pytest.raises(InputError, match="edge length"):
        rounded(plate(4, 3, 2), edge)


def test_edges_that_need_too_many_triangles_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mesh_refine, "MAX_FACES", 10_000)
    block = plate(400, 300, 2)
    with pytest.raises(InputError, match="need more than 10000 triangles"):
        refine(block, np.ones(len(block.faces), np.bool_), 0.01)
