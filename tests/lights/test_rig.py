"""LightRig holds K unit directions and K positive intensities, or says which row is wrong."""

from __future__ import annotations

import numpy as np
import pytest

from mvps.errors import InputError
from mvps.lights import LightRig, from_directions


def test_directions_rounded_to_four_digits_become_exactly_unit():
    rig = from_directions([[-0.0635, -0.4317, 0.8998], [0.6, 0, 0.8], [0, 0.6, 0.8]])

    assert np.linalg.norm(rig.directions, axis=1) == pytest.approx(1, abs=1e-15)
    assert rig.directions.dtype == np.float64
    assert not rig.directions.flags.writeable


@pytest.mark.parametrize(
    ("convention", "expected"),
    [
        ("opengl", [0.36, 0.48, 0.8]),
        ("directx", [0.36, -0.48, 0.8]),
        ("opencv", [0.36, -0.48, -0.8]),
    ],
)
def test_a_convention_flips_the_axes_that_it_counts_the_other_way(convention, expected):
    rig = from_directions([[0.36, 0.48, 0.8]], convention=convention)

    assert rig.directions[0] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"directions": np.eye(3) * [[1], [1.02], [1]]}, "row 2: the direction has length 1.02"),
        ({"directions": np.zeros((3, 2))}, "shape (3, 2), expected (K, 3)"),
        ({"directions": [[0, 0, 1], [0, np.nan, 1], [0, 1, 0]]}, "row 2: directions hold a value"),
        ({"intensities": [1, 1]}, "intensities have shape (2,), expected (3,) or (3, 3)"),
        ({"intensities": [1, 1, 0]}, "row 3: the intensity is not positive"),
        (
            {"intensities": [[1, 1, 1], [1, -1, 1], [1, 1, 1]]},
            "row 2: the intensity is not positive",
        ),
        ({"positions": np.ones((2, 3))}, "positions have shape (2, 3), expected (3, 3)"),
        ({"axes": np.ones((3, 3))}, "row 1: the axis has length 1.732"),
        ({"names": ("a", "b")}, "2 names for 3 lights"),
        ({"directions": "abc"}, "directions are not an array of numbers"),
    ],
)
def test_a_rig_that_is_not_one_is_refused_with_its_row(change, message):
    good = {"directions": np.eye(3), "intensities": np.ones(3), "source": "rig.lp"}

    with pytest.raises(InputError) as caught:
        LightRig(**{**good, **change})

    assert str(caught.value).startswith("rig.lp: ")
    assert message in str(caught.value)


def test_an_unknown_convention_names_those_that_are_known():
    with pytest.raises(InputError, match="unknown convention 'blender'; use opengl"):
        from_directions([[0, 0, 1.0]], convention="blender")


def test_selected_lights_keep_everything_that_belongs_to_them():
    rig = LightRig(
        np.eye(3), [1, 2, 3], positions=10 * np.eye(3), mu=[0, 1, 2], names=("a", "b", "c")
    )

    part = rig.select([2, 0])

    assert part.names == ("c", "a")
    assert part.intensities.tolist() == [3, 1]
    assert part.mu.tolist() == [2, 0]
    assert part.positions.tolist() == [[0, 0, 10], [10, 0, 0]]
    assert part.axes is None


def test_the_condition_number_of_a_slanted_ring_is_that_of_its_geometry():
    # Lights at slant s, evenly around: singular values sqrt(K) cos s and twice sqrt(K/2) sin s.
    slant = np.radians(20)
    turn = np.linspace(0, 2 * np.pi, 8, endpoint=False)
    ring = np.stack(
        [np.sin(slant) * np.cos(turn), np.sin(slant) * np.sin(turn), np.full(8, np.cos(slant))], 1
    )

    assert from_directions(ring).condition() == pytest.approx(np.sqrt(2) / np.tan(slant))
    assert from_directions(np.eye(3)[:2]).condition() == np.inf
