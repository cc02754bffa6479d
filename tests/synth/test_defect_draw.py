"""Defects drawn by chance: within their ranges, on suitable surfaces, the same for a seed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from defect_parts import LOOKS, block, open_edges, pinned, plain

from mvps.errors import InputError
from mvps.synth.defect_draw import RANGES, STEEPEST, draw_defect
from mvps.synth.defect_matter import contrast
from mvps.synth.defects import KINDS, apply_defect
from mvps.synth.mesh import join
from mvps.synth.parts import Part
from mvps.synth.subjects import find_part


def drawn(kind, seed=0, part=None, **options):
    return draw_defect(part or pinned(), kind, np.random.default_rng(seed), **options)


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_draws_the_same_defect_and_another_seed_another(kind):
    assert drawn(kind, 3) == drawn(kind, 3)
    assert drawn(kind, 3) != drawn(kind, 4)
    assert drawn(kind, 3, label=9).label == 9


@pytest.mark.parametrize("kind", KINDS)
def test_sizes_lie_within_the_ranges(kind):
    for seed in range(6):
        defect = drawn(kind, seed)
        spans = dict(RANGES[kind])
        form = defect.parameters.get("form")
        if form == "fibre":
            spans["size_mm"], spans["depth_mm"] = spans["fibre_mm"], spans["thickness_mm"]
        if form != "piece":
            for word, (low, high) in spans.items():
                value = getattr(defect, word, defect.parameters.get(word, low))
                lowest = 0.0 if word == "depth_mm" else low
                assert lowest <= value <= high + 1e-4, (word, value)
        if kind in STEEPEST and form not in {"fibre", "piece"}:
            across = defect.parameters.get("width_mm", defect.size_mm)
            assert defect.depth_mm <= STEEPEST[kind] * across + 1e-4


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "bent_pin"])
def test_where_says_which_surfaces_take_a_defect(kind):
    for seed in range(3):
        up = drawn(kind, seed, plain(), where="top", ranges=small(kind)).normal[2]
        side = drawn(kind, seed, plain(), where="side", ranges=small(kind)).normal[2]
        assert up > 0.5
        assert abs(side) < 0.2


def small(kind):
    return {"fibre_mm": (1.5, 2.5)} if kind == "contamination" else {"size_mm": (1.0, 2.5)}


@pytest.mark.parametrize("kind", ["dent", "scratch", "discoloration"])
def test_a_defect_keeps_to_one_face_of_the_block(kind):
    for seed in range(4):
        defect = drawn(kind, seed, plain())
        mesh = apply_defect(block(), LOOKS, defect).mesh
        touched = mesh.vertices[np.unique(mesh.faces[mesh.label > 0])]
        level = (touched - defect.position) @ defect.normal
        assert np.abs(level).max() <= defect.depth_mm * 1.01 + 1e-9
        assert open_edges(mesh) == 0


def test_nothing_is_dented_through_a_thin_wall():
    sheet = Part("sheet", block(20, 16, 0.3), LOOKS)
    for seed in range(4):
        assert drawn("dent", seed, sheet, where="top").depth_mm < 0.2


def test_hidden_surfaces_take_no_defect():
    lid = block(20, 16, 1, base=5.0)
    covered = Part("covered", join([block(), lid]), LOOKS)
    heights = [drawn("pit", seed, covered, where="top").position[2] for seed in range(5)]
    assert heights == pytest.approx([6.0] * 5)


def test_a_bent_pin_stays_clear_of_what_stands_beside_it():
    part = pinned()
    wall = block(1.0, 6, 8, (-1.9, 0.2), 0.0, "part")
    beside = Part("beside", join([part.mesh, wall]), LOOKS, part.pins)
    for seed in range(6):
        mesh = apply_defect(beside.mesh, LOOKS, drawn("bent_pin", seed, beside)).mesh
        pin = mesh.vertices[np.unique(mesh.faces[mesh.label > 0])]
        inside = (np.abs(pin - [-1.9, 0.2, 4]) < [0.499, 3, 4]).all(axis=1)
        assert not inside.any()


def test_what_cannot_be_drawn_is_told_in_one_line():
    with pytest.raises(InputError, match="larger than the part"):
        drawn("dent", ranges={"size_mm": (50, 60)})
    with pytest.raises(InputError, match="found no place for a dent of 17 to 19 mm"):
        drawn("dent", ranges={"size_mm": (17, 19)})
    with pytest.raises(InputError, match="has no pins"):
        drawn("bent_pin", part=plain())
    with pytest.raises(InputError, match="has no range 'width'"):
        drawn("dent", ranges={"width": (1, 2)})
    with pytest.raises(InputError, match="is no range above 0"):
        drawn("dent", ranges={"size_mm": (3, 2)})
    with pytest.raises(InputError, match="unknown place 'bottom'"):
        drawn("dent", where="bottom")
    with pytest.raises(InputError, match="unknown kind 'hole'"):
        drawn("hole")


def test_a_chip_changes_nothing_beyond_its_size():
    for seed in range(4):
        chip = drawn("missing_piece", seed, plain())
        mesh = apply_defect(block(), LOOKS, chip).mesh
        touched = mesh.vertices[np.unique(mesh.faces[mesh.label > 0])]
        assert np.linalg.norm(touched - chip.position, axis=1).max() < 0.75 * chip.size_mm
        assert open_edges(mesh) == 0


def test_a_crack_along_the_long_thin_walls_of_a_rod_takes_a_moderate_mesh() -> None:
    """Walls that were cut across their short sides alone went on splitting without end here."""
    rod = find_part("rod").part
    crack = draw_defect(rod, "crack", np.random.default_rng(3))
    damaged = apply_defect(rod.mesh, rod.looks, crack).mesh
    assert (damaged.label > 0).any()
    assert len(damaged.faces) < 200_000


def test_stains_are_drawn_where_they_can_be_told_from_what_they_lie_on() -> None:
    """One colour in four is that of this block to a fifth: drawn blindly, it would not show."""
    pale = replace(LOOKS["part"], colour=(0.55, 0.55, 0.5))
    part = Part("pale", block(), {**LOOKS, "part": pale})
    for seed in range(12):
        stain = np.array(drawn("discoloration", seed, part).parameters["colour"])
        assert contrast(np.array(pale.colour), stain) >= 0.25
