"""Views: cameras that look where they should, boards turned into plates, refusals."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from synth_scenes import tile

from mvps.calib import published_cameras, read_camera
from mvps.calib.geometry import project
from mvps.errors import InputError
from mvps.synth.views import (
    AZIMUTHS,
    camera_in_world,
    check_view,
    five_views,
    published_views,
    ring,
)


def test_cameras_stand_on_their_sides_and_see_up_as_up() -> None:
    for view in five_views(10.0, (64, 48), tilt_deg=50.0, distance_mm=200.0, centre_height_mm=2.0):
        middle, valid = project(view.camera, np.array([[0.0, 0.0, 2.0], [0.0, 0.0, 3.0]]))
        assert valid.all()
        assert np.allclose(middle[0], [31.5, 23.5])
        tilt = 50.0 if view.name in AZIMUTHS else 0.0
        centre = view.camera.centre() - [0, 0, 2.0]
        assert np.linalg.norm(centre) == pytest.approx(200.0)
        assert np.degrees(np.arccos(centre[2] / 200)) == pytest.approx(tilt, abs=1e-6)
        if view.name in AZIMUTHS:
            assert middle[1, 1] < 23.5 and middle[1, 0] == pytest.approx(31.5)
            azimuth = np.degrees(np.arctan2(centre[1], centre[0]))
            assert np.cos(np.radians(azimuth - AZIMUTHS[view.name])) == pytest.approx(1.0)


def test_the_part_fills_the_shorter_side() -> None:
    top = five_views(10.0, (80, 60), centre_height_mm=0.0)[0]
    edges, _ = project(top.camera, np.array([[0, -5.0, 0], [0, 5.0, 0]]))
    assert abs(edges[0, 1] - edges[1, 1]) == pytest.approx(60 / 1.12)


def test_a_ring_of_lights_leans_alike_all_round() -> None:
    rig = ring(6, 35.0)
    assert np.degrees(np.arccos(rig.directions[:, 2])) == pytest.approx(np.full(6, 35.0))
    assert np.abs(rig.directions[:, :2].sum(axis=0)).max() < 1e-12


@pytest.mark.parametrize("name", ["cam1", "cam2", "cam3", "cam4"])
def test_a_published_board_becomes_the_plate_with_z_up(name: str) -> None:
    """The same pixels see the same points, turned by diag(1, -1, -1); H follows."""
    camera = read_camera(published_cameras()[name])
    world = camera_in_world(camera)
    assert camera.centre()[2] < 0 < world.centre()[2]
    board = np.array([[0.0, 0, 0], [10, 5, 0], [-3, 8, 0]])
    turned = board * [1, -1, -1]
    assert np.allclose(project(world, turned)[0], project(camera, board)[0], equal_nan=True)
    one = np.array([1.0, 1.0, 1.0])
    h_board = camera.homography @ np.array([board[:, 0], board[:, 1], one])
    h_world = world.homography @ np.array([turned[:, 0], turned[:, 1], one])
    assert np.allclose(h_board / h_board[2], h_world / h_world[2])
    assert camera_in_world(world) is world


def test_published_views_can_be_resized() -> None:
    views = published_views(image_size=(410, 300))
    assert [view.name for view in views] == ["cam1", "cam2", "cam3", "cam4"]
    assert all(view.camera.image_size == (410, 300) for view in views)


def test_views_without_the_part_or_from_below_are_refused_in_one_line() -> None:
    view = five_views(10.0, (32, 32))[0]
    check_view(view, tile(2.0))
    check_view(view, tile(900.0))
    with pytest.raises(InputError, match="view top: the camera does not see the part") as caught:
        check_view(view, tile(2.0, centre=(80.0, 0.0)))
    assert "\n" not in str(caught.value)
    below = replace(view.camera, translation=-view.camera.translation)
    with pytest.raises(InputError, match="below the ground plate"):
        check_view(replace(view, camera=below), tile(2.0))


@pytest.mark.parametrize(
    "wrong", [{"part_size_mm": 0.0}, {"distance_mm": 5.0}, {"tilt_deg": 90.0}, {"tilt_deg": 0.0}]
)
def test_senseless_rigs_are_refused(wrong: dict) -> None:
    with pytest.raises(InputError, match="five views"):
        five_views(**{"part_size_mm": 10.0} | wrong)
