"""Defects of stated size on a block: depth, footprint, labels, and a mesh that stays whole."""

from __future__ import annotations

import json

import numpy as np
import pytest
from defect_parts import (
    LOOKS,
    SURFACE_KINDS,
    block,
    by_hand,
    damaged,
    flat_faces,
    open_edges,
    pinned,
)

from mvps.errors import InputError
from mvps.synth.defects import KINDS, Defect, apply_defect
from mvps.synth.mesh import components, corner_normals, face_areas, face_normals, volume
from mvps.synth.shapes import cylinder

TOP = 4.0
RELIEFS = ("scratch", "dent", "pit", "bump", "crack")


def labelled_vertices(mesh):
    return mesh.vertices[np.unique(mesh.faces[mesh.label > 0])]


@pytest.mark.parametrize("kind", KINDS)
def test_a_defect_labels_faces_and_leaves_a_closed_mesh_closed(kind):
    result, _ = damaged(kind)
    labels = (result.removed or result.mesh).label
    assert set(np.unique(labels)) == {0, 1}
    assert open_edges(result.mesh) == 0
    assert flat_faces(result.mesh) == 0


@pytest.mark.parametrize("kind", RELIEFS)
def test_the_surface_moves_by_the_stated_depth_and_nowhere_else(kind):
    result, defect = damaged(kind)
    height = labelled_vertices(result.mesh)[:, 2] - TOP
    deepest = height.max() if kind == "bump" else -height.min()
    assert deepest == pytest.approx(defect.depth_mm, rel=0.05)
    sound = result.mesh.vertices[np.unique(result.mesh.faces[result.mesh.label == 0])]
    on_top = sound[(np.abs(sound[:, :2]) < [9, 7]).all(axis=1) & (np.abs(sound[:, 2] - TOP) < 0.3)]
    assert np.abs(on_top[:, 2] - TOP).max() < 0.03 * defect.depth_mm + 0.01 * defect.depth_mm


@pytest.mark.parametrize("kind", ["discoloration", "dent"])
def test_round_surfaces_stay_smooth_around_a_defect_and_under_a_stain(kind):
    """Facets are 7.5 degrees wide: normals of faces would be up to 3.75 off.

    A face beside the dent is sound where the mean of its corners turns by up to 1 degree: one
    corner by up to 3.
    """
    rod = cylinder(10.0, 8.0, segments=48)
    words = {"aspect": 0.8, "softness": 0.4, "colour": [0.2, 0.1, 0.02], "seed": 7}
    place = (10.0, 0.0, 4.0), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0)
    result = apply_defect(rod, {"part": LOOKS["part"]}, Defect(kind, 1, *place, 3.0, 0.2, words))
    mesh = result.mesh
    side = np.abs(face_normals(mesh)[:, 2]) < 0.5
    if kind == "dent":
        side &= mesh.label == 0
    radial = mesh.vertices[mesh.faces][side] * [1, 1, 0]
    radial /= np.linalg.norm(radial, axis=2, keepdims=True)
    turn = np.degrees(np.arccos(np.clip((corner_normals(mesh)[side] * radial).sum(axis=2), -1, 1)))
    assert len(turn) > 1000
    assert np.median(turn) < 0.05
    assert turn.max() < (3.0 if kind == "dent" else 0.05)


@pytest.mark.parametrize("kind", RELIEFS)
def test_no_face_of_a_relief_turns_over(kind):
    result, _ = damaged(kind)
    upward = face_normals(result.mesh)[result.mesh.label > 0][:, 2]
    assert upward.min() > 0.05


@pytest.mark.parametrize("kind", RELIEFS)
def test_the_faces_of_a_relief_lie_within_its_size(kind):
    result, defect = damaged(kind)
    along = (labelled_vertices(result.mesh) - defect.position) @ defect.direction
    slack = defect.parameters.get("width_mm", 0.1 * defect.size_mm)
    assert np.ptp(along) <= defect.size_mm + 2 * slack
    assert np.ptp(along) >= 0.75 * defect.size_mm


def test_a_dent_takes_away_the_volume_of_its_bowl():
    result, defect = damaged("dent")
    lost = volume(pinned().mesh) - volume(result.mesh)
    radius, aspect = defect.size_mm / 2, defect.parameters["aspect"]
    # integral of depth (1 - r2)2 over an ellipse is depth * pi a b / 3; the outline is ragged
    # inwards by 12% of the radius at most
    full = defect.depth_mm * np.pi * radius**2 * aspect / 3
    assert 0.88**2 * full < lost < full


@pytest.mark.parametrize("kind", ["scratch", "dent", "pit", "crack"])
def test_what_is_cut_into_a_block_makes_it_smaller_and_a_bump_larger(kind):
    before = volume(pinned().mesh)
    assert volume(damaged(kind)[0].mesh) < before < volume(damaged("bump")[0].mesh)


def test_a_chip_takes_material_from_the_edge_and_adds_none():
    result, defect = damaged("missing_piece")
    lost = volume(pinned().mesh) - volume(result.mesh)
    # across a square edge, the cut is a triangle of height d = depth * (1 - (2u / size)2): area
    # d2; its integral along the edge is depth2 * size * 8 / 15
    smooth = defect.depth_mm**2 * defect.size_mm * 8 / 15
    assert 0.5 * smooth < lost < 1.8 * smooth
    low, high = result.mesh.vertices.min(axis=0), result.mesh.vertices.max(axis=0)
    assert (low >= [-10.001, -8.001, -0.001]).all() and (high <= [10.001, 8.001, 7.001]).all()
    assert result.removed is not None
    assert (result.removed.label == result.mesh.label).all()


