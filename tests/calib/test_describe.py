"""A camera is described in figures that a drawing of the same scene gives."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mvps.calib import Camera, published_cameras, read_camera
from mvps.calib.describe import describe_camera, describe_file
from mvps.calib.rig_table import rig_table

BROKEN = Path(__file__).parent / "broken"
CENTRED = np.array([[800.0, 0, 319.5], [0, 800, 239.5], [0, 0, 1]])


def looking_at_origin(centre: tuple[float, float, float], **fields) -> Camera:
    """640 x 480 camera at ``centre`` (mm) whose optical axis goes through the board's origin."""
    forward = -np.array(centre) / np.linalg.norm(centre)
    right = np.cross(forward, (0.3, -0.2, 0.9) if abs(forward[2]) < 0.9 else (0, 1.0, 0))
    right /= np.linalg.norm(right)
    R = np.stack([right, np.cross(forward, right), forward])
    given = {"rotation": R, "translation": -R @ centre, "frame_id": "board", **fields}
    return Camera(CENTRED, np.zeros(12), (640, 480), **given)


def on_cone(tilt: float, azimuth: float, side: int) -> tuple[float, float, float]:
    """Centre at 500 mm from the origin; ``side`` is that of the board's z axis."""
    t, a = math.radians(tilt), math.radians(azimuth)
    lateral = 500 * math.sin(t)
    return (lateral * math.cos(a), lateral * math.sin(a), side * 500 * math.cos(t))


@pytest.mark.parametrize("side", [1, -1])
@pytest.mark.parametrize(("tilt", "azimuth"), [(30, 40), (46, -120), (70, 179)])
def test_tilt_azimuth_and_distance_are_those_of_the_drawing(tilt, azimuth, side):
    camera = looking_at_origin(on_cone(tilt, azimuth, side))

    stands = describe_camera(camera).standing

    # From below, the board's x and y axes turn the other way round.
    assert stands.azimuth_deg == pytest.approx(azimuth * side, abs=1e-9)
    assert stands.tilt_deg == stands.axis_tilt_deg == pytest.approx(tilt, abs=1e-9)
    assert stands.distance_mm == pytest.approx(500, rel=1e-12)
    assert stands.board_point_mm == pytest.approx((0, 0), abs=1e-9)


def test_straight_above_the_board_a_pixel_is_distance_over_focal_length():
    figures = describe_camera(looking_at_origin((0, 0, -500)))

    assert figures.um_per_px == pytest.approx((625, 625), rel=1e-12)  # 500 mm / 800 px
    assert figures.standing.tilt_deg == pytest.approx(0, abs=1e-9)
    assert figures.standing.azimuth_deg is None


def test_a_tilted_board_is_foreshortened_by_the_cosine_of_the_tilt():
    figures = describe_camera(looking_at_origin(on_cone(60, 90, -1)))

    across, along = figures.um_per_px

    assert across == pytest.approx(625, rel=1e-9)
    assert along == pytest.approx(625 / math.cos(math.radians(60)), rel=1e-9)


def test_the_field_of_view_is_that_of_the_pinhole_between_the_outer_borders():
    x, y, diagonal = describe_camera(looking_at_origin((0, 0, -500))).field_of_view_deg

    assert x == pytest.approx(2 * math.degrees(math.atan(320 / 800)))
    assert y == pytest.approx(2 * math.degrees(math.atan(240 / 800)))
    assert diagonal == pytest.approx(2 * math.degrees(math.atan(400 / 800)))


def test_the_focal_length_in_mm_needs_the_pixel_pitch():
    camera = looking_at_origin((0, 0, -500))

    assert describe_camera(camera).focal_mm is None
    assert describe_camera(camera, pixel_um=5.0).focal_mm == pytest.approx((4.0, 4.0))


def test_a_principal_point_is_told_from_the_centre_of_pixels_at_integers():
    matrix = CENTRED + np.array([[0, 0, 64.0], [0, 0, -24.0], [0, 0, 0]])

    figures = describe_camera(replace(looking_at_origin((0, 0, -500)), matrix=matrix))

    assert figures.principal_offset_px == (64, -24)
    assert figures.principal_offset_percent == (10, -5)


