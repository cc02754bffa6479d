"""The distance of the part from its lamps: noticed where it is wrong, and found."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from near_scenes import DISTANCE, errors, lamps, plane_scene, sight, sphere_scene

from mvps.stereo.near_view import Plane
from mvps.surface.near import solve_near

NOISE = 0.001  # of white, 0.2% of the mean sample
each_look = pytest.mark.parametrize("perspective", [True, False], ids=["camera", "parallel"])


def ball_assumed_at(distance, *, perspective=True, count=8):
    """A ball whose mean depth is 300 mm, noisy 16-bit images, and a view that says otherwise."""
    view = sight(perspective=perspective)
    scene = sphere_scene(view, lamps(count, mu=1.0))
    return scene, scene.images(0.8, NOISE, "uint16"), replace(view, plane=Plane(distance))


@each_look
@pytest.mark.parametrize("count", [4, 8])
def test_the_distance_is_found_to_a_tenth_of_a_millimetre(count, perspective):
    scene, images, view = ball_assumed_at(291.0, perspective=perspective, count=count)

    plain = solve_near(images, scene.rig, view, mask=scene.mask)
    found = solve_near(images, scene.rig, view, mask=scene.mask, refine_distance=True)

    # Measured: 0.01 to 0.16 mm off, noise alone; 9 mm off cost 0.8 to 2.6 degrees.
    assert found.surface.view.plane.distance_mm == pytest.approx(DISTANCE, abs=0.3)
    assert errors(plain.solution.normals, scene, scene.mask).mean() > 0.7
    assert errors(found.solution.normals, scene, scene.mask).mean() < 0.3


def test_a_leaning_plane_is_found_too():
    view = sight(perspective=True)
    scene = plane_scene(view, lamps(mu=1.0), Plane.tilted(290, 10, 30))

    found = solve_near(
        scene.images(0.8, NOISE, "uint16"), scene.rig, view, refine_distance=True
    ).depth

    assert (found - scene.depth).mean() == pytest.approx(0, abs=0.3)
    assert (found - scene.depth).std() < 0.05


@pytest.mark.parametrize(("assumed", "side"), [(291.0, 1), (310.0, -1)])
def test_a_wrong_distance_is_noticed_with_its_side(assumed, side):
    scene, images, view = ball_assumed_at(assumed)

    check = solve_near(images, scene.rig, view, mask=scene.mask).distance

    assert check.wrong
    # One parabola from afar overshoots or falls short; it has the side and the size.
    assert 0.5 < side * check.offset_mm / abs(DISTANCE - assumed) < 2
    assert check.best < 0.5 * check.residual


@each_look
def test_a_right_distance_raises_no_alarm(perspective):
    scene, images, view = ball_assumed_at(DISTANCE, perspective=perspective)

    check = solve_near(images, scene.rig, view, mask=scene.mask).distance

    assert not check.wrong
    assert abs(check.offset_mm) < 0.5
    # Noise of 0.001 as a share of an albedo of 0.72 of white
    assert check.residual == pytest.approx(0.0014, abs=0.0004)


def test_intensities_that_are_one_per_cent_off_do_not_raise_an_alarm():
    scene, images, view = ball_assumed_at(DISTANCE)
    off = 1 + 0.01 * np.random.default_rng(3).standard_normal(8)
    rig = replace(scene.rig, intensities=scene.rig.intensities * off)

    check = solve_near(images, rig, view, mask=scene.mask).distance

    assert not check.wrong


def test_three_lamps_say_nothing():
    scene = sphere_scene(sight(perspective=True), lamps(3), cap=25.0)

    found = solve_near(scene.images(), scene.rig, scene.view, mask=scene.mask, refine_distance=True)

    assert found.distance is None
    assert found.surface.view.plane.distance_mm == DISTANCE
