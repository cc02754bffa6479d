"""Placements: drawn by a seed, within their spread, and always standing on the plate."""

from __future__ import annotations

import json

import numpy as np
import pytest

from mvps.errors import InputError
from mvps.synth.mesh import bounds, face_normals, take_faces, volume
from mvps.synth.placing import Jitter, Placement, draw_placement, place, stand
from mvps.synth.shapes import plate


def test_the_same_seed_gives_the_same_placement_and_another_one_another() -> None:
    first, again, other = (draw_placement(np.random.default_rng(seed)) for seed in (5, 5, 6))

    assert first == again
    assert first != other
    assert Placement(**json.loads(json.dumps(first.as_dict()))).rotation_deg == first.rotation_deg


def test_placements_stay_within_the_spread_and_fill_it() -> None:
    rng = np.random.default_rng(1)
    drawn = [draw_placement(rng, Jitter(10.0, 2.0, 0.5, 0.01)) for _ in range(2000)]
    turn = np.array([one.rotation_deg for one in drawn])
    shift = np.array([one.shift_mm for one in drawn])
    tilt = np.array([one.tilt_deg for one in drawn])
    scale = np.array([one.scale for one in drawn])

    assert 9.9 < np.abs(turn).max() <= 10
    assert 1.9 < np.abs(shift).max() <= 2
    assert np.abs(tilt).max() <= 1.5
    assert tilt.std() == pytest.approx(0.5, rel=0.1)
    assert scale.mean() == pytest.approx(1, abs=1e-3)
    assert scale.std() == pytest.approx(0.01, rel=0.1)


def test_no_spread_leaves_the_part_where_it_is() -> None:
    still = draw_placement(np.random.default_rng(1), Jitter(0, 0, 0, 0))

    assert still == Placement()
    block = plate(4, 3, 2)
    assert np.allclose(place(block, still).vertices, block.vertices)


def test_a_part_turns_counter_clockwise_and_moves_after_it_turned() -> None:
    placed = place(plate(4, 2, 1), Placement(rotation_deg=90, shift_mm=(10, 0)))

    assert np.allclose(bounds(placed), [[9, -2, 0], [11, 2, 1]])


def test_a_tilted_part_stands_on_its_lowest_point_and_grows_by_its_scale() -> None:
    """A block 4 wide tilted about y by 30 degrees reaches 4 sin 30 + 1 cos 30 high."""
    placed = place(plate(4, 2, 1), Placement(tilt_deg=(0, 30), scale=1.1))

    assert bounds(placed)[0, 2] == pytest.approx(0)
    assert bounds(placed)[1, 2] == pytest.approx(1.1 * (2 + np.cos(np.radians(30))))
    assert volume(placed) == pytest.approx(8 * 1.1**3)


def test_a_tilt_about_x_lifts_what_lies_at_positive_y() -> None:
    placed = place(plate(4, 2, 1), Placement(tilt_deg=(10, 0)))

    assert placed.vertices[placed.vertices[:, 2].argmax(), 1] > 0


def test_a_part_without_its_lowest_face_lies_as_the_whole_one_does() -> None:
    block, tilted = plate(4, 2, 1), Placement(tilt_deg=(20, 0), scale=1.1)
    top = take_faces(block, face_normals(block)[:, 2] > 0.9)

    whole = bounds(place(block, tilted))
    assert bounds(place(top, tilted))[0, 2] == pytest.approx(0)
    assert bounds(place(top, tilted, standing=block))[1, 2] == pytest.approx(whole[1, 2])


def test_standing_moves_along_z_alone() -> None:
    block = plate(4, 3, 2)
    raised = stand(stand(block))

    assert np.array_equal(raised.vertices, block.vertices)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Placement(scale=0),
        lambda: Placement(rotation_deg=float("nan")),
        lambda: Placement(tilt_deg=(50, 0)),
        lambda: Jitter(rotation_deg=-1),
        lambda: Jitter(scale=0.5),
    ],
)
def test_placements_that_make_no_sense_are_refused(make: type) -> None:
    with pytest.raises(InputError):
        make()