def test_a_camera_without_pose_has_no_figures_of_a_board():
    figures = describe_camera(Camera(CENTRED, np.zeros(12), (640, 480)))

    assert figures.standing is None
    assert figures.um_per_px is None
    assert figures.homography_residual is None


def test_a_camera_that_looks_away_from_the_board_meets_none():
    camera = looking_at_origin((0, 0, -500))
    away = replace(camera, rotation=np.diag([-1.0, 1, -1]), translation=np.array([0, 0, -500.0]))

    stands = describe_camera(away).standing

    assert (stands.tilt_deg, stands.distance_mm, stands.board_point_mm) == (None, None, None)


def test_a_camera_in_the_plane_of_its_board_sees_no_scale_there():
    edge_on = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
    camera = replace(
        looking_at_origin((0, 0, -500)), rotation=edge_on, translation=np.array([0, 0, 500.0])
    )

    figures = describe_camera(camera)

    assert figures.um_per_px is None
    assert figures.standing.distance_mm is None


@pytest.mark.parametrize("scale", [1.0, -3.0, 1e-6])
def test_a_homography_is_compared_whatever_its_scale(scale):
    (camera,), _ = describe_file(BROKEN / "homography.yml")

    figures = describe_camera(replace(camera, homography=camera.homography * scale))

    assert figures.homography_residual_px == pytest.approx(5, rel=1e-9)  # as its comment says
    assert figures.homography_residual == pytest.approx(5 / 319.5, rel=1e-9)


def test_a_homography_that_puts_the_origin_at_infinity_is_infinitely_far_off():
    H = np.array([[1.6, 0, 319.5], [0, 1.6, 239.5], [0, 0.01, 0]])

    figures = describe_camera(replace(looking_at_origin((0, 0, -500)), homography=H))

    assert math.isinf(figures.homography_residual_px)
    assert figures.as_dict()["homography_residual_px"] is None


def test_everything_said_of_a_file_fits_json():
    _, (figures,) = describe_file(published_cameras()["cam3"], pixel_um=3.45)

    told = json.loads(json.dumps(figures.as_dict(), allow_nan=False))

    assert told["header"]["calibration_time"] == "2025-1-24 15:54:51"
    assert told["format"] == "rig"
    assert list(told["distortion"])[:5] == ["k1", "k2", "p1", "p2", "k3"]
    assert told["sha256"].startswith("9cc4caf962bf")


def test_pairs_of_one_frame_get_baseline_and_angles():
    left, right = (looking_at_origin(on_cone(20, azimuth, -1)) for azimuth in (0, 180))

    (pair,) = rig_table([left, right]).pairs

    assert pair.baseline_mm == pytest.approx(2 * 500 * math.sin(math.radians(20)))
    assert pair.axes_deg == pair.views_deg == pytest.approx(40)


def test_cameras_of_different_frames_get_no_figures_unless_a_common_one_is_stated():
    cameras = [read_camera(path) for path in published_cameras().values()]

    table, stated = rig_table(cameras), rig_table(cameras, common_frame=True)

    assert (table.common_frame, table.pairs) == ("none", ())
    assert stated.common_frame == "stated"
    assert len(stated.pairs) == 6


def test_only_the_cameras_that_share_a_frame_are_paired():
    cameras = [
        looking_at_origin(on_cone(20, azimuth, -1), frame_id=frame, name=name)
        for azimuth, frame, name in [(0, "a", "one"), (90, "b", "two"), (180, "a", "three")]
    ]

    table = rig_table(cameras)

    assert [(pair.first, pair.second) for pair in table.pairs] == [("one", "three")]
    assert table.common_frame == "none"


def test_cameras_without_a_named_frame_share_none():
    cameras = [looking_at_origin(on_cone(20, a, -1), frame_id="") for a in (0, 90)]

    assert rig_table(cameras).pairs == ()