def test_a_missing_pin_is_gone_from_the_part_and_labelled_in_the_sound_one():
    words = {"form": "piece", "tip": [3, 0.2, 7]}
    lost = Defect("missing_piece", 4, (3, 0.2, 7), (0, 0, 1), (1, 0, 0), 5.0, 5.0, words)
    result = apply_defect(pinned().mesh, LOOKS, lost)
    assert components(result.mesh).max() + 1 == 2
    gone = result.removed.vertices[result.removed.faces[result.removed.label == 4]]
    assert gone.reshape(-1, 3)[:, 0].min() == pytest.approx(2.7)
    assert not result.mesh.label.any()


def test_a_bent_pin_keeps_its_length_and_leans_by_its_angle():
    result, defect = damaged("bent_pin")
    mesh = result.mesh
    tip = mesh.vertices[np.unique(mesh.faces[mesh.label > 0])]
    along = (tip - defect.position) @ [0.5, 0, np.sqrt(0.75)]
    end = tip[along > along.max() - 1e-6]
    angle, arc = np.radians(30), 0.4
    straight, radius = defect.size_mm - arc, arc / angle
    x = radius * (1 - np.cos(angle)) + straight * np.sin(angle)
    z = radius * np.sin(angle) + straight * np.cos(angle)
    middle = (end.min(axis=0) + end.max(axis=0)) / 2
    assert middle - defect.position == pytest.approx([x, 0, z], abs=1e-6)
    assert volume(mesh) == pytest.approx(volume(pinned().mesh), rel=1e-4)
    below = mesh.vertices[np.unique(mesh.faces[mesh.label == 0])]
    assert below[:, 2].max() < 7.001 and (result.removed.label > 0).sum() == (mesh.label > 0).sum()


def test_contamination_adds_a_material_and_leaves_the_part_alone():
    for form, words in (
        ("drop", {}),
        ("crumb", {}),
        ("fibre", {"path": [[-1, 0], [0, 0.4], [1, 0]], "lift": 0.5}),
    ):
        record = {"seed": 3, "form": form, "colour": [0.3, 0.2, 0.1], **words}
        dirt = Defect("contamination", 2, (0, 3, 4), (0, 0, 1), (1, 0, 0), 2.0, 0.2, record)
        result = apply_defect(block(), LOOKS, dirt)
        assert (result.mesh.faces[:12] == block().faces).all()
        added = labelled_vertices(result.mesh)
        assert added[:, 2].max() - TOP == pytest.approx(0.2, abs=0.09), form
        assert np.ptp(added[:, 0]) == pytest.approx(2.0, abs=0.4), form
        assert set(result.looks) == {*LOOKS, "contamination.2"}


def test_a_stain_changes_colours_and_no_shape():
    result, _ = damaged("discoloration")
    stained = result.mesh.label > 0
    assert face_normals(result.mesh)[stained] == pytest.approx(
        np.broadcast_to([0, 0, 1.0], (stained.sum(), 3))
    )
    assert volume(result.mesh) == pytest.approx(volume(pinned().mesh), rel=1e-9)
    names = {result.mesh.materials[i] for i in np.unique(result.mesh.material[stained])}
    assert len(names) > 3 and names.isdisjoint(LOOKS)
    assert not by_hand("discoloration").geometric
    sound = LOOKS["part"].colour
    assert all(result.looks[name].colour != sound for name in names)


@pytest.mark.parametrize("kind", KINDS)
def test_the_record_of_a_defect_makes_the_same_part_again(kind):
    first, defect = damaged(kind)
    again = Defect.from_dict(json.loads(json.dumps(defect.as_dict())))
    second = apply_defect(pinned().mesh, LOOKS, again)
    assert again.as_dict() == defect.as_dict()
    assert not again.shading_only
    assert (first.mesh.vertices == second.mesh.vertices).all()
    assert (first.mesh.label == second.mesh.label).all()


def test_two_defects_keep_their_labels():
    dented = apply_defect(block(), LOOKS, by_hand("dent", label=1))
    pit = Defect("pit", 2, (-6, 5, 4), (0, 0, 1), (1, 0, 0), 1.0, 0.3, {"seed": 1})
    both = apply_defect(dented.mesh, dented.looks, pit).mesh
    areas = [face_areas(both)[both.label == label].sum() for label in (0, 1, 2)]
    assert areas[1] == pytest.approx(face_areas(dented.mesh)[dented.mesh.label == 1].sum())
    assert areas[2] > 0.5


@pytest.mark.parametrize("kind", SURFACE_KINDS)
def test_a_defect_larger_than_the_part_is_refused_in_one_line(kind):
    large = Defect(**{**vars(by_hand(kind)), "size_mm": 30.0})
    with pytest.raises(InputError, match=r"30 mm is larger than the part \(20 x 16 x 4 mm\)") as no:
        apply_defect(block(), LOOKS, large)
    assert "\n" not in str(no.value)


def test_records_that_describe_nothing_are_refused_in_one_line():
    with pytest.raises(InputError, match="unknown kind"):
        Defect("hole", 1, (0, 0, 0), (0, 0, 1), (1, 0, 0), 1, 1)
    with pytest.raises(InputError, match="does not describe a defect"):
        Defect.from_dict({"kind": "dent"})
    bare = Defect("scratch", 1, (0, 0, 4), (0, 0, 1), (1, 0, 0), 1, 0.1)
    with pytest.raises(InputError, match="does not describe a scratch"):
        apply_defect(block(), LOOKS, bare)
    off = Defect("dent", 1, (40, 0, 4), (0, 0, 1), (1, 0, 0), 1, 0.1, {"seed": 1, "aspect": 1.0})
    with pytest.raises(InputError, match="not on the surface"):
        apply_defect(block(), LOOKS, off)
